"""A backup, told in order.

The end is the part that matters: the last record is written -> the Volumes are on the disk -> one durable transaction makes the Job
good and seals the agents' states -> each agent may commit what cannot be undone -> the Job ends. On error or cancel nothing is
sealed, nothing committed, and the Volumes are cut back to where the Job began.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from functools import partial

from filed.agents import Begin, BeginFlag, Kind
from filed.agents import Level as AgentLevel
from filed.agents import Outcome as AgentOutcome
from filed.catalog import Catalog, JobFacts, JobTotals, Level, NewJob, SealedState, facts_object, state_object
from filed.catalog import Job as JobRow
from filed.errors import AgentError, FiledError, ItemError, JobCanceled
from filed.fileset import agent_text, as_text, expanded
from filed.job.agents import lines
from filed.job.agents.instance import Instance, begin, begin_again, states_to_seal
from filed.job.agents.libraries import Libraries
from filed.job.agents.sealed import Found, Sealed
from filed.job.context import JobContext
from filed.job.description import BackupJob
from filed.job.encode.options_plan import OptionsPlans
from filed.job.encode.page_encoder import Sending
from filed.job.encode.sink import JobSink
from filed.job.keys import load_keys
from filed.job.select.changed_since import ChangedSince, Everything, Selection, has_fine_ctime
from filed.job.select.chosen import Lister
from filed.job.select.hard_links import HardLinks
from filed.job.select.level import Base, choose_base
from filed.pipeline import RecordQueue, Workers
from filed.process.outcome import JobStatus, Outcome
from filed.storage import AppendSession, JobIdentity, VolumeDirectory
from filed.storage import JobTotals as SessionTotals
from filed.volume import Session

AGENT_LEVELS = {
    Level.FULL: AgentLevel.FULL,
    Level.DIFFERENTIAL: AgentLevel.DIFFERENTIAL,
    Level.INCREMENTAL: AgentLevel.INCREMENTAL,
}


def backup(job: BackupJob, context: JobContext) -> Outcome:
    """Save into `job.directory`. Raises FiledError when the Job failed, after leaving Volumes and catalog sound."""
    directory = VolumeDirectory.open(job.directory, create=True)
    directory.remove_stale()
    # Where there are Volumes there was a catalog: a new one would hide what they hold, and give out its numbers again.
    with Catalog.open(job.directory, create=not directory.volumes()) as catalog:
        for dead in catalog.reconcile(time.time()):
            context.messages.info(
                f"Job {dead.job} (JobId {dead.job_id}) had died without a word; it is marked as failed"
            )
        directory.take_back(catalog.dead_sessions().__contains__, context.messages.info)
        base = choose_base(catalog, job, context.messages)
        row = catalog.begin_job(_new_job(job, base), time.time())
        context.parent.started(row.job_id, base.level.name.capitalize())
        context.counters.expected_bytes = base.expected_bytes
        try:
            _save(job, context, directory, catalog, base, row)
        except BaseException as error:
            if context.parent.committed is None:
                _failed(context, catalog, row, error)
                raise
            context.messages.error(f"{error}; the data saved is good")  # an agent in its last calls
    assert context.parent.committed is not None
    status = JobStatus.WARNINGS if context.counters.totals.errors else JobStatus.OK
    return context.ended(status, volumes=context.parent.committed.volumes)


def _failed(context: JobContext, catalog: Catalog, row: JobRow, error: BaseException) -> None:
    """Leave the reason in the catalog. A cancel may be our parent's answer to an agent that hung; then that is the reason."""
    status = JobStatus.FATAL
    words = str(error) if isinstance(error, FiledError) else f"internal error: {error!r}"
    if isinstance(error, JobCanceled):
        status = JobStatus.FATAL if context.cancellation.reason else JobStatus.CANCELED
        words = context.cancellation.reason or words
    catalog.fail_job(row.job_id, time.time(), words, status)


