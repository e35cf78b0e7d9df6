"""The file that a crash or a hang in agent code leaves for anyone who looks into it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from pathlib import Path

from filed.process.system import open_file

NAME = "filed-postmortem-{time}-{pid}.txt"
KEPT = 10  # the newest; a broken agent that is tried each hour must not fill the disk


def write_postmortem(
    directory: Path, pid: int, report: str, printed: Sequence[str], words: Sequence[str]
) -> Path | None:
    """Returns where it lies; None when there is nothing to tell, or it could not be written.

    printed: the last lines of the process' own output.  words: as `LastWords.read` gives them.
    """
    if not words:
        return None
    path = directory / NAME.format(time=time.strftime("%Y%m%d-%H%M%S"), pid=pid)
    lines = [time.strftime("%Y-%m-%d %H:%M:%S %z"), report, *(f"printed: {line}" for line in printed), "", *words, ""]
    lines.append("A line of a library can be looked up with: addr2line -Cfe LIBRARY OFFSET")
    try:
        with os.fdopen(open_file(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
            file.write("\n".join(lines).encode("utf-8", "backslashreplace") + b"\n")
        _forget_old(directory)
    except OSError:
        return None
    return path


def _forget_old(directory: Path) -> None:
    for path in sorted(directory.glob(NAME.format(time="*", pid="*")))[:-KEPT]:
        with contextlib.suppress(OSError):
            path.unlink()
