"""The far end of a Job's records, as the Job sees it: a Storage Daemon's session or a directory of Volumes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from filed.catalog import JobMedia
from filed.volume import Buffer, FileIndexes, OnDamage, RangeReader, Record, Run, Session, SessionLabel

FileId = tuple[int, int]
"""st_dev and st_ino."""


@dataclass(frozen=True, slots=True)
class JobIdentity:
    """Who writes; goes into the session labels."""

    job_id: int
    job: str  # the unique name: Name.2026-11-23_10.25.18_03
    name: str
    client: str
    file_set: str
    level: str = "F"  # one letter
    type: str = "B"  # one letter
    file_set_digest: str = ""


@dataclass(frozen=True, slots=True)
class JobTotals:
    """How it went; goes into the end-of-session label, and from there into a rebuilt catalog."""

    files: int
    bytes: int
    errors: int = 0
    status: str = "T"  # one letter: T, W, E, f, A


@dataclass(frozen=True, slots=True)
class ScannedSession:
    """One Job's run as the Volumes tell it."""

    session: Session
    label: SessionLabel | None  # None: the Volume with its start is missing
    ended: SessionLabel | None  # with `end`; None: the Job died, or its last Volume is missing
    media: tuple[JobMedia, ...]  # in the order in which they were written

    @property
    def is_complete(self) -> bool:
        return self.label is not None and self.ended is not None


class AppendSession(Protocol):
    """One Job's records on their way out. One thread uses it. After a VolumeError only `abandon` is left."""

    @property
    def session(self) -> Session: ...

    def write(self, file_index: int, stream: int, data: Buffer) -> None:
        """One record of less than 20,000,000 bytes; `data` is free again on return. FileIndexes do not fall."""

    def write_all(self, file_index: int, records: Sequence[tuple[int, Buffer]]) -> None:
        """The same for records (stream, data) of one file that are there together, in their order."""

    def finish(self, totals: JobTotals) -> list[JobMedia]:
        """End the session. On return everything is on stable storage, in Volume order. Once; then nothing more."""

    def abandon(self) -> None:
        """Take back what was written, as far as possible. Never raises; nothing happens after `finish`."""


class ReadSession(Protocol):
    """Records of Jobs on their way back. One thread uses it, but for `interrupt`."""

    def records(self) -> Iterator[Record]:
        """All records in the order of writing, without labels. To be taken once."""

    def runs(self) -> Iterator[Record | Run]:
        """The same, many of them together where that can be. To be taken once, instead of `records`."""

    def finish(self) -> None:
        """All records were taken. Raises VolumeError when the far end says that something went wrong."""

    def interrupt(self) -> None:
        """From another thread: `records`, if it waits for the far end, raises. Never raises itself."""

    def abandon(self) -> None:
        """No more is read. Never raises; nothing happens after `finish`."""


class Repository(Protocol):
    """Volumes of ours, wherever they lie. Many processes append to and read from them at once. Each call raises VolumeError."""

    def volumes(self) -> list[str]:
        """The names of all Volumes, in order."""

    def volume(self, name: str) -> RangeReader:
        """A Volume, to be read by who closes it."""

    def size_of(self, name: str) -> int | None:
        """How long that Volume is; None when it is not there."""

    def own_files(self) -> Callable[[], frozenset[FileId]]:
        """Which files of this machine are the Repository's own now: a backup into it does not save them."""

    def append_session(
        self,
        job: JobIdentity,
        max_volume_bytes: int = 0,
        *,
        session: Session | None = None,
        begin_volume: bool = False,
        finished: Callable[[Session], bool] | None = None,
        report: Callable[[str], None] = ...,
    ) -> AppendSession:
        """Begin a Job's session where there is room. See `VolumeDirectory.append_session` for the arguments."""

    def read(
        self,
        media: Iterable[JobMedia],
        session: Session,
        selection: FileIndexes | None = None,
        *,
        on_damage: OnDamage | None = None,
    ) -> ReadSession:
        """The records of a Job. See `VolumeDirectory.read` for the arguments."""

    def scan(self, on_damage: OnDamage | None = None) -> list[ScannedSession]:
        """Every session in every Volume, oldest first, dead ones (without end) too."""

    def remove_stale(self) -> None:
        """Remove private files of processes that were killed."""

    def take_back(self, dead: Collection[tuple[int, int]], report: Callable[[str], None] = ...) -> None:
        """Remove what Jobs that were killed have left. dead: the sessions that ended without being good."""

    def remove_volume(self, name: str) -> None:
        """Delete a Volume that no Job needs any more."""
