"""One Job as a process: `start_job` in the parent, `perform` inside."""

from __future__ import annotations

import socket
import traceback
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module

from filed.agents import agent_id
from filed.errors import FiledError, JobCanceled
from filed.job.context import JobContext
from filed.job.description import (
    BackupJob,
    DryRun,
    EstimateJob,
    JobDescription,
    LocalJob,
    NetworkBackup,
    NetworkRestore,
    NetworkTest,
    OpeningJob,
    RestoreJob,
)
from filed.process.child import Parent
from filed.process.codec import decode, encode, prepare
from filed.process.outcome import JobStatus, Outcome
from filed.process.status_page import StatusPage
from filed.process.supervisor import KILL_AFTER_S, OnEvent, Supervisor
from filed.process.task import Task

STORAGE_CALLED = "storage called"
"""The event of an OpeningJob: the Storage Daemon knows the Job, and what the Job is may come."""
MODULES_OF_NETWORK_JOBS = (
    "filed.job.backup",
    "filed.job.ends.director_backup",
    "filed.job.restore",
    "filed.job.ends.director_restore",
    "filed.job.verify",
    "filed.job.ends.director_verify",
    "filed.job.estimate",
    "filed.job.ends.director_estimate",
    "filed.fileset.engine",
    "xxhash",
)
MODULES_OF_KEYS = (
    "filed.pipeline.der",
    "cryptography.hazmat.primitives.ciphers.algorithms",
    "cryptography.hazmat.primitives.ciphers.modes",
    "cryptography.hazmat.primitives.serialization",
)


def load_ahead(*, keys: bool) -> None:
    """For a parent of many Jobs, before the first: the code that each of them would load, 60 ms of it. keys: 80 ms more."""
    for name in (*MODULES_OF_NETWORK_JOBS, *(MODULES_OF_KEYS if keys else ())):
        import_module(name)
    prepare(JobDescription)


def start_job(
    description: JobDescription,
    *,
    kill_after_s: float = KILL_AFTER_S,
    status_page: StatusPage | None = None,
    calls: socket.socket | None = None,
) -> Supervisor:
    """The Job in a process of its own. Raises OSError when there is no room for one. See `Supervisor` for the arguments."""
    agents = description.agents
    postmortems = description.places.postmortems if isinstance(description, LocalJob) else description.who.work
    scratch = description.places.scratch if isinstance(description, LocalJob) else description.who.work

    def afterwards(on_event: OnEvent) -> None:
        from filed.job.release import release  # noqa: PLC0415  it starts processes itself

        release(agents, scratch, postmortems, on_event)

    return Supervisor(
        Task(
            program=__name__,
            request=encode(JobDescription, description),
            kill_after_s=kill_after_s,
            new_privileges=any(line.limits.new_privileges for line in agents.lines),
        ),
        silent_s=agents.timeout_s,
        own_silent_s={agent_id(line.name): line.limits.timeout_s for line in agents.lines if line.limits.timeout_s},
        postmortems=postmortems,
        status_page=status_page,
        calls=calls,
        afterwards=afterwards,
    )


def give(process: Supervisor, description: JobDescription) -> None:
    """The Job, to a process that was started as an OpeningJob."""
    process.ask(encode(JobDescription, description))


def dismiss(process: Supervisor) -> None:
    """There is no Job for it: it leaves its Storage Daemon, and ends."""
    process.ask(b"")


def perform(request: bytes, parent: Parent) -> Outcome:
    """In the Job's process."""
    description = decode(JobDescription, request)
    return in_context(parent, lambda context: do(description, context))


def in_context(parent: Parent, work: Callable[[JobContext], Outcome]) -> Outcome:
    """The work of a child process, in a Job's context."""
    context = JobContext.of(parent.sender, parent.status_page, parent.cancel_pipe, parent.calls)
    parent.on_cancel(context.cancellation.cancel)
    return guarded(work, context)


def guarded(work: Callable[[JobContext], Outcome], context: JobContext) -> Outcome:
    """The work itself, in this process. Raises nothing: the outcome says what went wrong."""
    outcome = _done(work, context)
    context.messages.counted()
    return outcome


def _done(work: Callable[[JobContext], Outcome], context: JobContext) -> Outcome:
    try:
        return work(context)
    except JobCanceled as canceled:
        return context.ended(JobStatus.CANCELED, str(canceled))
    except FiledError as error:
        if context.cancellation.asked:
            return context.ended(JobStatus.CANCELED, f"canceled; {error}")
        return context.ended(JobStatus.FATAL, str(error))
    except MemoryError:
        text = "out of memory; where a Fence of an agent has a Memory Limit, it may be too low for this Job"
        return context.ended(JobStatus.FATAL, text)
    except Exception as error:  # noqa: BLE001  our own bug must still end the Job with its reason
        context.messages.debug(traceback.format_exc())
        return context.ended(JobStatus.FATAL, f"internal error: {type(error).__name__}: {error}")


def do(description: JobDescription, context: JobContext) -> Outcome:
    """A Job, in this process."""
    # Each kind of Job brings rooms that the others do not need: 30 ms of start-up.
    if isinstance(description, BackupJob | NetworkBackup):
        from filed.job.backup import backup  # noqa: PLC0415

        return backup(description, context)
    if isinstance(description, RestoreJob | NetworkRestore):
        from filed.job.restore import restore  # noqa: PLC0415

        return restore(description, context)
    if isinstance(description, OpeningJob):
        from filed.job.ends.storage_daemon import reach  # noqa: PLC0415

        connection = reach(context, description.storage, description.who)
        context.parent.send({"event": STORAGE_CALLED})
        request = context.parent.next_request()
        if not request:
            connection.take_leave()
            return context.ended(JobStatus.CANCELED, "the Job ended before it had begun")
        return do(decode(JobDescription, request), replace(context, storage=connection))
    if isinstance(description, NetworkTest):
        from filed.job.ends.storage_daemon import measure  # noqa: PLC0415

        return measure(description, context)
    if isinstance(description, EstimateJob | DryRun):
        from filed.job.estimate import estimate  # noqa: PLC0415

        return estimate(description, context)
    from filed.job.verify import verify  # noqa: PLC0415

    return verify(description, context)
