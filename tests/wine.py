"""A Windows of our own: what programs need in their environment to run under wine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def windows(prefix: Path) -> Iterator[dict[str, str]]:
    """The environment, as long as the context lasts. prefix: a directory that is there, for some hundred megabytes.

    Its server stays, started by a run without output: services would inherit a captured one and keep it open. Without
    UTF-8 as locale, arguments lose what is not ASCII.
    """
    environment = {
        "WINEPREFIX": os.fspath(prefix),
        "WINEDEBUG": "-all",
        "WINEDLLOVERRIDES": "mscoree,mshtml=",
        "LC_ALL": "C.UTF-8",
    }
    quiet: Mapping[str, object] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    whole = {**os.environ, **environment}
    try:
        for command in (["wineserver", "-p"], ["wine", "wineboot", "-i"]):
            subprocess.run(command, check=True, env=whole, **quiet)  # type: ignore[call-overload]
        yield environment
    finally:
        subprocess.run(["wineserver", "-k"], check=False, env=whole, capture_output=True)
        shutil.rmtree(prefix)


def drive_path(path: Path) -> str:
    """As a Windows program knows it. Not by winepath, which cuts at 260 characters."""
    return "Z:" + os.fspath(path.absolute()).replace("/", "\\")
