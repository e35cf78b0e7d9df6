"""The room of one check: in a process of its own, with the library loaded, a bench to try it on, and a line to the parent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from filed.agents import (
    Agent,
    AgentJob,
    Begin,
    Feature,
    Kind,
    Level,
    Library,
    Outcome,
    Settings,
    StateWhy,
    load,
)
from filed.agents.shape import SHAPE, HostShape
from filed.conformance.advice import advice
from filed.conformance.findings import Finding, Grade
from filed.conformance.subject import Subject
from filed.conformance.walk import Reading, Seen, differences, walk
from filed.conformance.witness import WatchedCallbacks, Witness
from filed.errors import printable
from filed.fileset import FileSet, Matcher, agent_text
from filed.job.context import JobContext
from filed.job.setup import shipped_agents

_SHOWN = 5  # of findings that are the same but for the entry


class Skipped(Exception):
    """This check does not apply; the text says why."""


class Room:
    """What checks work with. `room.agent()` makes an instance that is listened to; `room.saved()` walks a whole Job."""

    def __init__(self, subject: Subject, context: JobContext, scratch: Path) -> None:
        self.subject, self.context, self.status_page = subject, context, context.status_page
        self.scratch = scratch
        self._told: dict[str, int] = {}

    # ---- the agent -----------------------------------------------------------------------------------------------

    @cached_property
    def library(self) -> Library:
        return load(self.subject.about.id, [self.subject.library.parent], status_page=self.status_page)

    @cached_property
    def settings(self) -> Settings:
        return self.subject.settings()

    @cached_property
    def fileset(self) -> FileSet:
        return self.subject.fileset()

    def witness(self, fault: str = "") -> Witness:
        return Witness(self.status_page, Matcher(self.fileset), fault)

    @contextmanager
    def agent(
        self, *, shape: HostShape = SHAPE, witness: Witness | None = None, quiet: bool = False
    ) -> Iterator[tuple[Agent, Witness]]:
        """One instance, from create to destroy. quiet: do not tell what its callbacks did wrong; another check does."""
        witness = witness or self.witness()
        try:
            with Agent(
                self.library,
                witness,
                self.status_page,
                self.settings,
                cancel_pipe=self.context.cancellation.pipe,
                timeout_s=self.subject.timeout_s,
                shape=shape,
                callbacks=WatchedCallbacks,
            ) as agent:
                yield agent, witness
        finally:
            if not quiet:
                for finding in witness.findings:
                    self.tell(finding)

    @contextmanager
    def plain_files(self) -> Iterator[Agent]:
        """The agent that restores what others leave to the host."""
        library = load("filesystem", [shipped_agents()], status_page=self.status_page)
        with Agent(
            library,
            Witness(self.status_page, None),
            self.status_page,
            cancel_pipe=self.context.cancellation.pipe,
            callbacks=WatchedCallbacks,
        ) as one:
            yield one

    def why(  # noqa: PLR0917  the fields of bp_begin
        self,
        kind: Kind = Kind.BACKUP,
        level: Level = Level.FULL,
        state_why: StateWhy = StateWhy.NONE,
        state: tuple[bytes, int] | None = None,
        base_job: str = "",
        where: bytes = b"",
    ) -> Begin:
        blob, number = state or (b"", 0)
        backup = kind in (Kind.BACKUP, Kind.ESTIMATE)
        verbatim = Feature.VERBATIM in self.subject.about.features  # its Plugin line stands on the Volume
        return Begin(
            kind=kind,
            level=level if backup else Level.NONE,
            state_why=state_why,
            job=f"Check.{kind.name}",
            base_job=base_job,
            state=blob,
            state_format=number,
            fileset=agent_text(self.fileset) if kind != Kind.RESTORE or verbatim else b"",
            where=where,
        )

    @contextmanager
    def begun(self, agent: Agent, why: Begin) -> Iterator[AgentJob]:
        """A Job that can be cancelled from outside."""
        with agent.begin(why) as job:
            self.context.cancellation.on_cancel(job)
            try:
                if why.kind == Kind.RESTORE:
                    job.plan()
                yield job
            finally:
                self.context.cancellation.ended_before(job)

    def saved(
        self,
        why: Begin | None = None,
        reading: Reading = Reading(),  # noqa: B008  frozen
        shape: HostShape = SHAPE,
        *,
        quiet: bool = True,
    ) -> dict[bytes, Seen]:
        """A whole Job of an instance of its own: name -> what was seen. A name that comes twice is there once."""
        with self.agent(shape=shape, quiet=quiet) as (agent, _):
            return self.saved_by(agent, why or self.why(), reading)

    def saved_by(self, agent: Agent, why: Begin, reading: Reading = Reading()) -> dict[bytes, Seen]:  # noqa: B008
        with self.begun(agent, why) as job:
            seen = {one.name: one for one in walk(job, reading)}
            if why.kind == Kind.BACKUP:
                job.commit()
            job.end(Outcome.DONE)
        return seen

    def compared(self, what: str, again: Callable[[], dict[bytes, Seen]], call: str = "") -> None:
        """Is what another way brings the same as an ordinary Full? Told, unless the source itself does not rest."""
        before = self.saved()
        found = differences(before, again())
        if not found:
            self.note(f"{len(before):,} entries, the same as in an ordinary Full")
            return
        moving = {name for name, _ in differences(before, self.saved())}
        still = [(name, how) for name, how in found if name not in moving]
        if moving:
            self.note(f"{len(moving):,} entries change from one Full to the next; they are not compared")
        for name, how in still:
            self.failed(
                f"{what}: an entry {how} than in an ordinary Full" if "has" in how else f"{what}: an entry {how}",
                call,
                name,
            )

    # ---- what is found -------------------------------------------------------------------------------------------

    def tell(self, finding: Finding) -> None:
        """Hand a finding to the parent, with advice; of the same about many entries a few."""
        key = f"{finding.grade}{finding.call}{finding.rule}"
        number = self._told[key] = self._told.get(key, 0) + 1
        if number > _SHOWN:
            return
        words = finding.advice or (advice(finding.call, finding.rule) if finding.grade != Grade.NOTE else "")
        finding = Finding(finding.grade, finding.rule, finding.call, finding.entry, words)
        self.context.parent.send(finding.event())

    def failed(self, rule: str, call: str = "", entry: bytes = b"") -> None:
        self.tell(Finding(Grade.FAILED, rule, call, printable(entry)))

    def warn(self, rule: str, call: str = "", entry: bytes = b"") -> None:
        self.tell(Finding(Grade.WARNING, rule, call, printable(entry)))

    def note(self, rule: str) -> None:
        self.tell(Finding(Grade.NOTE, rule))

    def directory(self, name: str) -> Path:
        """A new one, which goes when the check has ended."""
        path = self.scratch / name
        path.mkdir(mode=0o700)
        return path
