"""States of agents through a Director's Jobs, which are kept by its unique names: its Storage is that of tests/job/storage.py."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from filed.catalog import state_of
from filed.fileset import FileSet, Include, Options, Signature
from filed.job.agents.states_file import states_path
from filed.job.description import AgentSetup, Changes, DirectorJob, EstimateJob, Level, NetworkBackup, NetworkRestore
from filed.job.process import start_job
from filed.job.select.accurate_list import append_packet
from filed.process.channel import Event
from filed.process.outcome import JobStatus
from filed.wire.attributes import FileType, parse_attributes
from filed.wire.plugin_name import parse_plugin_name
from filed.wire.restore_object import RestoreObject, parse_restore_object
from filed.wire.stream import Stream
from tests.agents.compile import compile_agent
from tests.job.network import Run, run, storage_at
from tests.job.storage import Storage
from tests.system_agents.jobs import line
from tests.system_agents.plan import ROOT, Item, write_plan

INCREMENTAL = Level.INCREMENTAL
PLUGIN = "trace: label = one"
DONE: Event = {"event": "done"}


class Director:
    """Names Jobs and their bases, as a Director does, and asks a Storage for what it kept."""

    def __init__(self, root: Path, agents: Path, storage: Storage) -> None:
        self.root, self.storage = root, storage
        self.work, self.trace, self.plan = root / "work", root / "trace", root / "plan"
        self.work.mkdir()
        self.agents = agents
        write_plan(self.plan, Item("/@TRACE/a", "A"), ROOT)

    def who(self, job: str, director: str = "a-dir") -> DirectorJob:
        return DirectorJob(7, job, "Save", director, "a-fd", self.work, 1, 17)

    def setup(self, **options: str) -> AgentSetup:
        more = {"trace": str(self.trace), "plan": str(self.plan), **options}
        return AgentSetup((line("trace", **more),), (self.agents,))

    def described(
        self, job: str, level: Level = Level.FULL, base: str = "", plugin: str = PLUGIN, **options: str
    ) -> NetworkBackup:
        fileset = FileSet((Include((Options(signature=Signature.MD5),), plugins=(plugin,)),))
        changes = Changes(since=1 if level is not Level.FULL else 0, base_job=base)
        return NetworkBackup(
            self.who(job), level, fileset, self.setup(**options), changes, storage_at(self.storage.port)
        )

    def backup(self, job: str, level: Level = Level.FULL, base: str = "", **more: str) -> Run:
        return run(self.described(job, level, base, **more))

    def restore(self, objects: tuple[RestoreObject, ...] = (), **options: str) -> Run:
        setup, where = self.setup(**options), os.fsencode(self.root / "to")
        return run(
            NetworkRestore(self.who("Restore.9"), setup, storage_at(self.storage.port), where, objects=objects), [DONE]
        )

    def calls(self, *names: str) -> list[str]:
        """What the agent was asked to do since the last time: those calls, or `confirmed` and `begin` shortened."""
        lines = self.trace.read_text().splitlines() if self.trace.exists() else []
        self.trace.unlink(missing_ok=True)
        lines = [text.removeprefix("one ") for text in lines]
        return [text.partition(" fileset=")[0] for text in lines if text.startswith(names or ("confirmed", "begin"))]

    def objects(self) -> list[RestoreObject]:
        return [parse_restore_object(data) for _, kind, data in self.storage.records if kind == Stream.RESTORE_OBJECT]


@pytest.fixture
def director(tmp_path: Path, agents_dir: Path):
    with Storage() as storage:
        yield Director(tmp_path, agents_dir, storage)


def begin(
    why: str, base: str = "", state: str = "", number: int = 0, *, level: str = "incremental", kind: int = 1
) -> str:
    return f"begin kind={kind} level={level} why={why} base={base} state={state} format={number}"


def test_a_state_goes_out_with_the_job_and_is_found_by_the_name_of_its_base(director: Director) -> None:
    assert director.backup("J.1", state="one").outcome.status is JobStatus.OK
    assert director.calls() == [begin("none", level="full")]
    (item,) = director.objects()
    state = state_of(item)
    assert state is not None
    assert (state.agent, state.instance, state.format, state.blob) == ("trace", PLUGIN, 3, b"one")
    assert director.backup("J.2", INCREMENTAL, "J.1", state="two").outcome.status is JobStatus.OK
    assert director.calls() == ["confirmed J.1 state=one format=3", begin("found", "J.1", "one", 3)]
    assert director.backup("J.3", Level.DIFFERENTIAL, "J.1").outcome.status is JobStatus.OK
    assert director.calls() == [begin("found", "J.1", "one", 3, level="differential")]  # confirmed once


def test_entries_of_a_plugin_line_stand_between_its_names(director: Director) -> None:
    director.backup("J.1", state="one")
    kinds = [kind for _, kind, _ in director.storage.records]
    assert kinds == [26, 1, 2, 3, 26, 26, 1, 26, 28]
    names = [parse_plugin_name(data) for _, kind, data in director.storage.records if kind == Stream.PLUGIN_NAME]
    assert [name.command for name in names if name.start] == [b"trace:2: label = one"] * 2


def test_another_base_than_the_last_job_has_its_own_state_or_none(director: Director) -> None:
    director.backup("J.1", state="one")
    director.backup(
        "J.2", INCREMENTAL, "J.1", state="two"
    )  # the Director failed this one afterwards: it names J.1 again
    director.calls()
    director.backup("J.3", INCREMENTAL, "J.1", state="three")
    assert director.calls() == [begin("found", "J.1", "one", 3)]
    for base, why in (("J.0", "lost"), ("", "unnamed"), ("J.3", "found")):
        director.backup(f"J.of-{base}", INCREMENTAL, base)
        assert f"why={why} base={base} " in director.calls()[-1]


def test_each_instance_and_each_director_has_its_own(director: Director) -> None:
    director.backup("J.1", state="one")
    director.calls()
    run(replace(director.described("J.2", INCREMENTAL, "J.1"), who=director.who("J.2", "other-dir")))
    assert director.calls() == [begin("first", "J.1")]
    director.backup("J.3", INCREMENTAL, "J.1", plugin="trace: complete = yes")
    assert director.calls() == [begin("first", "J.1")]


def test_a_storage_that_keeps_nothing_seals_nothing(tmp_path: Path, agents_dir: Path) -> None:
    with Storage(close_status=69) as storage:
        director = Director(tmp_path, agents_dir, storage)
        assert director.backup("J.1", state="one").outcome.status is JobStatus.FATAL
        assert director.calls("commit", "end") == ["end failed"]
        director.backup("J.2", INCREMENTAL, "J.1")
        assert director.calls() == [begin("first", "J.1")]


def test_a_kill_before_the_storage_has_confirmed_seals_nothing(director: Director) -> None:
    director.backup("J.1", state="one")
    director.calls()
    messages: list[Event] = []
    with start_job(director.described("J.2", INCREMENTAL, "J.1", state="two")) as process:
        director.storage.before_close = lambda: os.kill(process.pid, signal.SIGKILL)
        outcome = process.run(messages.append, lambda: None)
    director.storage.before_close = lambda: None
    assert outcome.status is JobStatus.FATAL
    director.calls()
    director.backup("J.3", INCREMENTAL, "J.1")
    assert director.calls() == [begin("found", "J.1", "one", 3)]
    director.backup("J.4", INCREMENTAL, "J.2")
    assert director.calls() == [begin("lost", "J.2")]


@pytest.mark.parametrize("call", ["commit", "end", "destroy"])
def test_a_crash_behind_the_seal_leaves_a_good_job_and_its_state(director: Director, call: str) -> None:
    ran = director.backup("J.1", state="one", die=call)
    assert ran.outcome.status is JobStatus.WARNINGS
    assert f"in {call}" in "".join(ran.messages)
    director.calls()
    director.backup("J.2", INCREMENTAL, "J.1")
    assert director.calls() == ["confirmed J.1 state=one format=3", begin("found", "J.1", "one", 3)]


def test_a_crash_in_confirmed_is_told_again(director: Director) -> None:
    director.backup("J.1", state="one")
    assert director.backup("J.2", INCREMENTAL, "J.1", die="confirmed").outcome.status is JobStatus.FATAL
    director.calls()
    director.backup("J.3", INCREMENTAL, "J.1")
    assert director.calls()[0] == "confirmed J.1 state=one format=3"


def test_a_restore_makes_it_another_past_and_keeps_states_from_the_agent(director: Director) -> None:
    write_plan(director.plan, Item("/@TRACE/config", "C", kind="o"), Item("/@TRACE/a", "A"), ROOT)
    director.backup("J.1", state="one")
    objects = tuple(director.objects())
    assert len(objects) == 2  # the agent's own, and the state
    director.calls()
    ran = director.restore(objects)
    assert ran.outcome.status is JobStatus.OK, ran.messages
    entries = director.calls("restore_entry")
    assert [text.split(" name=")[1].split()[0] for text in entries] == ["/@TRACE/config", "/@TRACE/a", "/@TRACE"]
    director.backup("J.2", INCREMENTAL, "J.1", state="two")
    assert director.calls() == [begin("restored", "J.1")]
    director.backup("J.3", INCREMENTAL, "J.2")
    assert director.calls()[-1] == begin("found", "J.2", "two", 3)


@pytest.mark.parametrize("spoil", ["lost", "garbage", "bit"])
def test_a_states_file_that_is_lost_or_damaged_costs_a_superset(director: Director, spoil: str) -> None:
    director.backup("J.1", state="the state of J.1")
    path = states_path(director.work)
    data = path.read_bytes()
    if spoil == "lost":
        path.unlink()
    elif spoil == "garbage":
        path.write_bytes(os.urandom(len(data)))
    else:
        assert data.count(b"the state of J.1") == 1
        path.write_bytes(data.replace(b"the state of J.1", b"the state of J.0"))
    director.calls()
    ran = director.backup("J.2", INCREMENTAL, "J.1", state="two")
    assert ran.outcome.status is (JobStatus.WARNINGS if spoil == "garbage" else JobStatus.OK)
    assert any("is damaged" in text for text in ran.messages) == (spoil == "garbage")
    assert director.calls() == [begin("lost" if spoil == "bit" else "first", "J.1")]
    director.backup("J.3", INCREMENTAL, "J.2")
    assert director.calls()[-1] == begin("found", "J.2", "two", 3)


def test_an_estimate_has_the_same_base_and_changes_nothing(director: Director) -> None:
    director.backup("J.1", state="one")
    director.calls()
    backup = director.described("-Console-", INCREMENTAL, "J.1", state="never")
    estimate = EstimateJob(backup.who, backup.level, backup.fileset, backup.agents, backup.changes, listing=True)
    assert run(estimate).outcome.totals.files == 2
    calls = director.calls("confirmed", "begin", "open_stream", "commit", "end")
    assert calls == [begin("found", "J.1", "one", 3, kind=3), "end done"]
    director.backup("J.2", INCREMENTAL, "J.1")
    assert director.calls() == ["confirmed J.1 state=one format=3", begin("found", "J.1", "one", 3)]


def test_of_a_director_the_states_from_the_second_newest_full_on_are_kept(director: Director) -> None:
    levels = [Level.FULL, INCREMENTAL, Level.FULL, INCREMENTAL, Level.FULL, INCREMENTAL]
    for number, level in enumerate(levels):
        director.backup(f"J.{number}", level, f"J.{number - 1}" if level is INCREMENTAL else "", state=f"s{number}")
    director.calls()
    whys = []
    for number in range(len(levels)):
        director.backup(f"K.{number}", INCREMENTAL, f"J.{number}")
        whys.append(director.calls()[-1].split("why=")[1].split()[0])
    assert whys == ["lost", "lost", "found", "found", "found", "found"]


def test_of_a_directors_list_each_agent_deletes_what_is_most_its_own(
    director: Director, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The list does not say who saved an entry: the agent whose claim or File line says most of its path."""
    directory = tmp_path_factory.mktemp("everything")
    compile_agent("trace.c", directory, "everything", ['ID="everything"', 'CLAIM="/"'])
    agents = (director.agents, directory)
    news = director.root / "news"
    fileset = FileSet((Include((Options(signature=Signature.MD5),), files=(b"/@TRACE", b"/")),))

    def saved(changes: Changes, level: Level) -> list[tuple[bytes, FileType]]:
        lines = (line("trace", plan=str(director.plan)), line("everything", plan=str(news), complete="no"))
        setup, storage = AgentSetup(lines, agents), storage_at(director.storage.port)
        director.storage.records.clear()
        done = run(NetworkBackup(director.who("J"), level, fileset, setup, changes, storage))
        assert done.outcome.status is JobStatus.OK, done.outcome.text
        found = [parse_attributes(data) for _, kind, data in director.storage.records if kind == Stream.UNIX_ATTRIBUTES]
        return [(one.path, FileType(one.type)) for one in found]

    write_plan(director.plan, Item("/@TRACE/a", "A"), Item("/@TRACE/b", "B"), ROOT)
    write_plan(news, Item("/srv/x", "X"))
    assert len(saved(Changes(), Level.FULL)) == 4
    listed = director.root / "list"
    with listed.open("wb") as file:
        for _, kind, data in director.storage.records:
            if kind == Stream.UNIX_ATTRIBUTES:
                entry = parse_attributes(data)
                append_packet(file, b"%b\0%b\0\x000" % (entry.path, entry.lstat))
    write_plan(director.plan, Item("/@TRACE/a", "A", times="1700000000"), ROOT)
    write_plan(news)
    sent = saved(Changes(since=1, accurate=listed), INCREMENTAL)
    assert [one for one in sent if one[1] == FileType.DELETED] == [(b"/@TRACE/b", FileType.DELETED)]
