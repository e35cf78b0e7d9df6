"""Jobs one upon another with the journal, and what a Director that knows nothing else would have of the tree.

Of an Incremental or Differential only what the agent itself calls changed or deleted counts, as in a Job that is not Accurate and whose
times are of no use. So each miss shows.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from filed.agents import (
    Agent,
    AgentJob,
    Begin,
    EntryFlag,
    EntryType,
    Kind,
    Level,
    Library,
    Outcome,
    StateWhy,
    StatusPage,
    Want,
)
from filed.agents.abi import Change, Status
from filed.agents.options import Settings
from filed.errors import AgentError

from .driving import ALL_STREAMS, Driver, Host, Item, fileset_of

Tree = dict[bytes, tuple]


@dataclass
class JournalHost(Host):
    sealed: tuple[bytes, int] | None = None

    def put_state(self, state: bytes, state_format: int) -> bool:
        self.sealed = (state, state_format)
        return True

    def texts(self) -> str:
        return "\n".join(text for _, text in self.said)


@dataclass(frozen=True)
class Done:
    """A Job. tree: as a restore of it would be. named: how many entries its pages had."""

    name: str
    level: Level
    tree: Tree
    state: tuple[bytes, int] | None
    listed: frozenset[bytes]
    deleted: frozenset[bytes]
    complete: bool
    said: str
    saved_in: dict[bytes, int]
    named: int

    @property
    def directed(self) -> bool:
        return not self.complete and " is walked: " not in self.said


def known(item: Item) -> tuple:
    """What is compared of an entry: everything but its access time."""
    entry = item.entry
    data = item.data if entry.type == EntryType.REGULAR else b""
    small = tuple(sorted(item.small))
    times = (entry.mtime, entry.mtime_ns, entry.chtime, entry.chtime_ns)
    size = entry.size if entry.type == EntryType.REGULAR else 0
    owner = (entry.uid, entry.gid)
    return (
        entry.type,
        entry.mode & 0o7777,
        owner,
        size,
        times,
        entry.nlink,
        entry.ino,
        entry.rdev,
        item.link,
        small,
        data,
    )


NLINK, INO = 5, 6


def torn(job: Done) -> list[str]:
    """Hard links that would come back as files of their own, since their names are in different Jobs."""
    groups: dict[int, dict[bytes, int]] = {}
    for name, value in job.tree.items():
        if value[NLINK] > 1 and not name.endswith(b"/"):
            groups.setdefault(value[INO], {})[name] = job.saved_in[name]
    return [f"torn: {names}" for names in groups.values() if len(set(names.values())) > 1]


def name_of(name: bytes, kind: EntryType | int) -> bytes:
    return name + b"/" if kind == EntryType.DIRECTORY else name


@dataclass
class Chain:
    """One FileSet's Jobs. settings: of the agent; keep: the Jobs that a Director would name as a base."""

    binary: Library
    journal: Path
    fileset: bytes
    use: str = "yes"
    rules: dict = field(default_factory=dict)
    good: list[Done] = field(default_factory=list)
    status: StatusPage = field(default_factory=StatusPage)
    driver: Driver = field(init=False)
    count: int = 0
    restored: StateWhy = StateWhy.NONE  # RESTORED: there was a restore since the base

    def __post_init__(self) -> None:
        self.driver = Driver(self.binary)

    @classmethod
    def of(
        cls, library: Library, journal: Path, *paths: Path, use: str = "yes", markers: tuple[bytes, ...] = ()
    ) -> Chain:
        return cls(library, journal, fileset_of(*paths, markers=markers), use)

    def base_of(self, level: Level) -> Done | None:
        if level == Level.FULL:
            return None
        fulls = [job for job in self.good if job.level == Level.FULL]
        return fulls[-1] if level == Level.DIFFERENTIAL else self.good[-1]

    @contextmanager
    def job(
        self, level: Level, host: Host, base: Done | None, kind: Kind = Kind.BACKUP
    ) -> Iterator[tuple[AgentJob, Agent]]:
        found = base is not None and base.state is not None and not self.restored
        why = Begin(
            kind,
            level,
            self.restored or (StateWhy.FOUND if found else StateWhy.NONE if base is None else StateWhy.LOST),
            0,
            job=f"Job.{self.count}",
            base_job=base.name if base else "",
            state=base.state[0] if found and base and base.state else b"",
            state_format=base.state[1] if found and base and base.state else 0,
            fileset=self.fileset,
        )
        settings = Settings((("journal", self.use), ("journal_directory", str(self.journal))))
        with Agent(self.binary, host, self.status, settings) as agent:
            try:
                begun = agent.begin(why)
            except AgentError as error:
                if error.code != Status.E_BASE:
                    raise
                begun = agent.begin(replace(why, state_why=StateWhy.GAP, state=b"", state_format=0))
            with begun as job:
                yield job, agent

    def run(
        self, level: Level, *, counts: bool = True, fail_after: int | None = None, base: Done | None = None
    ) -> Done | None:
        """A Job. counts: the Director takes it for a base. fail_after: it fails when so many pages have come."""
        self.count += 1
        base = base or self.base_of(level)
        host = JournalHost(rules=self.rules)
        tree: Tree = dict(base.tree) if base else {}
        listed, deleted, everything, pages, named = set(), set(), {}, 0, 0
        with self.job(level, host, base) as (job, _):
            while (page := job.next_page()) is not None:
                wanted = []
                named += len(page)
                for entry, name in page:
                    if entry.change == Change.DELETED:
                        gone = name_of(name, entry.type)
                        deleted.add(gone)
                        tree.pop(gone, None)
                    elif entry.flags & EntryFlag.FAILED:
                        pass
                    else:
                        if entry.flags & EntryFlag.SELECTED or base is None:
                            listed.add(name_of(name, entry.type))
                        wanted.append(Want(entry.cookie, entry.streams & ALL_STREAMS, 0))
                for item in self.driver.fetched(job, wanted):
                    if not item.trouble:
                        everything[name_of(item.name, item.entry.type)] = known(item)
                pages += 1
                if fail_after is not None and pages > fail_after:
                    job.end(Outcome.FAILED)
                    return None
            complete = job.complete
            job.commit()
            job.end(Outcome.DONE)
        based = base is not None and "does not reach back" not in host.texts() and base.state is not None
        if complete:  # other names of an inode that is sent are sent by the host, where it sees them
            inodes = {everything[name][INO] for name in listed & everything.keys() if everything[name][NLINK] > 1}
            listed |= {name for name, value in everything.items() if value[INO] in inodes and not name.endswith(b"/")}
        if base is None or not based:
            assert complete, "what has no base lists everything"
            tree = everything
            listed = set(everything)
        else:
            tree |= {name: value for name, value in everything.items() if name in listed}
        saved_in = {name: (base.saved_in[name] if base and name not in listed else self.count) for name in tree}
        done = Done(
            f"Job.{self.count}",
            level,
            tree,
            host.sealed,
            frozenset(listed),
            frozenset(deleted),
            complete,
            host.texts(),
            saved_in,
            named,
        )
        if counts:
            self.good.append(done)
        return done

    def estimate(self, level: Level) -> set[bytes]:
        """The names that a Job of this level would send now."""
        base = self.base_of(level)
        names = set()
        with self.job(level, JournalHost(rules=self.rules), base, Kind.ESTIMATE) as (job, _):
            while (page := job.next_page()) is not None:
                names |= {
                    name_of(name, entry.type)
                    for entry, name in page
                    if entry.flags & EntryFlag.SELECTED or base is None
                }
            job.end(Outcome.DONE)
        return names

    def now(self) -> Tree:
        """The tree as a walk without a journal reads it."""
        items = self.driver.backup(self.fileset, Host(rules=self.rules))
        return {name_of(item.name, item.entry.type): known(item) for item in items if not item.trouble}


def differences(expected: Tree, found: Tree) -> list[str]:
    out = [f"missing: {name!r}" for name in expected.keys() - found.keys()]
    out += [f"left over: {name!r}" for name in found.keys() - expected.keys()]
    for name in expected.keys() & found.keys():
        if expected[name] != found[name]:
            parts = [
                (
                    number,
                    one if not isinstance(one, bytes) else one[:40],
                    two if not isinstance(two, bytes) else two[:40],
                )
                for number, (one, two) in enumerate(zip(expected[name], found[name], strict=True))
                if one != two
            ]
            out.append(f"stale: {name!r}: {parts}")
    return sorted(out)


class Mutator:
    """A process that changes a tree while Jobs run."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.pid = os.fork()
        if not self.pid:
            code = 1
            try:
                work()
                code = 0
            finally:
                os._exit(code)

    def wait(self) -> None:
        status = os.waitpid(self.pid, 0)[1]
        assert status == 0, "the changes failed"
