"""Numbers that are never given out twice in a directory of Volumes: of Volumes, and of sessions.

One line of fixed length in the file `.sequence`, rewritten in place under flock(2):

    filed 1 volume 0000000007 session 1795431175 0000000003

A session is (VolSessionId, VolSessionTime): the time is now, the id counts the sessions begun in one second. A clock that was
set back does not matter: the time never falls. If the file is lost, the names in the directory and the clock do.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filed.errors import VolumeError
from filed.process.system import lock_file, open_file, read_at, sync_directory, write_at
from filed.storage.disk.volume_file import VOLUME_MODE, explain
from filed.volume import Session

FILE_NAME = ".sequence"

_LINE = re.compile(rb"filed 1 volume (\d{10}) session (\d{10}) (\d{10})\n")
_LINE_BYTES = 56
_MAX_U32 = 0xFFFF_FFFF


class Sequence:
    """The numbers of one directory. Every call is safe against other processes and threads."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE_NAME

    def next_session(self, now: float) -> Session:
        """A pair no other Job has. `now`: seconds since 1970. Raises VolumeError."""
        with self._held() as numbers:
            _, time, count = numbers
            if int(now) > time:
                time, count = int(now), 0
            if count == _MAX_U32 or time > _MAX_U32:
                raise VolumeError(f"{self._path}: no session numbers are left; is the clock right?")
            numbers[1:] = time, count + 1
        return Session(count + 1, time)

    def next_volume(self, highest: int) -> int:
        """A Volume number higher than `highest` and all that were given out before. Raises VolumeError."""
        with self._held() as numbers:
            numbers[0] = max(numbers[0], highest) + 1
            return numbers[0]

    @contextmanager
    def _held(self) -> Iterator[list[int]]:
        try:
            fd = open_file(self._path, os.O_RDWR | os.O_CREAT, VOLUME_MODE)
            try:
                lock_file(fd, wait=True)  # for microseconds
                before = read_at(fd, _LINE_BYTES, 0)
                found = _LINE.fullmatch(before)
                numbers = [int(number) for number in found.groups()] if found else [0, 0, 0]
                yield numbers
                volume, time, count = numbers
                write_at(fd, b"filed 1 volume %010d session %010d %010d\n" % (volume, time, count), 0)
                os.fsync(fd)
                if not before:
                    sync_directory(self._path.parent)
            finally:
                os.close(fd)
        except OSError as error:
            raise explain("the numbers of Volumes cannot be kept", self._path, error) from error
