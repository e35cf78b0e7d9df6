"""Whose a directory of Volumes is. Anyone who can write there decides what a restore gives, and reads what a backup saves."""

from __future__ import annotations

from pathlib import Path

from filed.config.trust import why_not_trusted
from filed.errors import VolumeError

_ADVICE = "or run this as the user it belongs to; mount a disk that knows no owners with uid= and umask=077"


def refuse_others(directory: Path) -> None:
    """Raises VolumeError when somebody else owns the directory, or can write there. One that is not there is nobody's.

    Raises OSError when nobody can tell.
    """
    try:
        status = directory.stat()
    except (FileNotFoundError, NotADirectoryError):
        return
    if why := why_not_trusted(directory, status):
        raise VolumeError(f"{why}, {_ADVICE}")
