"""What an agent says it has restored, and what lies there then: whether the first files are there, and with their times.

An agent may restore to elsewhere, into the service that the entries are from. So nothing is said of one that made none of the files, nor
a directory. Content is looked at when it was written: `decode/written.py`.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable

from filed.errors import printable
from filed.wire.attributes import FileType

CHECKED = frozenset({int(FileType.REGULAR), int(FileType.DIRECTORY)})
MOST = 1000  # files that are looked at, of each instance
_COARSE_S = 1  # times of files may be a little behind the clock


class SpotCheck:
    """Of one instance in a restore that replaces what is there."""

    def __init__(self) -> None:
        self._began = time.time() - _COARSE_S
        self._restored: dict[bytes, int] = {}
        self._made_directory = False

    def note(self, dest: bytes, kind: int, mtime: int) -> None:
        """The agent says that this is whole. kind: FileType, of those in CHECKED.  mtime: 0 when it has none."""
        if kind == FileType.DIRECTORY:
            self._made_directory = self._made_directory or self._found(dest, stat.S_ISDIR) is not None
        elif len(self._restored) < MOST:
            self._restored[dest] = mtime

    def warnings(self, agent: str) -> list[str]:
        """After the last call of the instance."""
        missing: list[bytes] = []
        late: list[bytes] = []
        for dest, mtime in self._restored.items():
            found = self._found(dest, stat.S_ISREG)
            if found is None:
                missing.append(dest)
            elif mtime and int(found.st_mtime // 1) != mtime:
                late.append(dest)
        if len(missing) == len(self._restored) and not self._made_directory:
            return []
        looked_at = f"of {len(self._restored):,} files that agent {agent} says it has restored"
        told = []
        if missing:
            told.append(f"{looked_at}, {len(missing):,} are not there; the first is {printable(missing[0])}")
        if late:
            told.append(f"{looked_at}, {len(late):,} have another time; the first is {printable(late[0])}")
        return told

    def _found(self, dest: bytes, is_kind: Callable[[int], bool]) -> os.stat_result | None:
        """What this restore made or changed; None when there is no such thing."""
        try:
            status = os.lstat(dest)
        except OSError:
            return None
        return status if is_kind(status.st_mode) and status.st_ctime >= self._began else None
