"""A backup into a directory of Volumes: its own catalog knows the Jobs before, and makes this one good."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

from filed.agents import Kind
from filed.catalog import Catalog, JobFacts, JobMedia, JobTotals, Level, NewJob, RecordFeed, SealedState, facts_object
from filed.catalog import Job as JobRow
from filed.errors import FiledError, JobCanceled
from filed.fileset import as_text
from filed.job.agents.base_states import BaseStates, Basis
from filed.job.context import JobContext, Messages
from filed.job.description import BackupJob
from filed.job.select.level import Base, choose_base, selection_upon
from filed.job.select.selection import Selection
from filed.pipeline import PkiKeys
from filed.process.outcome import JobStatus, Outcome
from filed.storage import AppendSession, JobIdentity, Repository, VolumeDirectory
from filed.volume import Session
from filed.wire.restore_object import RestoreObject


@contextmanager
def volumes_backup(job: BackupJob, context: JobContext) -> Iterator[VolumesBackup]:
    """Open directory and catalog, after taking back what dead Jobs have left; begin the Job. A failure is noted in the catalog."""
    volumes: Repository = VolumeDirectory.open(job.places.volumes, create=True)
    volumes.remove_stale()
    # Where there are Volumes there was a catalog: a new one would hide what they hold, and give out its numbers again.
    with Catalog.open(job.places.catalog, create=not volumes.volumes()) as catalog:
        for dead in catalog.reconcile(time.time()):
            context.messages.info(
                f"previous Job {dead.job} (JobId {dead.job_id}) ended without a status (its process is gone); marked failed"
            )
        volumes.take_back(catalog.dead_sessions(), context.messages.info)
        base = choose_base(catalog, volumes, job, context.messages, time.time())
        row = catalog.begin_job(_new_job(job, base), time.time())
        _look_at_the_clock(catalog, context.messages, row)
        try:
            yield VolumesBackup(job, volumes, catalog, base, row, context)
        except BaseException as error:
            if context.parent.committed is None and not catalog.lost:  # else the next command marks the Job as failed
                _failed(context, catalog, row, error)
            raise


class VolumesBackup:
    """A BackupEnd: one Job of a catalog, and the Volumes that it is written to."""

    sent_before = 0
    neighbours = 0

    def __init__(  # noqa: PLR0917  each is one of the parts that meet here
        self,
        job: BackupJob,
        volumes: Repository,
        catalog: Catalog,
        base: Base,
        row: JobRow,
        context: JobContext,
    ) -> None:
        self._job, self._volumes, self._catalog, self._base = job, volumes, catalog, base
        self._row, self._context = row, context
        self.job_id: int = row.job_id
        self.own_files = volumes.own_files()
        self.expected_bytes = base.expected_bytes
        self.scratch = job.places.scratch
        self.feed: RecordFeed | None = catalog.feed(row.job_id)
        states = BaseStates(catalog, base.base.job if base.base is not None else None, row.fileset_digest)
        self.basis = Basis(Kind.BACKUP, row.job, base.level, base.since, accurate=True, states=states)

    def lost(self) -> str:
        return self._catalog.path.name if self._catalog.lost else ""

    def selection(self, stack: ExitStack) -> Selection:
        return selection_upon(self._catalog, self._base, self._job, stack)

    def open(self, keys: PkiKeys | None, stack: ExitStack) -> AppendSession:  # noqa: ARG002  the Protocol's signature
        row = self._row
        session = self._volumes.append_session(
            JobIdentity(row.job_id, row.job, row.name, row.client, row.fileset_name, level=row.level),
            self._job.max_volume_bytes,
            session=Session(row.vol_session_id, row.vol_session_time),
            begin_volume=self._base.level is Level.FULL,  # so that its Volumes go when it is pruned
            finished=partial(_finished, self._catalog),
            report=self._context.messages.info,
        )
        stack.callback(session.abandon)  # does nothing once it is finished
        return session

    def facts(self) -> Callable[[int], RestoreObject]:
        row, read_bytes = self._row, self._context.counters.totals.read_bytes
        base_job = self.basis.states.base_job
        facts = JobFacts(
            row.start_time, row.since, base_job, row.fileset_text, read_bytes, row.fileset_digest, row.encrypted
        )
        return partial(facts_object, facts=facts)

    def commit(self, media: list[JobMedia], states: Sequence[SealedState]) -> Outcome:
        counters = self._context.counters
        counters.stored(sum(part.end + 1 - part.start for part in media))
        totals = counters.totals
        if twice := totals.files - self._catalog.count_names(self.job_id):
            self._context.messages.warning(
                f"{twice:,} entries have a name that another entry of this backup has: a restore has the last of each name"
            )
        status = totals.when_saved
        counted = JobTotals(totals.files, totals.job_bytes, totals.read_bytes, totals.errors, totals.deleted)
        self._catalog.finish_job(self.job_id, status, time.time(), counted, media, states=states)
        return self._context.ended(status, volumes=tuple(dict.fromkeys(part.volume for part in media)))


def _look_at_the_clock(catalog: Catalog, messages: Messages, row: JobRow) -> None:
    """Say so when an earlier Job began later, by the clock. Nothing depends on it: Jobs count in their order."""
    ahead = [job for job in catalog.jobs() if job.job_id < row.job_id and job.start_time > row.start_time]
    if ahead:
        messages.info(
            f"the clock was set back, or was ahead before: JobId {ahead[-1].job_id} began at a later time than now."
            " Jobs count in the order of their JobIds"
        )


def _new_job(job: BackupJob, base: Base) -> NewJob:
    return NewJob(
        name=job.name,
        client=job.client,
        level=base.level,
        fileset_digest=job.fileset.digest(),
        fileset_name=job.fileset.name,
        fileset_text=as_text(job.fileset.with_listed()),
        since=base.since,
        base=base.base.job_id if base.base is not None else None,
        encrypted=job.encrypts,
    )


def _failed(context: JobContext, catalog: Catalog, row: JobRow, error: BaseException) -> None:
    """Leave the reason in the catalog. A cancel may be our parent's answer to an agent that hung; then that is the reason."""
    status = JobStatus.FATAL
    words = str(error) if isinstance(error, FiledError) else f"internal error: {error!r}"
    if isinstance(error, JobCanceled):
        status = JobStatus.FATAL if context.cancellation.reason else JobStatus.CANCELED
        words = context.cancellation.reason or words
    elif isinstance(error, FiledError) and context.cancellation.asked:
        status = JobStatus.CANCELED
    catalog.fail_job(row.job_id, time.time(), words, status)


def _finished(catalog: Catalog, session: Session) -> bool:
    """Whether the catalog knows the session as a good Job: then its blocks stay, with or without an end label."""
    found = (job for job in catalog.jobs() if (job.vol_session_id, job.vol_session_time) == session)
    return any(job.good for job in found)
