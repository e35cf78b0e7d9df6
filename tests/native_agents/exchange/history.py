"""A random life of a simulated server: Jobs of the real agent, mailboxes, other products, accidents; and restores.

Everything runs in this process, without Volumes and catalog: `director_model` stands for these. Each restore point is judged
by the heads of the logs that a restore would get; some are restored for good, and their content compared.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import random
import shutil
import struct
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePath

from filed.agents import (
    Action,
    Agent,
    AgentJob,
    AgentStream,
    Begin,
    Entry,
    EntryType,
    Has,
    Kind,
    Level,
    Library,
    Outcome,
    Replace,
    Settings,
    StateWhy,
    Status,
    StatusPage,
    load,
)
from filed.errors import AgentError
from filed.process.memory import GuardedMemory
from tests.agents.flows import READ_BYTES, Recorder, read_all
from tests.esesim.interface import EseError
from tests.esesim.simulator import GROUP, MAILBOX, PUBLIC, Store
from tests.native_agents.exchange.director_model import Director, Fate, ModelJob, newest_versions

FILESET = b"I\nF /@EXCHANGE/\nN\n"
POLICIES = {"A": "full", "B": "full,incremental", "C": "never"}
LEVELS = [Level.FULL, Level.DIFFERENTIAL, Level.INCREMENTAL]


@dataclass(frozen=True, slots=True)
class Plan:
    """Of one history. foreign: how often another product comes before a Job."""

    seed: int
    policy: str
    on_gap: str
    foreign: float = 0.08
    jobs: int = 40
    before_commit: float = 0.08
    unrecorded: float = 0.06
    restores: float = 0.08


@dataclass
class Tally:
    """What happened: jobs, refused, self-contained, restore points, holes, restores."""

    counts: Counter[str] = field(default_factory=Counter)
    holes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Log:
    """A saved log by its head."""

    generation: int
    created: bytes
    previous: bytes
    signature: bytes


def log_of(content: bytes) -> Log:
    (generation,) = struct.unpack_from("<I", content, 4)
    return Log(generation, content[16:24], content[24:32], content[44:72])


@cache
def exchange(directory: Path) -> Library:
    return load("exchange", [directory])


class History:
    """One server and its Director."""

    def __init__(self, plan: Plan, simulator: Path, agents: Path, place: Path) -> None:
        self.plan, self.place = plan, place
        self.random = random.Random(plan.seed)
        self.director = Director()
        self.sealed: dict[str, tuple[bytes, int]] = {}
        self.tally = Tally()
        self.status_page = StatusPage()
        self.memory = GuardedMemory(READ_BYTES)
        self.library = exchange(agents)
        self.options = {"library": os.fspath(simulator), "truncate": POLICIES[plan.policy], "on-gap": plan.on_gap}
        self.store = Store(ctypes.CDLL(os.fspath(simulator)), place / "store")
        self.store.add_group(log_size=5120, lag=self.random.randrange(4))
        self.store.add_database(MAILBOX, "mbx")
        self.store.add_database(PUBLIC, "pub")

    def run(self) -> Tally:
        for number in range(self.plan.jobs):
            self._accidents()
            self._write(self.random.randrange(40))
            job = self._backup(number)
            self.director.jobs.append(job)
            self._count(job)
            if job.good:
                self._judge()
        self.library.kept.clear()  # of a process that has many lives
        shutil.rmtree(self.place / "store")
        return self.tally

    # ---- what happens to the server ------------------------------------------------------------------------------

    def _chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def _write(self, count: int) -> None:
        self.store.write(count, self.random.getrandbits(31), flush_percent=self.random.choice([0, 30, 100]))

    def _accidents(self) -> None:
        if self._chance(self.plan.foreign):
            kind = self.random.choice(["full", "full", "incremental", "incremental", "differential", "copy"])
            try:
                self.store.foreign_backup(kind)
            except EseError:
                kind = f"{kind}, refused"
            self.tally.counts[f"another product: {kind}"] += 1
            self._write(self.random.randrange(20))
        if self._chance(0.2):
            self.store.checkpoint(self.random.randrange(3))
        if self._chance(0.05):
            self.store.fault("clock_s", self.random.randint(-90_000, 90_000))
        if self._chance(0.01):
            self.store.dismount()
            self.store.wipe_stream()
            self.store.mount()
            self.tally.counts["stream begun anew"] += 1
        if self._chance(0.02):
            self.sealed.clear()
            self.tally.counts["state lost"] += 1
        if self._chance(0.02):
            self.store.fault("fail.HrESEBackupTruncateLogs", "1:C80003FE")
        elif self._chance(0.5):
            self.store.fault("fail.HrESEBackupTruncateLogs", None)

    # ---- a Job ---------------------------------------------------------------------------------------------------

    def _backup(self, number: int) -> ModelJob:
        wanted = self.random.choices(LEVELS, [1, 3, 8])[0]
        if self.director.jobs and self.director.jobs[-1].fate is Fate.REFUSED and self._chance(0.5):
            wanted = Level.FULL  # somebody has read the message
        base = self.director.base(wanted)
        job = ModelJob(f"Exchange.{number}", Level.FULL if base is None else wanted)
        if self._chance(self.plan.before_commit):
            job.fate = Fate.BEFORE_COMMIT
        elif self._chance(self.plan.unrecorded):
            job.fate = Fate.UNRECORDED
        services = Recorder()
        try:
            with self._agent(services) as agent:
                begin = self._begin(agent, job, base)
                with self._begun(agent, begin) as running:
                    self._save(running, services, job)
        except AgentError as error:
            job.fate = Fate.REFUSED
            job.messages.append(str(error))
        job.messages += services.texts
        return job

    def _agent(self, services: Recorder, **options: str) -> Agent:
        settings = Settings(tuple({**self.options, **options}.items()))
        return Agent(self.library, services, self.status_page, settings)

    def _begin(self, agent: Agent, job: ModelJob, base: ModelJob | None) -> Begin:
        if base is None or job.level == Level.FULL:
            return Begin(Kind.BACKUP, job.level, job=job.name, fileset=FILESET)
        state = self.sealed.get(base.name)
        if state is None:
            why = StateWhy.LOST
            return Begin(Kind.BACKUP, job.level, why, job=job.name, base_job=base.name, fileset=FILESET)
        skew_s = self.random.choice([-86400, -1, 0, 0, 1, 86400])
        agent.confirmed(base.name, *state)
        return Begin(
            Kind.BACKUP,
            job.level,
            StateWhy.FOUND,
            since=(int(time.time()) + skew_s, 0),
            job=job.name,
            base_job=base.name,
            state=state[0],
            state_format=state[1],
            fileset=FILESET,
        )

    def _begun(self, agent: Agent, begin: Begin) -> AgentJob:
        try:
            return agent.begin(begin)
        except AgentError as error:
            if error.code != Status.E_BASE:
                raise
            return agent.begin(Begin(Kind.BACKUP, begin.level, StateWhy.GAP, job=begin.job, fileset=FILESET))

    def _save(self, running: AgentJob, services: Recorder, job: ModelJob) -> None:
        while (page := running.next_page()) is not None:
            if not job.generation and any(name.endswith(b".log") for name in page.names):
                job.generation = self.store.status().generation - 1
                job.content = self.store.dump(GROUP)
            for entry, name in page:
                if entry.type == EntryType.OBJECT:
                    job.objects[name] = next(
                        content for stream, content in page.tlvs(entry) if stream == AgentStream.OBJECT
                    )
                elif entry.type == EntryType.REGULAR:
                    inline = page.inline(entry)
                    job.files[name] = (
                        read_all(running, entry.cookie, self.memory, []) if inline is None else bytes(inline)
                    )
                if self._chance(0.1):
                    self._write(self.random.randrange(10))
        if job.fate is Fate.BEFORE_COMMIT:
            running.end(Outcome.FAILED)
            return
        self.sealed[job.name] = job.state = services.states[-1]
        running.commit()
        running.end(Outcome.DONE)

    def _count(self, job: ModelJob) -> None:
        counts = self.tally.counts
        counts["jobs"] += 1
        counts[job.fate.value] += 1
        complete = any(name.endswith(b".edb") for name in job.files)
        counts["self-contained"] += complete and job.level != Level.FULL
        counts["told of the clock"] += any("by the Director's time" in text for text in job.messages)

    # ---- a restore point -----------------------------------------------------------------------------------------

    def _judge(self) -> None:
        chosen = self.director.restore_set()
        point = chosen[-1]
        files = list(newest_versions(chosen))
        self.tally.counts["restore points"] += 1
        hole = self._hole(chosen, point, files)
        if not hole and self._chance(self.plan.restores):
            self.tally.counts["restores"] += 1
            hole = self._restore(chosen, point, files)
        if hole:
            self.tally.counts["holes"] += 1
            told = "\n    ".join(f"{job.name} {job.level.name} {job.messages}" for job in chosen)
            self.tally.holes.append(f"{self.plan}: {point.name}: {hole}\n    {told}")

    @staticmethod
    def _hole(chosen: list[ModelJob], point: ModelJob, files: list[tuple[bytes, bytes]]) -> str:
        """Why the chain is not whole from the newest databases' first log to what the point's Job has seen; "": it is."""
        sets = [job for job in chosen if any(name.endswith(b".edb") for name in job.files)]
        own = [log_of(content) for name, content in sets[-1].files.items() if name.endswith(b".log")]
        first = min(own, key=lambda log: log.generation)
        logs = sorted(
            (
                log
                for name, content in files
                if name.endswith(b".log")
                and (log := log_of(content)).signature == first.signature
                and log.generation >= first.generation
            ),
            key=lambda log: log.generation,
        )
        for one, following in itertools.pairwise(logs):
            if following.generation != one.generation + 1 or following.previous != one.created:
                return f"after generation {one.generation} comes {following.generation}"
        if not logs or logs[0].generation != first.generation or logs[-1].generation < point.generation:
            return f"wanted {first.generation}..{point.generation}, have {[log.generation for log in logs]}"
        return ""

    def _restore(self, chosen: list[ModelJob], point: ModelJob, files: list[tuple[bytes, bytes]]) -> str:
        """On a copy of the server, whose databases are dismounted: the point's content, not rolled forward to now."""
        copy = self.place / "copy"
        shutil.copytree(self.store.root, copy)
        beside = Store.there(self.store.library, copy)
        services = Recorder()
        try:
            beside.dismount()
            with self._agent(services, **{"keep-logs": "yes"}) as agent, agent.begin(Begin(Kind.RESTORE)) as running:
                for job in chosen:
                    for name, content in job.objects.items():
                        _give(running, EntryType.OBJECT, name, content)
                for name, content in files:
                    _give(running, EntryType.REGULAR, name, content)
                running.commit()
                running.end(Outcome.DONE)
            found = beside.dump(GROUP)
        except AgentError as error:
            return f"{error} {services.texts}"
        finally:
            self.store.use()
            shutil.rmtree(copy)
        return "" if found == point.content else f"another content:\n{found}\nfor\n{point.content}"


def _give(running: AgentJob, kind: EntryType, name: bytes, content: bytes) -> None:
    entry = Entry(type=kind, valid=Has.SIZE, size=len(content))
    stream = AgentStream.OBJECT if kind == EntryType.OBJECT else AgentStream.DATA
    action = running.restore_entry(entry, name, name, Replace.ALWAYS)
    assert action == Action.WANT, (PurePath(os.fsdecode(name)), action)
    running.restore_stream(stream, len(content))
    running.write(content, 0, last=True)
    running.restore_done()
