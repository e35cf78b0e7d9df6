"""Files that this process has open, and that a guest in it may close by mistake: a descriptor closed twice is another's by then."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

FileId = tuple[int, int]


class OpenFiles:
    """The descriptors of some files as they are now; a look costs a microsecond for each. Knows of none where /proc is not.

    others: descriptors that belong to somebody else, who may have the same files open and close them.
    """

    def __init__(self, paths: Iterable[Path] = (), others: frozenset[int] = frozenset()) -> None:
        wanted = {_identity(path) for path in paths if path.exists()}
        numbers = open_numbers() - others if wanted else ()
        self._found = [(number, found) for number in numbers if (found := _identity(number)) and found in wanted]

    @property
    def lost(self) -> bool:
        """Was one of the descriptors closed, or does it lead elsewhere?"""
        try:
            return any(
                (now := os.fstat(number)).st_ino != ino or now.st_dev != dev for number, (dev, ino) in self._found
            )
        except OSError:
            return True


def _identity(file: Path | int) -> FileId | None:
    try:
        status = os.stat(file)  # noqa: PTH116  of a descriptor, too
    except OSError:
        return None
    return status.st_dev, status.st_ino


def open_numbers() -> frozenset[int]:
    """The descriptors that are open now; none where /proc is not."""
    try:
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208  names are numbers
    except OSError:
        return frozenset()
    return frozenset(number for number in numbers if _identity(number))  # that of the listing is gone by now
