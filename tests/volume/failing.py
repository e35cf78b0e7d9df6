"""Things that break on purpose."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection

from filed.volume.source import SECTOR_BYTES


class InMemory:
    """A RangeReader on bytes. bad: sectors that cannot be read."""

    name = "Vol-0001"

    def __init__(self, content: bytes, bad: Collection[int] = ()) -> None:
        self._content, self._bad = content, bad

    def size(self) -> int:
        return len(self._content)

    def pread(self, length: int, offset: int) -> bytes:
        end = offset + length
        if any(offset < (number + 1) * SECTOR_BYTES and number * SECTOR_BYTES < end for number in self._bad):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return self._content[offset:end]

    def close(self) -> None:
        self._content = b""
