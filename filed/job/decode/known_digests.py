"""Which digests the Jobs use that were saved from here: known before the first file of a restore, not behind it.

A file of some hundred KiB in the working directory, a slot for each Job, found by its session:

    VolSessionId VolSessionTime digests crc32         `%010d %010d %016x %08x\\n`; bit n of digests: stream n

A newer Job of the same slot takes it over. It is worth nothing but the processor time that it saves: a slot that is damaged, or
lost, costs the calculation of all kinds for one file. One that is wrong (two Storage Daemons may give the same session) leaves
files unchecked until a record shows their digest, which is reported, and is forgotten then.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Final
from zlib import crc32

from filed.pipeline import Decoder, Digest, DigestsInUse
from filed.process.system import open_file, read_at, write_at
from filed.volume import Session

FILE_NAME: Final = "filed-digests"
SLOTS: Final = 4096
SESSIONS: Final = 1024  # that one restore remembers the digests of
_SLOT_BYTES: Final = 48
_SLOT: Final = re.compile(rb"(\d{10} \d{10} ([\da-f]{16})) ([\da-f]{8})\n")


class KnownDigests:
    """Those of the Jobs of one working directory. Never raises; safe against other processes: a slot is written at once."""

    def __init__(self, work: Path) -> None:
        self._path = work / FILE_NAME

    def remember(self, session: Session, digests: Collection[Digest]) -> None:
        text = b"%010d %010d %016x" % (*session, sum(1 << digest.stream for digest in digests))
        self._write(session, b"%b %08x\n" % (text, crc32(text)))

    def forget(self, session: Session) -> None:
        if self.of(session) is not None:
            self._write(session, bytes(_SLOT_BYTES))

    def of(self, session: Session) -> frozenset[Digest] | None:
        """None when nothing is known."""
        try:
            fd = open_file(self._path)
        except OSError:
            return None
        try:
            found = _SLOT.fullmatch(read_at(fd, _SLOT_BYTES, _at(session)))
        except OSError:
            return None
        finally:
            os.close(fd)
        if found is None or int(found[3], 16) != crc32(found[1]) or not found[1].startswith(b"%010d %010d " % session):
            return None
        streams = int(found[2], 16)
        return frozenset(digest for digest in Digest if streams >> digest.stream & 1)

    def _write(self, session: Session, slot: bytes) -> None:
        with contextlib.suppress(OSError):  # a full disk, say: the Job has other troubles
            fd = open_file(self._path, os.O_WRONLY | os.O_CREAT)
            try:
                write_at(fd, slot, _at(session))
            finally:
                os.close(fd)


def _at(session: Session) -> int:
    return (session.vol_session_id + session.vol_session_time) % SLOTS * _SLOT_BYTES


class DigestsOfJobs:
    """Tells a decoder which Job's records come: each has its own digests. At its close, what was known wrong is forgotten."""

    def __init__(self, work: Path) -> None:
        self._known = KnownDigests(work)
        self._in_use: dict[Session, DigestsInUse] = {}

    def begin(self, session: Session, decoder: Decoder) -> None:
        """Records of this session follow, for the first time or again."""
        found = self._in_use.get(session)
        if found is None:
            if len(self._in_use) >= SESSIONS:
                self.close()
            found = self._in_use[session] = DigestsInUse(self._known.of(session))
        decoder.digests = found

    def close(self) -> None:
        for session, digests in self._in_use.items():
            if digests.known_wrong:
                self._known.forget(session)
        self._in_use.clear()
