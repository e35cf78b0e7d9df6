"""Things that break on purpose."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection


def bad_sectors(bad: Collection[int], sector: int = 4096) -> Callable[[int, int, int], bytes]:
    """An `os.pread` for which some sectors of the file cannot be read."""
    real = os.pread

    def pread(fd: int, length: int, offset: int) -> bytes:
        if any(offset < (number + 1) * sector and number * sector < offset + length for number in bad):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(fd, length, offset)

    return pread
