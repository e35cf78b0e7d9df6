"""What the agents of a Job can say before it runs: made, configured, ready, and begun as for an estimate. Nothing is read or kept."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from filed.agents import Begin, Kind, Level, Outcome, Status
from filed.errors import AgentError, FiledError
from filed.fileset import FileSet, agent_text
from filed.job.agents.libraries import Libraries
from filed.job.agents.lines import claimed, instances
from filed.job.context import JobContext
from filed.job.description import AgentSetup
from filed.job.process import in_context
from filed.process.child import Parent
from filed.process.codec import decode, encode
from filed.process.outcome import JobStatus
from filed.process.outcome import Outcome as JobOutcome
from filed.process.supervisor import OnEvent, Supervisor
from filed.process.task import Task

KILL_AFTER_S = 30.0


@dataclass(frozen=True, slots=True)
class _Work:
    agents: AgentSetup
    fileset: FileSet


def look(agents: AgentSetup, fileset: FileSet, on_event: OnEvent, wanted: Callable[[], bool]) -> JobOutcome:
    """In a process of its own, as a Job's agents are. Messages go to on_event; wanted: a no ends it."""
    task = Task(__name__, encode(_Work, _Work(agents, fileset)), KILL_AFTER_S)
    with Supervisor(task, silent_s=agents.timeout_s, postmortems=Path(tempfile.gettempdir())) as process:
        return process.run(on_event, lambda: None, wanted)


def perform(request: bytes, parent: Parent) -> JobOutcome:
    """In the process."""
    work: _Work = decode(_Work, request)
    return in_context(parent, lambda context: _work(work, context))


def _work(work: _Work, context: JobContext) -> JobOutcome:
    messages = context.messages
    libraries = Libraries(work.agents, messages, context.cancellation, context.status_page)
    for part in _parts(work, libraries):
        context.cancellation.check()
        try:
            _begin(part, libraries, context)
        except FiledError as error:
            messages.error(str(error))
    totals = context.counters.totals
    return context.ended(JobStatus.ERROR if totals.errors else JobStatus.WARNINGS if totals.warnings else JobStatus.OK)


def _parts(work: _Work, libraries: Libraries) -> Iterator[FileSet]:
    """Of each agent, so that the trouble of one does not hide that of the next."""
    fileset = work.fileset
    for _, taken in claimed(fileset, work.agents.lines, lambda name: libraries.of(name).descriptor):
        yield fileset.narrowed(taken.__contains__, lambda _plugin: False)
    for plugin in dict.fromkeys(line for include in fileset.includes for line in include.plugins):
        yield fileset.narrowed(lambda _file: False, plugin.__eq__)


def _begin(part: FileSet, libraries: Libraries, context: JobContext) -> None:
    messages = context.messages
    with ExitStack() as stack:
        for instance in instances(libraries, part, messages, stack):
            about = f"agent {instance.agent.label}{f' for {instance.line}' if instance.line else ''}"
            why = Begin(Kind.ESTIMATE, Level.FULL, job="ready", fileset=agent_text(instance.fileset))
            try:
                with instance.agent.begin(why) as job:
                    context.cancellation.on_cancel(job)
                    job.end(Outcome.DONE)
            except AgentError as error:
                if error.code != Status.E_UNSUPPORTED:
                    raise
            messages.info(f"{about} is ready")
