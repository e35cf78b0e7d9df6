"""A restore, told in order: which records, in which Jobs; then each entry through the agent that saved it.

A restore of a Job gives the tree as it was at that Job: the chain is read oldest first, and of each Job only the records
that are still the last word about their path.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from itertools import islice

from filed.catalog import Catalog, facts_of, state_of
from filed.errors import CatalogError, JobError, printable
from filed.job.agents.libraries import Libraries
from filed.job.agents.restorers import Restorers
from filed.job.context import JobContext, Messages
from filed.job.decode.batches import gathered
from filed.job.decode.read_ahead import ReadAhead
from filed.job.decode.receive import Receiving
from filed.job.decode.wanted import Wanted, choose
from filed.job.description import RestoreJob
from filed.job.keys import keyring
from filed.pipeline import Decoder, Workers
from filed.process.outcome import JobStatus, Outcome
from filed.storage import VolumeDirectory
from filed.volume import Damage, FileIndexes
from filed.wire.restore_object import RestoreObject

NAMED = 20  # entries that a damaged Volume took with it; the rest is counted


def restore(job: RestoreJob, context: JobContext) -> Outcome:
    """Restore into `job.where`. Never raises for one entry: that is told, counted, and the Job ends in error."""
    with ExitStack() as stack:
        directory = VolumeDirectory.open(job.directory, create=False)
        catalog = stack.enter_context(Catalog.read(job.directory))
        workers = stack.enter_context(Workers())
        decoder = Decoder(keyring(job.keys), workers)
        restorers = stack.enter_context(
            Restorers(
                Libraries(job.agents, context.messages, context.cancellation, context.status_page),
                job,
                context.messages,
                context.cancellation,
                partial(_mark_restored, context.messages, catalog),
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
        context.parent.started(0, "")
        wanted = choose(catalog, job.jobid, job.paths)
        if not wanted:
            what = "the paths given" if job.paths else "the Job"
            raise JobError(f"nothing to restore: {what} hold no entry at JobId {job.jobid}; see `filed ls`")
        context.counters.expected_bytes = sum(part.data_bytes for part in wanted)
        for part in wanted:
            receiving.begin(part, _objects(catalog, part))
            if not job.paths:
                receiving.objects()
            _restore_part(context, catalog, directory, job, part, receiving)
        restorers.commit()
    totals = context.counters.totals
    status = JobStatus.ERROR if totals.errors else JobStatus.WARNINGS if totals.warnings else JobStatus.OK
    return context.ended(status)


def _restore_part(  # noqa: PLR0917  each is one of the parts that meet here
    context: JobContext,
    catalog: Catalog,
    directory: VolumeDirectory,
    job: RestoreJob,
    part: Wanted,
    receiving: Receiving,
) -> None:
    """The records wanted of one Job of the chain, in Volume order."""

    def damaged(damage: Damage) -> None:
        gathering.damaged(f"{damage}; what lies there is not restored")

    gathering = receiving.gathering()
    selection = FileIndexes(part.file_indexes.ranges())
    records = directory.read_session(part.media, part.session, selection, on_damage=damaged)
    with ReadAhead(gathered(records, gathering)) as batches:
        for batch in batches:
            receiving.take(batch)
            context.cancellation.check()
    receiving.end()
    _tell_missing(context, catalog, job, part)


def _tell_missing(context: JobContext, catalog: Catalog, job: RestoreJob, part: Wanted) -> None:
    """Name what the catalog has and the Volumes did not give."""
    missing = part.file_indexes
    if not missing.count:
        return
    rows = (row for row in catalog.tree(job.jobid, job.paths) if row.job_id == part.job.job_id)
    for row in islice((row for row in rows if row.file_index in missing), NAMED):
        context.messages.error(f"{printable(row.path)}: it is not on the Volumes of JobId {part.job.job_id}")
    if missing.count > NAMED:
        context.messages.error(
            f"{missing.count - NAMED:,} further entries are not on the Volumes of JobId {part.job.job_id}"
        )


def _objects(catalog: Catalog, part: Wanted) -> list[RestoreObject]:
    """What agents want back before their files; what we keep ourselves among it is not theirs."""
    return [item for item in catalog.restore_objects(part.job.job_id) if not state_of(item) and not facts_of(item)]


def _mark_restored(messages: Messages, catalog: Catalog, agent: str) -> None:
    """What the agent's states refer to is another past from now on; its next Job is told so, even if this one fails."""
    if not catalog.has_states(agent):
        return  # and the catalog may lie on a disk that is read-only
    try:
        with Catalog.open(catalog.path) as writable:
            writable.mark_restored(agent)
    except CatalogError as error:
        messages.warning(f"{error}; run a Full next: an Incremental of agent {agent} would build on what is no more")
