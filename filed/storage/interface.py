"""The far end of a Job's records, as the Job sees it: a Storage Daemon's session or a directory of Volumes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from filed.catalog import JobMedia
from filed.volume import Buffer, Record, Session


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

    def finish(self) -> None:
        """All records were taken. Raises VolumeError when the far end says that something went wrong."""

    def interrupt(self) -> None:
        """From another thread: `records`, if it waits for the far end, raises. Never raises itself."""

    def abandon(self) -> None:
        """No more is read. Never raises; nothing happens after `finish`."""
