"""The bytes of one Volume file, read in windows.

Windows are immutable `bytes`, so a record may be a view of one for as long as anybody wants. A mapping would save the copy
and would turn a bad sector, or a file cut short meanwhile, into a dead process.
"""

from __future__ import annotations

import os
import stat
from types import TracebackType
from typing import Self

from filed.errors import VolumeError
from filed.process.system import open_file, read_at

WINDOW_BYTES = 1 << 20
SECTOR_BYTES = 4096


class VolumeSource:
    """One Volume, opened for reading; other processes may append meanwhile.

    forgiving: bytes that the disk cannot read come back as zeros (their block's checksum then fails) instead of raising.
    """

    def __init__(self, path: str | os.PathLike[str], name: str = "", *, forgiving: bool = False) -> None:
        self.path = os.fspath(path)
        self.name = name or os.path.basename(self.path)  # noqa: PTH119 - a string in, a string out
        self._forgiving = forgiving
        self._window = b""
        self._offset = 0
        try:
            self._fd = open_file(self.path, follow=True)
        except OSError as error:
            raise VolumeError(f"Volume {self.name} cannot be opened ({self.path}): {error.strerror}") from error
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            self.close()
            raise VolumeError(f"Volume {self.name} is not a plain file: {self.path}")

    def size(self) -> int:
        """Bytes in the file now."""
        return os.fstat(self._fd).st_size

    def at(self, offset: int, need: int, ahead: int = WINDOW_BYTES) -> tuple[bytes, int]:
        """A window and where `offset` is in it. At least `need` bytes follow, or all up to the end of the file.

        ahead: how much to read when the present window does not do.
        Raises VolumeError (without place) for what the disk cannot read.
        """
        index = offset - self._offset
        if not 0 <= index <= len(self._window) - need:
            self._window = self._read(offset, max(need, ahead))
            self._offset, index = offset, 0
        return self._window, index

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _read(self, offset: int, length: int) -> bytes:
        try:
            return read_at(self._fd, length, offset)
        except OSError as error:
            if not self._forgiving:
                raise VolumeError(f"{self.path} cannot be read here: {error.strerror}") from error
        return self._read_around(offset, min(length, self.size() - offset))

    def _read_around(self, offset: int, length: int) -> bytes:
        """Read in small steps; what stays unreadable is zeros."""
        parts: list[bytes] = []
        stop = offset + length
        while offset < stop:
            step = min(SECTOR_BYTES - offset % SECTOR_BYTES, stop - offset)
            try:
                part = read_at(self._fd, step, offset)
            except OSError:
                part = bytes(step)
            if not part:
                break
            parts.append(part)
            offset += len(part)
        return b"".join(parts)
