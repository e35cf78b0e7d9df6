"""A restore for a Director, told in order: rounds of records from Storage Daemons, each entry through the agent that saved it.

A Director may need several rounds: the records lie on several Storage Daemons, or in an order in which they cannot be read at once.
After each round our parent is told, and tells what comes next. Directories get their times after the last.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from filed.catalog import state_of
from filed.errors import JobError
from filed.job.agents.libraries import Libraries
from filed.job.agents.restorers import Restorers
from filed.job.agents.states import mark_restored
from filed.job.context import JobContext
from filed.job.decode.batches import gathered
from filed.job.decode.known_digests import DigestsOfJobs
from filed.job.decode.read_ahead import ReadAhead
from filed.job.decode.receive import Receiving
from filed.job.decode.renaming import Renaming, parse_regexwhere, parse_where
from filed.job.description import NetworkRestore, Replace, StorageDaemon
from filed.job.keys import keyring
from filed.job.storage_daemon import count_lines, reach, session_of
from filed.pipeline import Decoder, Workers
from filed.process.channel import Event
from filed.process.outcome import JobStatus, Outcome
from filed.storage.daemon.read import DaemonReadSession
from filed.storage.joined import joined
from filed.volume import Session

WHY_SKIPPED = {
    Replace.ALWAYS: "were left out by their agent",
    Replace.NEVER: "exist already",
    Replace.IFNEWER: "are not newer than what is there",
    Replace.IFOLDER: "are not older than what is there",
}


def network_restore(job: NetworkRestore, context: JobContext) -> Outcome:
    """Never raises for one entry: that is told, counted, and the Job ends in error."""
    names = Renaming(parse_where(job.where), parse_regexwhere(job.regexwhere), job.prelinks)
    with ExitStack() as stack:
        workers = stack.enter_context(Workers())
        decoder = Decoder(keyring(job.keys), workers)
        digests = stack.enter_context(DigestsOfJobs(decoder, job.who.work))
        restorers = stack.enter_context(
            Restorers(
                Libraries(job.agents, context.messages, context.cancellation, context.status_page),
                job,
                context.messages,
                context.cancellation,
                partial(mark_restored, context.messages, job.who),
            )
        )
        receiving = Receiving(
            decoder,
            restorers,
            job,
            messages=context.messages,
            counters=context.counters,
            status_page=context.status_page,
        )
        context.parent.started(job.who.job_id, "")
        # States that came along with a backup are for a person's eyes: what is restored is no base.
        receiving.begin(names, [item for item in job.objects if not state_of(item)])
        storage: StorageDaemon | None = job.storage
        while storage is not None:
            _round(job, context, storage, receiving, digests)
            context.counters.show()
            context.parent.send({"event": "round"})
            storage = _next(storage, context.parent.receive())
        receiving.objects()
        restorers.commit()
        for restorer in restorers:  # again: the file with the marks may have been restored itself
            mark_restored(context.messages, job.who, restorer.agent.descriptor.id)
    totals = context.counters.totals
    if totals.skipped:
        context.messages.info(
            f"skipped, since they {WHY_SKIPPED[job.replace]} (Replace = {job.replace}): {totals.skipped:,} entries"
        )
    status = JobStatus.ERROR if totals.errors else JobStatus.WARNINGS if totals.warnings else JobStatus.OK
    return context.ended(status)


def _round(
    job: NetworkRestore, context: JobContext, storage: StorageDaemon, receiving: Receiving, digests: DigestsOfJobs
) -> None:
    """All records of one read session."""
    connection = reach(context, storage, job.who)
    read = DaemonReadSession(connection, session_of(job.who))
    try:
        with ReadAhead(gathered(joined(read.records()), receiving.gathering()), read.interrupt) as batches:
            for batch in batches:
                receiving.take(batch)
                if isinstance(batch, Session):
                    digests.begin(batch)
                context.cancellation.check()
        receiving.end()
        read.finish()
        count_lines(context.counters, connection)
    finally:
        read.abandon()


def _next(storage: StorageDaemon, event: Event) -> StorageDaemon | None:
    """What the parent says after a round. Raises JobError when the Director broke off."""
    match event["event"]:
        case "again":
            return replace(storage, address=str(event["address"]), port=int(str(event["port"])), key=str(event["key"]))
        case "done":
            return None
    raise JobError("the Director broke the restore off")
