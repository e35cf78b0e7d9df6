"""A backup, told in order, whatever its far end.

The end is the part that matters: the last record is written -> the far end confirms that all is stored -> one durable transaction
makes the Job good and seals the agents' states -> each agent may commit what cannot be undone -> the Job ends. On error or cancel
nothing is sealed, nothing committed, and what was stored is taken back.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from functools import partial

from filed.agents import Begin
from filed.catalog import Level, state_object
from filed.errors import AgentError, JobError
from filed.fileset import agent_text, expanded, unused
from filed.job.agents import instance as agents
from filed.job.agents.base_states import Basis
from filed.job.agents.libraries import Libraries
from filed.job.agents.lines import instances
from filed.job.agents.phases import keep_holds, prepared, release_left
from filed.job.context import JobContext
from filed.job.description import BackupJob, NetworkBackup
from filed.job.encode.content_digest import ContentDigests
from filed.job.encode.entry_encoder import EntryEncoder
from filed.job.encode.options_plan import OptionsPlans
from filed.job.encode.page_encoder import PageEncoder
from filed.job.encode.sink import JobSink
from filed.job.ends.backup_end import BackupEnd
from filed.job.keys import load_keys
from filed.job.select.entry_filter import EntryFilter
from filed.job.select.hard_links import HardLinks
from filed.job.select.listing import Listing
from filed.job.select.taken_names import TakenNames
from filed.pipeline import RecordQueue, Workers
from filed.process.outcome import JobStatus, Outcome
from filed.storage import JobTotals


def backup(job: BackupJob | NetworkBackup, context: JobContext) -> Outcome:
    """Save what the FileSet names. Raises FiledError when the Job failed, after leaving Volumes and catalog sound."""
    with _far_end(job, context) as end:
        context.parent.started(end.job_id, end.basis.level.name.capitalize())
        context.counters.expected_bytes = end.expected_bytes
        try:
            _save(job, end, context)
        except BaseException as error:
            if context.parent.committed is None:
                raise
            context.messages.error(f"{error}; the data saved is good")  # an agent in its last calls
    assert context.parent.committed is not None
    return context.ended(_good(context), volumes=context.parent.committed.volumes)


def _far_end(job: BackupJob | NetworkBackup, context: JobContext) -> AbstractContextManager[BackupEnd]:
    if isinstance(job, BackupJob):
        from filed.job.ends.volumes_backup import volumes_backup  # noqa: PLC0415  what a Job does not need costs its start

        return volumes_backup(job, context)
    from filed.job.ends.director_backup import director_backup  # noqa: PLC0415

    return director_backup(job, context)


def _good(context: JobContext) -> JobStatus:
    return context.counters.totals.when_saved


def _save(job: BackupJob | NetworkBackup, end: BackupEnd, context: JobContext) -> None:
    """From the first entry to the last commit."""
    messages, counters, cancellation = context.messages, context.counters, context.cancellation
    keys = load_keys(job.keys)
    with ExitStack() as stack:
        libraries = Libraries(job.agents, messages, cancellation, context.status_page, end.lost)
        release_left(libraries, end.scratch, messages)
        fileset = expanded(job.fileset, cancellation.pipe, messages.warning)
        made = instances(libraries, fileset, messages, stack)
        for instance in made:
            instance.services.expect = counters.expecting()
        keep_holds(made, end.scratch, messages, stack)
        selection = end.selection(stack)
        session = end.open(keys, stack)
        workers = stack.enter_context(Workers(neighbours=end.neighbours))
        links = stack.enter_context(HardLinks(end.scratch))
        taken = stack.enter_context(TakenNames(end.scratch))
        sink = JobSink(session, counters, cancellation, end.feed)
        queue = RecordQueue(sink.write, write_all=sink.write_all)
        stack.callback(queue.discard)
        plans = OptionsPlans(keys, workers, queue)
        entries = EntryEncoder(
            queue,
            plans,
            links,
            messages=messages,
            counters=counters,
            sent_after_all=selection.sent_after_all,
            sent_before=end.sent_before,
            spool=end.scratch,
        )
        encoder = PageEncoder(entries, plans, links, ContentDigests(plans, counters, cancellation))
        sink.on_digest = entries.digest_sent
        if end.feed is not None:
            entries.on_incomplete = end.feed.incomplete
        counters.files(end.sent_before)
        entry_filter = EntryFilter(
            selection, links, taken, messages, counters, own=end.own_files, lists=job.fileset.has_lists
        )
        listing = Listing(entry_filter, encoder, counters, cancellation)
        whys = [_why(instance, end.basis) for instance in made]
        with prepared(made, messages, cancellation, context.status_page):
            together = any(instance.agent.hold_s is not None for instance in made)
            for instance, why in zip(made, whys, strict=True) if together else ():
                stack.enter_context(agents.begin(instance, why, messages, cancellation))
        for instance, why in zip(made, whys, strict=True):
            if not together:
                stack.enter_context(agents.begin(instance, why, messages, cancellation))
            _list_all(instance, why, listing, encoder, context, stack)
        if entry_filter.saw_nothing(full=end.basis.level is Level.FULL):
            raise JobError("none of its paths could be looked at; nothing is saved. Is a disk not mounted?")
        if end.basis.level is Level.FULL or all(
            instance.job is not None and instance.job.complete for instance in made
        ):
            # a Director's FileSet is for many machines: most of what it excludes is not on this one
            report = messages.info if isinstance(job, BackupJob) else messages.debug
            for text in unused([instance.matcher for instance in made]):
                report(f"{text} matched nothing")
        listing.deletions()
        entries.take_over(selection.taken_over())
        states = agents.states_to_seal(made, messages)
        for state in states:
            entries.object(partial(state_object, state=state))
        if (facts := end.facts()) is not None:
            entries.object(facts)
        queue.flush()
        if end.feed is not None:
            end.feed.flush()
        counters.show()
        cancellation.check()
        totals = counters.totals
        media = session.finish(
            JobTotals(totals.files + totals.deleted, totals.job_bytes, totals.errors, _good(context))
        )
        context.parent.commit(end.commit(media, states))
        for instance in made:
            agents.commit(instance, messages)


def _why(instance: agents.Instance, basis: Basis) -> Begin:
    """What an instance gets when it begins; which Job counts, it hears before."""
    found = instance.find_state(basis.states)
    basis.states.confirm(instance.agent, instance.key, found)
    return basis.begin(found, agent_text(instance.fileset))


def _list_all(  # noqa: PLR0917  each is one of the parts that meet here
    instance: agents.Instance,
    why: Begin,
    listing: Listing,
    encoder: PageEncoder,
    context: JobContext,
    stack: ExitStack,
) -> None:
    """Send what one instance lists. It may say even now that its base is of no use, as long as nothing was sent."""
    messages, cancellation = context.messages, context.cancellation
    sent = encoder.sent
    lister = instance.lister()
    try:
        listing.instance(lister)
    except AgentError as error:
        if error.call != "next_entries" or encoder.sent != sent:
            raise
        stack.enter_context(agents.begin_again(instance, why, error, messages, cancellation))
        lister = instance.lister()
        listing.instance(lister)
    instance.unsaved = lister.unsaved
