"""What a backup wants of its far end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from filed.catalog import JobMedia, RecordFeed, SealedState
from filed.job.agents.base_states import Basis
from filed.job.select.selection import Selection
from filed.pipeline import PkiKeys
from filed.process.outcome import Outcome
from filed.storage import AppendSession, FileId
from filed.wire.restore_object import RestoreObject


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

    def lost(self) -> str:
        """The name of a file of ours, open to the Job's end, whose descriptor was closed by an agent; "" while all are as they were."""

    def selection(self, stack: ExitStack) -> Selection:
        """What is sent, compared with what the base has."""

    def open(self, keys: PkiKeys | None, stack: ExitStack) -> AppendSession:
        """Begin to write. What was written is abandoned with `stack`, unless it was finished."""

    def own_files(self) -> frozenset[FileId]:
        """Device and inode of the files that the Job itself writes: they are not saved."""

    def facts(self) -> Callable[[int], RestoreObject] | None:
        """What is stored of the Job itself, behind its last entry."""

    def commit(self, media: list[JobMedia], states: Sequence[SealedState]) -> Outcome:
        """All is stored: make the Job good, and seal the agents' states with it, in one durable transaction."""
