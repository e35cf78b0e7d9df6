"""A backup for a Director: its Storage Daemon keeps the data, the Director has the catalog; only the agents' states are sealed here.

On error or cancel the connection is cut: the Storage Daemon sees that the session has no end.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from filed.agents import Kind
from filed.catalog import Catalog, JobMedia, Level, RecordFeed, Seal, SealedState
from filed.job.agents.base_states import BaseStates, Basis
from filed.job.agents.states_file import open_states
from filed.job.context import JobContext
from filed.job.decode.known_digests import KnownDigests
from filed.job.description import NetworkBackup
from filed.job.encode.options_plan import digests_of
from filed.job.ends.storage_daemon import count_lines, reach, session_of
from filed.job.select.director_level import selection_by_director
from filed.job.select.selection import Selection
from filed.pipeline import PkiKeys
from filed.process.outcome import Outcome
from filed.storage import AppendSession, FileId
from filed.storage.daemon.append import DaemonAppendSession
from filed.transport import Connection

CANCELED_S: Final = 0.5
"""How long to wait for a Storage Daemon that the Director cancels as well: some milliseconds, unless it is stalled."""


@contextmanager
def director_backup(job: NetworkBackup, context: JobContext) -> Iterator[DirectorBackup]:
    with open_states(context.messages, job.who.work) as catalog:
        yield DirectorBackup(job, catalog, context)


class DirectorBackup:
    """A BackupEnd: one Job of a Director, and the Storage Daemon that the Director named."""

    expected_bytes = 0
    feed: RecordFeed | None = None

    def __init__(self, job: NetworkBackup, catalog: Catalog, context: JobContext) -> None:
        self._job, self._catalog, self._context = job, catalog, context
        self._connection: Connection | None = None
        self._fileset_digest = job.fileset.digest()
        self.job_id = job.who.job_id
        self.scratch = job.who.work
        self.sent_before = job.changes.sent
        self.neighbours = 0
        base_job = None if job.level is Level.FULL else job.changes.base_job
        self.basis = Basis(
            Kind.BACKUP,
            job.who.job,
            job.level,
            job.changes.since,
            accurate=job.changes.accurate is not None,
            states=BaseStates(catalog, base_job, self._fileset_digest, job.who.director),
        )

    def lost(self) -> str:
        return ""  # the Director has the catalog

    def selection(self, stack: ExitStack) -> Selection:
        return selection_by_director(self._job.changes, self._job.who.work, stack)

    def open(self, keys: PkiKeys | None, stack: ExitStack) -> AppendSession:
        job, cancellation = self._job, self._context.cancellation
        connection = self._connection = reach(self._context, job.storage, job.who)
        session = DaemonAppendSession(connection, session_of(job.who))
        stack.callback(lambda: session.abandon(CANCELED_S if cancellation.by_director else 0.0))
        KnownDigests(job.who.work).remember(session_of(job.who), digests_of(job.fileset, keys))
        self.neighbours = int(connection.on_this_machine)
        return session

    def own_files(self) -> frozenset[FileId]:
        """None: the Storage Daemon has them."""
        return frozenset()

    def facts(self) -> None:
        """The Director knows them."""

    def commit(self, media: list[JobMedia], states: Sequence[SealedState]) -> Outcome:  # noqa: ARG002  the Director has them
        counters, who = self._context.counters, self._job.who
        assert self._connection is not None
        count_lines(counters, self._connection)
        if states:
            now = int(time.time())
            seal = Seal(who.director, who.job, who.name, self._job.level, self._fileset_digest, now)
            self._catalog.seal(seal, states)
        return self._context.ended(counters.totals.when_saved)
