"""A process that lets go of what the process of a Job has left held when it died."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from filed.job.agents.holds import DIRECTORY, left
from filed.job.agents.libraries import Libraries
from filed.job.agents.phases import release_left
from filed.job.context import JobContext
from filed.job.description import AgentSetup
from filed.job.process import in_context
from filed.process.child import Parent
from filed.process.codec import decode, encode
from filed.process.outcome import JobStatus, Outcome
from filed.process.supervisor import OnEvent, Supervisor
from filed.process.task import Task

KILL_AFTER_S = 30.0


@dataclass(frozen=True, slots=True)
class _Work:
    agents: AgentSetup
    scratch: Path


def release(agents: AgentSetup, scratch: Path, postmortems: Path, on_event: OnEvent) -> None:
    """In the parent of a Job that has ended: nothing, unless its process died and has left something. Messages go to on_event."""
    if not (scratch / DIRECTORY).is_dir() or not left(scratch):
        return
    task = Task(__name__, encode(_Work, _Work(agents, scratch)), KILL_AFTER_S)
    with Supervisor(task, silent_s=agents.timeout_s, postmortems=postmortems) as process:
        process.run(on_event, lambda: None)


def perform(request: bytes, parent: Parent) -> Outcome:
    """In the process."""
    work: _Work = decode(_Work, request)
    return in_context(parent, lambda context: _work(work, context))


def _work(work: _Work, context: JobContext) -> Outcome:
    libraries = Libraries(work.agents, context.messages, context.cancellation, context.status_page)
    release_left(libraries, work.scratch, context.messages)
    return context.ended(JobStatus.OK)
