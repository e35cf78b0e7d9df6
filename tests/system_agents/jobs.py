"""Whole Jobs for tests: an agent of the tests, in a job process, watched by the supervisor, as the command line runs it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from filed.catalog import Catalog, FileRow, Job, Level
from filed.cli.console import Console
from filed.cli.run import run_job
from filed.fileset import FileSet, Include, Options, Signature
from filed.job.description import AgentLine, AgentSetup, BackupJob, JobDescription, Places, RestoreJob, VerifyJob
from filed.process.outcome import Outcome, Severity

TIMEOUT_S = 30.0
GRACE_S = 0.5


class Recorder(Console):
    """A console that remembers. stop: asked with each progress; when it says yes, Ctrl-C is pressed."""

    def __init__(self, stop: Callable[[], bool] = lambda: False) -> None:
        super().__init__("test", quiet=True, verbose=True)
        self.messages: list[tuple[Severity, str]] = []
        self.stop = stop
        self.stopped_at = 0.0

    def message(self, severity: Severity, text: str) -> None:
        self.messages.append((severity, text))

    def progress(self, files: int, read_bytes: int, expected_bytes: int, name: bytes = b"") -> None:
        if not self.stopped_at and self.stop():
            self.stopped_at = time.monotonic()
            signal.raise_signal(signal.SIGINT)


@dataclass
class Ran:
    """A Job that has ended. answered_s: from the Ctrl-C to the end."""

    outcome: Outcome
    messages: list[tuple[Severity, str]]
    job: Job | None
    answered_s: float

    def texts(self, *severities: Severity) -> list[str]:
        return [text for severity, text in self.messages if not severities or severity in severities]


@dataclass
class Place:
    """A directory of Volumes, directories of agents, and a trace file."""

    volumes: Path
    agents: tuple[Path, ...]
    timeout_s: float = TIMEOUT_S
    grace_s: float = GRACE_S
    trace: Path = field(init=False)

    def __post_init__(self) -> None:
        self.trace = self.volumes.parent / f"{self.volumes.name}.trace"

    def setup(self, *lines: AgentLine) -> AgentSetup:
        return AgentSetup(lines=lines, directories=self.agents, timeout_s=self.timeout_s)

    def run(self, description: JobDescription, stop: Callable[[], bool] = lambda: False) -> Ran:
        console = Recorder(stop)
        outcome = run_job(description, console, self.grace_s)
        answered_s = time.monotonic() - console.stopped_at
        with Catalog.read(self.volumes) as catalog:
            found = [job for job in catalog.jobs() if job.job_id == outcome.jobid]
        return Ran(outcome, console.messages, found[0] if found else None, answered_s)

    def backup(
        self,
        *lines: AgentLine,
        files: Sequence[bytes] = (),
        plugins: Sequence[str] = (),
        level: Level = Level.FULL,
        stop: Callable[[], bool] = lambda: False,
        name: str = "Test",
        signature: Signature | None = Signature.MD5,
        options: Options | None = None,
    ) -> Ran:
        choice = options or Options(signature=signature)
        return self.backup_of(
            (Include(options=(choice,), files=tuple(files), plugins=tuple(plugins)),),
            *lines,
            level=level,
            stop=stop,
            name=name,
        )

    def backup_of(
        self,
        includes: tuple[Include, ...],
        *lines: AgentLine,
        level: Level = Level.FULL,
        stop: Callable[[], bool] = lambda: False,
        name: str = "Test",
    ) -> Ran:
        fileset = FileSet(includes=includes, name="T")
        job = BackupJob(Places.within(self.volumes), name, "client", level, fileset, self.setup(*lines))
        return self.run(job, stop)

    def restore(
        self,
        jobid: int,
        where: Path,
        *lines: AgentLine,
        paths: Sequence[bytes] = (),
        stop: Callable[[], bool] = lambda: False,
        options: Sequence[tuple[str, str, str]] = (),
        dry_run: bool = False,
    ) -> Ran:
        places, setup = Places.within(self.volumes), self.setup(*lines)
        job = RestoreJob(places, jobid, where, setup, tuple(paths), options=tuple(options), dry_run=dry_run)
        return self.run(job, stop)

    def verify(self, *jobids: int) -> Ran:
        return self.run(VerifyJob(Places.within(self.volumes), jobids, self.setup()))

    def tree(self, jobid: int) -> dict[bytes, FileRow]:
        with Catalog.read(self.volumes) as catalog:
            return {row.path: row for row in catalog.tree(jobid)}

    def calls(self, *, forget: bool = True) -> list[str]:
        """What the tracing agent was asked to do since the last time."""
        if not self.trace.exists():
            return []
        lines = self.trace.read_text().splitlines()
        if forget:
            self.trace.unlink()
        return lines


def line(name: str, /, **options: str | Sequence[str]) -> AgentLine:
    """A `plugin` line; an option given as a list repeats."""
    pairs = []
    for key, value in options.items():
        pairs += [(key, one) for one in ([value] if isinstance(value, str) else value)]
    return AgentLine(name, tuple(pairs))
