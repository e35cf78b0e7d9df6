"""The bytes of one Volume, read in windows.

Windows are immutable `bytes`, so a record may be a view of one for as long as anybody wants. A mapping would save the copy
and would turn a bad sector, or a file cut short meanwhile, into a dead process.
"""

from __future__ import annotations

import errno
import os
import stat
from types import TracebackType
from typing import Protocol, Self

from filed.errors import VolumeError
from filed.process.system import open_file, read_at

WINDOW_BYTES = 1 << 20
SECTOR_BYTES = 4096


class RangeReader(Protocol):
    """A Volume, wherever it lies: ranges of its bytes. Others may append meanwhile."""

    @property
    def name(self) -> str:
        """The Volume's name."""

    def size(self) -> int:
        """Bytes in the Volume now."""

    def pread(self, length: int, offset: int) -> bytes:
        """At most so many bytes from `offset` on; fewer at the end. Raises OSError for what cannot be read."""

    def close(self) -> None:
        """Nothing more is read. Never raises."""


class FileRanges:
    """A RangeReader on a file. Raises VolumeError when it cannot be opened, or is none."""

    def __init__(self, path: str | os.PathLike[str], name: str = "") -> None:
        path = os.fspath(path)
        self.name = name or os.path.basename(path)  # noqa: PTH119 - a string in, a string out
        try:
            self._fd = open_file(path)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise VolumeError(
                    f"Volume {self.name} is a symbolic link, and none is followed; put the file itself there: {path}"
                ) from error
            raise VolumeError(f"Volume {self.name} cannot be opened ({path}): {error.strerror}") from error
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            self.close()
            raise VolumeError(f"Volume {self.name} is not a plain file: {path}")

    def size(self) -> int:
        return os.fstat(self._fd).st_size

    def pread(self, length: int, offset: int) -> bytes:
        return read_at(self._fd, length, offset)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class VolumeSource:
    """The windows of one Volume; ours from now on is what reads its ranges.

    forgiving: bytes that cannot be read come back as zeros (their block's checksum then fails) instead of raising.
    """

    def __init__(self, ranges: RangeReader, *, forgiving: bool = False) -> None:
        self._ranges = ranges
        self.name = ranges.name
        self.size = ranges.size
        self.close = ranges.close
        self._forgiving = forgiving
        self._window = b""
        self._offset = 0

    def at(self, offset: int, need: int, ahead: int = WINDOW_BYTES) -> tuple[bytes, int]:
        """A window and where `offset` is in it. At least `need` bytes follow, or all up to the end of the Volume.

        ahead: how much to read when the present window does not do.
        Raises VolumeError (without place) for what cannot be read.
        """
        index = offset - self._offset
        if not 0 <= index <= len(self._window) - need:
            self._window = self._read(offset, max(need, ahead))
            self._offset, index = offset, 0
        return self._window, index

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _read(self, offset: int, length: int) -> bytes:
        try:
            return self._ranges.pread(length, offset)
        except OSError as error:
            if not self._forgiving:
                raise VolumeError(f"Volume {self.name} cannot be read here: {error.strerror}") from error
        return self._read_around(offset, min(length, self.size() - offset))

    def _read_around(self, offset: int, length: int) -> bytes:
        """Read in small steps; what stays unreadable is zeros."""
        parts: list[bytes] = []
        stop = offset + length
        while offset < stop:
            step = min(SECTOR_BYTES - offset % SECTOR_BYTES, stop - offset)
            try:
                part = self._ranges.pread(step, offset)
            except OSError:
                part = bytes(step)
            if not part:
                break
            parts.append(part)
            offset += len(part)
        return b"".join(parts)
