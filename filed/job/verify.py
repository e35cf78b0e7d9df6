"""A verify, told in order, whatever its far end: is the disk still what a Job holds, and are the Volumes whole?

The disk: the FileSet is walked again by the agents that saved it, as for a Full, but the records go to a comparison instead of a
Volume. Volumes: each record of the Jobs is read and checked.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace

from filed.agents import Begin, Kind
from filed.agents import Level as AgentLevel
from filed.fileset import FileSet, Options, agent_text, expanded
from filed.job.agents.instance import begin
from filed.job.agents.libraries import Libraries
from filed.job.agents.lines import instances
from filed.job.context import JobContext
from filed.job.description import NetworkVerify, VerifyJob
from filed.job.encode.content_digest import ContentDigests
from filed.job.encode.entry_encoder import EntryEncoder
from filed.job.encode.options_plan import OptionsPlans
from filed.job.encode.page_encoder import PageEncoder
from filed.job.ends.verify_end import Disk, VerifyEnd
from filed.job.keys import keyring
from filed.job.select.entry_filter import EntryFilter
from filed.job.select.hard_links import HardLinks
from filed.job.select.listing import Listing
from filed.job.select.selection import Everything
from filed.job.select.taken_names import TakenNames
from filed.pipeline import Decoder, RecordQueue, Workers
from filed.process.outcome import JobStatus, Outcome


def verify(job: VerifyJob | NetworkVerify, context: JobContext) -> Outcome:
    """Raises FiledError when the Job failed. What differs is reported and counted in `found`."""
    with _far_end(job, context) as end, ExitStack() as stack:
        context.parent.started(end.job_id, "")
        workers = stack.enter_context(Workers())
        if (disk := end.disk(stack)) is not None:
            _walk(job, disk, context, workers, stack)
        else:
            _read(job, end, context, workers, stack)
    context.counters.show()
    return context.ended(_status(end, context, looked_at_disk=disk is not None))


def _far_end(job: VerifyJob | NetworkVerify, context: JobContext) -> AbstractContextManager[VerifyEnd]:
    if isinstance(job, VerifyJob):
        from filed.job.ends.volumes_verify import volumes_verify  # noqa: PLC0415  what a Job does not need costs its start

        return volumes_verify(job, context)
    from filed.job.ends.director_verify import director_verify  # noqa: PLC0415

    return director_verify(job, context)


def _status(end: VerifyEnd, context: JobContext, *, looked_at_disk: bool) -> JobStatus:
    totals = context.counters.totals
    if end.found and (looked_at_disk or not totals.errors):
        return JobStatus.DIFFERENCES
    if totals.errors:
        return end.errors_are
    return JobStatus.WARNINGS if totals.warnings else JobStatus.OK


def _walk(job: VerifyJob | NetworkVerify, disk: Disk, context: JobContext, workers: Workers, stack: ExitStack) -> None:
    messages, counters, cancellation = context.messages, context.counters, context.cancellation
    fileset = expanded(disk.fileset, cancellation.pipe, messages.warning)
    libraries = Libraries(job.agents, messages, cancellation, context.status_page)
    links = stack.enter_context(HardLinks(disk.scratch))
    taken = stack.enter_context(TakenNames(disk.scratch))
    queue = RecordQueue(disk.check.write)
    stack.callback(queue.discard)
    plans = OptionsPlans(None, workers, queue)
    entries = EntryEncoder(queue, plans, links, messages=messages, counters=counters)
    encoder = PageEncoder(entries, plans, links, ContentDigests(plans, counters, cancellation))
    entries.on_entry, disk.check.on_digest = disk.check.entry, entries.digest_sent
    selection = _All()
    listing = Listing(
        EntryFilter(selection, links, taken, messages, counters, own=disk.own_files), encoder, counters, cancellation
    )
    digested = _for_digests(fileset, keys=job.keys is not None)
    for instance in instances(libraries, digested, messages, stack):
        why = Begin(Kind.VERIFY, AgentLevel.NONE, job=disk.job, fileset=agent_text(instance.fileset))
        stack.enter_context(begin(instance, why, messages, cancellation))
        listing.instance(instance.lister())
    queue.flush()
    disk.check.close(selection.failures)


def _read(
    job: VerifyJob | NetworkVerify, end: VerifyEnd, context: JobContext, workers: Workers, stack: ExitStack
) -> None:
    keys = keyring(job.keys)
    for session, check in end.volumes(lambda: Decoder(keys, workers), stack):
        try:
            for _ in check.checked(session):
                context.cancellation.check()
            session.finish()
            check.close()
        finally:
            session.abandon()


class _All(Everything):
    """Everything; remembers what could not be looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.failures: list[bytes] = []

    def failed(self, path: bytes) -> None:
        self.failures.append(path.rstrip(b"/") or b"/")


def _for_digests(fileset: FileSet, *, keys: bool) -> FileSet:
    """The FileSet of a walk that wants digests only: nothing is compressed.

    keys: whether the backup signs or encrypts. Then it leaves no holes, which a digest would show.
    """

    def plain(options: Options) -> Options:
        return replace(options, compression=None, sparse=options.sparse and not keys)

    includes = tuple(replace(include, options=tuple(map(plain, include.options))) for include in fileset.includes)
    return replace(fileset, includes=includes)
