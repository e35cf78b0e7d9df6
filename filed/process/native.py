"""The host's own libraries, see native_host/README.md."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Final

from filed.process.system import LIBRARY_SUFFIX

DIRECTORY: Final = Path(__file__).resolve().parents[1] / "_native"


def native_library(name: str, directory: Path = DIRECTORY, *, use_errno: bool = False) -> ctypes.CDLL | None:
    """None on a machine where it was not built."""
    try:
        return ctypes.CDLL(str(directory / f"{name}{LIBRARY_SUFFIX}"), use_errno=use_errno)
    except OSError:
        return None
