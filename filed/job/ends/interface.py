"""What the stories of a Job want of its far end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from filed.catalog import JobMedia, RecordFeed, SealedState
from filed.fileset import FileSet, Options
from filed.job.agents.base_states import Basis
from filed.job.decode.batches import Gathering
from filed.job.decode.receive import Receiving
from filed.job.select.selection import Selection
from filed.pipeline import Decoder, PkiKeys
from filed.process.outcome import JobStatus, Outcome
from filed.storage import AppendSession, ReadSession
from filed.volume import Record, Session
from filed.wire.restore_object import RestoreObject
from filed.wire.stream import Buffer


class BackupEnd(Protocol):
    """Where a backup goes, and what is known there of the Jobs before.

    sent_before: entries that an earlier run of the Job sent.  feed: our own catalog's; None where the Director has the catalog.
    neighbours: processes that work for the Job on this machine, once the session is open.
    """

    job_id: int
    basis: Basis
    expected_bytes: int
    scratch: Path
    sent_before: int
    feed: RecordFeed | None
    neighbours: int

    def selection(self, stack: ExitStack) -> Selection:
        """What is sent, compared with what the base has."""

    def open(self, keys: PkiKeys | None, stack: ExitStack) -> AppendSession:
        """Begin to write. What was written is abandoned with `stack`, unless it was finished."""

    def facts(self) -> Callable[[int], RestoreObject] | None:
        """What is stored of the Job itself, behind its last entry."""

    def commit(self, media: list[JobMedia], states: Sequence[SealedState]) -> Outcome:
        """All is stored: make the Job good, and seal the agents' states with it, in one durable transaction."""


class RestoreEnd(Protocol):
    """Where a restore's records come from."""

    job_id: int

    def rounds(self, receiving: Receiving) -> Iterator[tuple[ReadSession, Gathering]]:
        """Each read session, once `receiving` knows whose records they are. It is read to its end before the next is asked for."""

    def begin_session(self, session: Session, decoder: Decoder) -> None:
        """Records of this Job follow."""

    def mark_restored(self, agent: str) -> None:
        """This agent is about to restore: what its states refer to is another past from now on, even if this Job fails."""

    def finish(self) -> None:
        """All agents have committed."""


class DiskCheck(Protocol):
    """Takes what a walk of the disk finds. on_digest: to be called with each digest record."""

    on_digest: Callable[[int, int, bytes], None]

    def entry(self, file_index: int, options: Options) -> None:
        """The next attributes record will have this FileIndex."""

    def write(self, file_index: int, stream: int, data: Buffer) -> None:
        """One record."""

    def close(self, failures: list[bytes]) -> None:
        """The walk has ended. failures: paths that could not be looked at, with all below them."""


class RecordsCheck(Protocol):
    """Takes the records of Volumes."""

    def record(self, record: Record) -> None: ...

    def close(self) -> None:
        """All records have come."""


@dataclass(frozen=True, slots=True)
class Disk:
    """What is walked. job: the unique name that agents are told.  scratch: for tables; None: where temporary files lie."""

    fileset: FileSet
    job: str
    check: DiskCheck
    scratch: Path | None


class VerifyEnd(Protocol):
    """What is verified. errors_are: how a verify ends that could not look at everything."""

    job_id: int
    errors_are: JobStatus

    @property
    def found(self) -> int:
        """How much differs."""

    def disk(self, stack: ExitStack) -> Disk | None:
        """None: its Volumes are verified."""

    def volumes(
        self, new_decoder: Callable[[], Decoder], stack: ExitStack
    ) -> Iterator[tuple[ReadSession, RecordsCheck]]:
        """Each read session of the Volumes, and what checks its records."""
