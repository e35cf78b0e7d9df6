"""The directories that a Director may have saved, by the conf of this machine: File lines of a FileSet held within them.

A walk follows no symbolic link, so that it stays below its File line; a File line itself may lead elsewhere by a link or a `..`, and then the
place it leads to counts. What lies below an excluded directory the Matcher refuses, whatever the Options blocks say.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace

from filed.errors import printable
from filed.fileset.model import FileSet, Include


def confined(fileset: FileSet, warn: Callable[[str], None]) -> FileSet:
    """The FileSet with the File lines that its `allowed` and `barred` leave. warn: gets a sentence about each that is cut down."""
    if not (fileset.allowed or fileset.barred):
        return fileset

    def held(include: Include) -> Include:
        files = [kept for line in include.files for kept in _kept(line, fileset, warn)]
        return replace(include, files=tuple(dict.fromkeys(files)))

    return replace(fileset, includes=tuple(map(held, fileset.includes)))


def within(path: bytes, directories: tuple[bytes, ...]) -> bool:
    """Is it one of these directories, or below one? All of them real paths."""
    return any(path == each or path.startswith(each.rstrip(b"/") + b"/") for each in directories)


def real(path: bytes) -> bytes:
    """Where a path leads, by links and `..`."""
    return as_compared(os.path.realpath(path))


def as_compared(path: bytes) -> bytes:
    """With `/`, and on Windows in lower case: names that differ in case are one file there."""
    return os.path.normcase(path).replace(os.sep.encode(), b"/")


def _kept(line: bytes, fileset: FileSet, warn: Callable[[str], None]) -> Iterator[bytes]:
    place = real(line)
    allowed = tuple(map(real, fileset.allowed))
    barred = tuple(map(real, fileset.barred))
    straight = place == as_compared(line.rstrip(b"/") or b"/")
    if within(place, barred) or (not straight and any(within(each, (place,)) for each in barred)):
        warn(f"{printable(line)}: it is, or leads to, an Excluded Backup Directory of the conf: not saved")
    elif not allowed or within(place, allowed):
        yield line
    else:
        below = [each for each in allowed if straight and within(each, (place,))]
        what = "only the Allowed Backup Directories below it are saved" if below else "not saved"
        warn(f"{printable(line)}: it is outside of the Allowed Backup Directories of the conf: {what}")
        yield from below
