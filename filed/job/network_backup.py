"""A backup for a Director, told in order: as `backup.py`, but the Storage Daemon keeps the data, and the Director the catalog.

The Storage Daemon confirms everything -> the agents' states are sealed here, under the Director's name for the Job -> each agent may
commit -> the Job ends. On error or cancel the connection is cut, nothing is sealed, nothing committed.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial
from typing import Final

from filed.agents import Begin, BeginFlag, Kind
from filed.catalog import Catalog, Level, Seal, state_object
from filed.fileset import agent_text, expanded
from filed.job.agents import lines
from filed.job.agents.instance import Instance, begin, states_to_seal
from filed.job.agents.libraries import Libraries
from filed.job.agents.sealed import Found, Sealed
from filed.job.agents.states import open_states
from filed.job.backup import AGENT_LEVELS, commit_instance, list_instance
from filed.job.context import JobContext
from filed.job.decode.known_digests import KnownDigests
from filed.job.description import NetworkBackup
from filed.job.encode.options_plan import OptionsPlans, digests_of
from filed.job.encode.page_encoder import Sending
from filed.job.encode.sink import JobSink
from filed.job.keys import load_keys
from filed.job.select.hard_links import HardLinks
from filed.job.select.selection import selection_of
from filed.job.storage_daemon import count_lines, reach, session_of
from filed.pipeline import RecordQueue, Workers
from filed.process.outcome import JobStatus, Outcome
from filed.storage import JobTotals as SessionTotals
from filed.storage.daemon.append import DaemonAppendSession

CANCELED_S: Final = 0.5
"""How long to wait for a Storage Daemon that the Director cancels as well: some milliseconds, unless it is stalled."""


def network_backup(job: NetworkBackup, context: JobContext) -> Outcome:
    """Save to the Storage Daemon. Raises FiledError when the Job failed."""
    context.parent.started(job.who.job_id, job.level.name.capitalize())
    with open_states(context.messages, job.who.work) as catalog:
        try:
            _save(job, context, catalog)
        except BaseException as error:
            if context.parent.committed is None:
                raise
            context.messages.error(f"{error}; the data saved is good")  # an agent in its last calls
    return context.ended(JobStatus.WARNINGS if context.counters.totals.errors else JobStatus.OK)


def _save(job: NetworkBackup, context: JobContext, catalog: Catalog) -> None:
    """From the first entry to the last commit."""
    keys = load_keys(job.keys)
    digest = job.fileset.digest()
    sealed = Sealed(catalog, None if job.level is Level.FULL else job.changes.base_job, digest, job.who.director)
    with ExitStack() as stack:
        instances = lines.instances(
            Libraries(job.agents, context.messages, context.cancellation, context.status_page),
            expanded(job.fileset, context.cancellation.pipe, context.messages.warning),
            context.messages,
            stack,
        )
        selection = selection_of(job.changes, job.who.work, stack)
        connection = reach(context, job.storage, job.who)
        written = DaemonAppendSession(connection, session_of(job.who))
        stack.callback(lambda: written.abandon(CANCELED_S if context.cancellation.by_director else 0.0))
        KnownDigests(job.who.work).remember(session_of(job.who), digests_of(job.fileset, keys))
        workers = stack.enter_context(Workers(neighbours=int(connection.on_this_machine)))
        links = stack.enter_context(HardLinks(job.who.work))
        sink = JobSink(written, context.counters, context.cancellation)
        queue = RecordQueue(sink.write, write_all=sink.write_all)
        stack.callback(queue.discard)
        context.counters.files(job.changes.sent)
        sending = Sending(
            queue,
            OptionsPlans(keys, workers, queue),
            selection,
            links,
            messages=context.messages,
            counters=context.counters,
            cancellation=context.cancellation,
            sent_before=job.changes.sent,
        )
        sink.on_digest = sending.digest_went_out
        for instance in instances:
            found = sealed.find(instance.agent.descriptor.id, instance.line)
            sealed.confirm(instance.agent, instance.line, found)
            why = _begin(instance, job, sealed, found)
            stack.enter_context(begin(instance, why, context.messages, context.cancellation))
            list_instance(context, instance, why, sending, stack)
        sending.deletions()
        sending.take_over()
        states = states_to_seal(instances, context.messages)
        for state in states:
            sending.object(partial(state_object, state=state))
        queue.flush()
        context.counters.show()
        context.cancellation.check()
        totals = context.counters.totals
        written.finish(SessionTotals(totals.files + totals.deleted, totals.job_bytes, totals.errors))
        count_lines(context.counters, connection)
        if states:
            who = job.who
            catalog.seal(Seal(who.director, who.job, who.name, job.level, digest, int(time.time())), states)
        context.parent.commit(context.ended(JobStatus.WARNINGS if totals.errors else JobStatus.OK))
        for instance in instances:
            commit_instance(context, instance)


def _begin(instance: Instance, job: NetworkBackup, sealed: Sealed, found: Found) -> Begin:
    return Begin(
        kind=Kind.BACKUP,
        level=AGENT_LEVELS[job.level],
        state_why=found.why,
        flags=BeginFlag.ACCURATE if job.changes.accurate is not None else 0,
        since=(job.changes.since, 0),
        job=job.who.job,
        base_job=sealed.base_job,
        state=found.blob,
        state_format=found.format,
        fileset=agent_text(instance.fileset),
    )
