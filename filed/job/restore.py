"""A restore, told in order, whatever its far end: records of one read session after the other, each entry through the agent that saved it.

Of its own Volumes a restore reads a chain of Jobs, oldest first. A Director may need several rounds: the records lie on several Storage
Daemons, or in an order in which they cannot be read at once. Directories get their times after the last.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack

from filed.agents import Replace
from filed.job.agents.libraries import Libraries
from filed.job.agents.restorers import Restorers
from filed.job.context import JobContext
from filed.job.decode.batches import gathered
from filed.job.decode.read_ahead import ReadAhead
from filed.job.decode.receive import Receiving
from filed.job.description import NetworkRestore, RestoreJob
from filed.job.ends.restore_end import RestoreEnd
from filed.job.keys import keyring
from filed.pipeline import Decoder, Workers
from filed.process.outcome import JobStatus, Outcome
from filed.volume import Session


def restore(job: RestoreJob | NetworkRestore, context: JobContext) -> Outcome:
    """Never raises for one entry: that is reported, counted, and the Job ends in error."""
    messages, counters, cancellation = context.messages, context.counters, context.cancellation
    with ExitStack() as stack:
        end = stack.enter_context(_far_end(job, context))
        workers = stack.enter_context(Workers())
        decoder = Decoder(keyring(job.keys), workers)
        libraries = Libraries(job.agents, messages, cancellation, context.status_page)
        restorers = stack.enter_context(
            Restorers(libraries, job, messages, cancellation, end.mark_restored, lambda: end.saved)
        )
        receiving = Receiving(
            decoder, restorers, job, messages=messages, counters=counters, status_page=context.status_page
        )
        context.parent.started(end.job_id, "")
        if (commands := end.dry_run()) is not None:
            restorers.plan(commands)
            return context.ended(_good(context))
        for session, gathering in end.rounds(receiving):
            try:
                with ReadAhead(gathered(session.runs(), gathering), session.interrupt) as batches:
                    for batch in batches:
                        receiving.take(batch)
                        if isinstance(batch, Session):
                            end.begin_session(batch, decoder)
                        cancellation.check()
                receiving.end()
                session.finish()
            finally:
                session.abandon()
        restorers.commit()
        end.finish()
    restorers.unused_options()
    totals = counters.totals
    if job.replace.name == Replace.ALWAYS.name and totals.skipped and not totals.files:
        agents = ", ".join(sorted({restorer.agent.label for restorer in restorers}))
        messages.warning(
            f"agent {agents} skipped all {totals.skipped:,} entries, though replace = always: nothing is restored"
        )
    return context.ended(_good(context))


def _good(context: JobContext) -> JobStatus:
    totals = context.counters.totals
    return JobStatus.ERROR if totals.errors else JobStatus.WARNINGS if totals.warnings else JobStatus.OK


def _far_end(job: RestoreJob | NetworkRestore, context: JobContext) -> AbstractContextManager[RestoreEnd]:
    if isinstance(job, RestoreJob):
        from filed.job.ends.volumes_restore import VolumesRestore  # noqa: PLC0415  what a Job does not need costs its start

        return VolumesRestore(job, context)
    from filed.job.ends.director_restore import DirectorRestore  # noqa: PLC0415

    return DirectorRestore(job, context)