def _save(  # noqa: PLR0917  each is one of the parts that meet here
    job: BackupJob, context: JobContext, directory: VolumeDirectory, catalog: Catalog, base: Base, row: JobRow
) -> None:
    """From the first entry to the last commit."""
    keys = load_keys(job.keys)
    sealed = Sealed(catalog, base.base.job if base.base is not None else None, row.fileset_digest)
    with ExitStack() as stack:
        instances = lines.instances(
            Libraries(job.agents, context.messages, context.cancellation, context.status_page),
            expanded(job.fileset, context.cancellation.pipe, context.messages.warning),
            context.messages,
            stack,
        )
        identity = JobIdentity(row.job_id, row.job, row.name, row.client, row.fileset_name, level=row.level)
        written = directory.append_session(
            identity,
            job.max_volume_bytes,
            session=Session(row.vol_session_id, row.vol_session_time),
            finished=partial(_finished, catalog),
            report=context.messages.info,
        )
        stack.callback(written.abandon)  # does nothing once it is finished
        workers = stack.enter_context(Workers())
        links = stack.enter_context(HardLinks(job.directory))
        feed = catalog.feed(row.job_id)
        sink = JobSink(written, context.counters, context.cancellation, feed)
        queue = RecordQueue(sink.write, write_all=sink.write_all)
        stack.callback(queue.discard)
        selection = _selection(catalog, base, job, stack)
        sending = Sending(
            queue,
            OptionsPlans(keys, workers, queue),
            selection,
            links,
            messages=context.messages,
            counters=context.counters,
            cancellation=context.cancellation,
        )
        sink.on_digest = sending.digest_went_out
        sending.on_incomplete = feed.incomplete
        for instance in instances:
            found = sealed.find(instance.agent.descriptor.id, instance.line)
            sealed.confirm(instance.agent, instance.line, found)
            why = _begin(instance, base, row, sealed, found)
            stack.enter_context(begin(instance, why, context.messages, context.cancellation))
            list_instance(context, instance, why, sending, stack)
        sending.deletions()
        states = states_to_seal(instances, context.messages)
        for state in states:
            sending.object(partial(state_object, state=state))
        facts = JobFacts(
            row.start_time,
            row.since,
            sealed.base_job,
            row.fileset_text,
            context.counters.totals.read_bytes,
            row.fileset_digest,
        )
        sending.object(partial(facts_object, facts=facts))
        queue.flush()
        feed.flush()
        context.counters.show()
        context.cancellation.check()
        _make_good(context, catalog, row, written, states)
        for instance in instances:
            commit_instance(context, instance)


def list_instance(context: JobContext, instance: Instance, why: Begin, sending: Sending, stack: ExitStack) -> None:
    """Send what one instance lists. It may say even now that its base is of no use, as long as nothing was sent."""
    assert instance.job is not None
    sent = sending.sent
    lister = Lister(instance.job, instance.matcher, instance.command, instance.prefixes)
    try:
        sending.instance(lister)
    except AgentError as error:
        if error.call != "next_entries" or sending.sent != sent:
            raise
        job = stack.enter_context(begin_again(instance, why, error, context.messages, context.cancellation))
        lister = Lister(job, instance.matcher, instance.command, instance.prefixes)
        sending.instance(lister)
    instance.unsaved = lister.unsaved


def _finished(catalog: Catalog, session: Session) -> bool:
    """Whether the catalog knows the session as a good Job: then its blocks stay, with or without an end label."""
    found = (job for job in catalog.jobs() if (job.vol_session_id, job.vol_session_time) == session)
    return any(job.good for job in found)


def _new_job(job: BackupJob, base: Base) -> NewJob:
    return NewJob(
        name=job.name,
        client=job.client,
        level=base.level,
        fileset_digest=job.fileset.digest(),
        fileset_name=job.fileset.name,
        fileset_text=as_text(job.fileset),
        since=base.base.start_time if base.base is not None else 0,
        base=base.base.job_id if base.base is not None else None,
    )


def _selection(catalog: Catalog, base: Base, job: BackupJob, stack: ExitStack) -> Selection:
    if base.base is None:
        return Everything()
    digested = any(options.signature for include in job.fileset.includes for options in include.options)
    rows = stack.enter_context(catalog.base_list(base.base.job_id))
    fine = has_fine_ctime(os.uname().release)
    return ChangedSince(rows, base.base.start_time, digested=digested, fine_ctime=fine)


def _begin(instance: Instance, base: Base, row: JobRow, sealed: Sealed, found: Found) -> Begin:
    return Begin(
        kind=Kind.BACKUP,
        level=AGENT_LEVELS[base.level],
        state_why=found.why,
        flags=BeginFlag.ACCURATE,
        since=(base.base.start_time, 0) if base.base is not None else (0, 0),
        job=row.job,
        base_job=sealed.base_job,
        state=found.blob,
        state_format=found.format,
        fileset=agent_text(instance.fileset),
    )


def _make_good(
    context: JobContext,
    catalog: Catalog,
    row: JobRow,
    written: AppendSession,
    states: list[SealedState],
) -> None:
    """Volumes on the disk, then the one transaction that makes the Job good."""
    totals = context.counters.totals
    status = JobStatus.WARNINGS if totals.errors else JobStatus.OK
    media = written.finish(SessionTotals(totals.files + totals.deleted, totals.job_bytes, totals.errors, status))
    context.counters.stored(sum(part.end + 1 - part.start for part in media))
    counted = JobTotals(totals.files, totals.job_bytes, totals.read_bytes, totals.errors, totals.deleted)
    catalog.finish_job(row.job_id, status, time.time(), counted, media, states=states)
    context.parent.commit(context.ended(status, volumes=tuple(dict.fromkeys(part.volume for part in media))))


def commit_instance(context: JobContext, instance: Instance) -> None:
    """The point of no return of one agent. Its error is told and counted; the data is good."""
    assert instance.job is not None
    try:
        instance.job.commit()
    except (AgentError, ItemError) as error:
        context.messages.error(f"{error}; the data saved is good")
    try:
        instance.job.end(AgentOutcome.DONE)
    except AgentError as error:
        context.messages.error(f"{error}; the data saved is good")
