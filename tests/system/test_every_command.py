"""Each command of the program in each kind of trouble: the state stays true, and the next command is right.

ROWS names every command; one that is new and not in it fails a test.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import click
import pytest

from filed.cli.main import cli
from filed.cli.output import open_standard_streams
from tests.system.conftest import Store
from tests.system.program import AGENTS, Ran, Running, filed, filed_program, wait_until
from tests.system.test_disks import small_disk
from tests.system.trees import Directory, File, assert_same, plant, survey
from tests.system.wrong_clock import clock_off

MIB = 1 << 20


@dataclass(slots=True)
class World:
    """A storage with a Full, an Incremental and a Full of another name; what its commands need lies beside it."""

    place: Path
    store: Store
    tree: Path = field(init=False)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.tree = plant(self.place / "tree", Directory(entries={b"a": File(b"a" * 30_000), b"b": File(b"b")}))
        self.store.backup("full", self.tree)
        (self.tree / "b").write_text("changed")
        self.store.backup("incremental", self.tree)
        self.store.backup("full", "--job", "Other", self.tree)
        (self.place / "library.txt").write_text("a line\n")
        self.conf.write_text(
            "Job { Name = J; FileSet = F; Storage = S }\n"
            f"FileSet {{ Name = F; Include {{ File = {self.tree} }} }}\n"
            f"Storage {{ Name = S; Archive Device = {self.store.path} }}\n"
        )
        self.daemon.write_text(
            f"FileDaemon {{ Name = fd; WorkingDirectory = {self.place} }}\nDirector {{ Name = d; Password = secret }}\n"
        )
        self.daemon.chmod(0o600)

    @property
    def conf(self) -> Path:
        return self.place / "filed.conf"

    @property
    def daemon(self) -> Path:
        return self.place / "fd.conf"

    def fresh(self) -> Path:
        """A name that nothing has."""
        return self.place / f"new-{next(self.numbers)}"

    def empty(self) -> Path:
        made = self.fresh()
        made.mkdir()
        return made

    def is_right(self) -> None:
        """The catalog is sound, no Job is said to run that does not, and the next backup and restore are good."""
        wait_until(lambda: [job for job in self.store.jobs() if job["status"] == "R"] == [])
        self.store("catalog", "check")
        self.store("verify")
        (self.tree / "b").write_text(f"changed again {next(self.numbers)}")
        assert self.store.backup("incremental", self.tree)["status"] == "T"
        where = self.fresh()
        self.store("restore", "--where", where)
        assert_same(survey(self.tree), survey(where / self.tree.relative_to("/")))


@dataclass(frozen=True, slots=True)
class Row:
    """words: of the command line behind its name.  code: when nothing is wrong.  answers: what it prints is all that it is for."""

    words: Callable[[World], tuple[str | Path, ...]]
    code: int = 0
    answers: bool = False
    stored: bool = False  # it looks into a storage, or writes there


def in_storage(*words: str, code: int = 0, answers: bool = False) -> Row:
    return Row(lambda world: ("-s", world.store.path, *words), code, answers, stored=True)


FILESYSTEM = AGENTS / "filesystem.so"
JOURNAL = Row(lambda world: ("--store", world.place), code=1)  # no watcher is running
ROWS: dict[str, Row] = {
    "init": Row(lambda world: ("-s", world.empty())),
    "backup": Row(lambda world: ("-s", world.store.path, "--level", "incremental", world.tree), stored=True),
    "restore": Row(lambda world: ("-s", world.store.path, "--where", world.fresh()), stored=True),
    "jobs": in_storage(answers=True),
    "ls": in_storage("-l", answers=True),
    "find": in_storage("*", answers=True),
    "diff": in_storage("1", "2", code=4, answers=True),
    "verify": in_storage(),
    "prune": in_storage("--keep-fulls", "9"),
    "catalog check": in_storage(answers=True),
    "catalog rebuild": in_storage(),
    "agent cflags": Row(lambda _: (), answers=True),
    "agent check": Row(lambda world: (FILESYSTEM, "--only", "load", "--path", world.tree)),
    "agent info": Row(lambda _: ("filesystem",), answers=True),
    "agent install": Row(lambda world: (FILESYSTEM, "-d", world.empty()), answers=True),
    "agent list": Row(lambda _: (), answers=True),
    "agent new": Row(lambda world: ("facts", "-d", world.empty())),
    "agent options": Row(lambda _: ("filesystem",), answers=True),
    "agent ready": Row(lambda world: (world.conf,), answers=True),
    "agent run": Row(lambda world: (FILESYSTEM, "--list", "--path", world.tree), answers=True),
    "key new": Row(lambda world: ("--bits", "2048", world.fresh())),
    "daemon": Row(lambda world: ("-t", "-c", world.daemon)),
    "journal start": Row(lambda world: ("--unit", world.tree), answers=True),
    "journal status": JOURNAL,
    "journal check": JOURNAL,
    "journal stop": JOURNAL,
    "config check": Row(lambda world: (world.conf,), answers=True),
    "completion": Row(lambda _: ("bash",), answers=True),
    "delete": in_storage("3"),
}
STORED = {name: row for name, row in ROWS.items() if row.stored}


def commands(group: click.Group, name: str = "") -> Iterator[str]:
    for word in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), word)
        if isinstance(command, click.Group):
            yield from commands(command, f"{name}{word} ")
        else:
            yield name + word


def test_every_command_is_in_the_table() -> None:
    assert sorted(commands(cli)) == sorted(ROWS)


@pytest.fixture
def world(place: Path) -> World:
    return World(place, Store(place / "volumes"))


def line(name: str, world: World) -> tuple[str | Path, ...]:
    return (*name.split(), *ROWS[name].words(world))


# ---- what it says cannot be written, or is read slowly -----------------------------------------------------------------------


def closed(*descriptors: int) -> Callable[[], None]:
    def close() -> None:
        for descriptor in descriptors:
            os.close(descriptor)
        open_standard_streams()

    return close


def full(*descriptors: int) -> Callable[[], None]:
    def fill() -> None:
        for descriptor in descriptors:
            os.dup2(os.open("/dev/full", os.O_WRONLY), descriptor)

    return fill


@pytest.mark.parametrize(
    ("trouble", "lost"),
    [(closed(0, 1, 2), False), (full(1), True), (full(2), False)],
    ids=["all closed", "stdout full", "stderr full"],
)
def test_what_it_says_cannot_be_written(world: World, trouble: Callable[[], None], *, lost: bool) -> None:
    """Work is done, and its code stands; an answer that is lost is code 1."""
    for name, row in ROWS.items():
        ran = filed(*line(name, world), code=(0, 1, 2, 3, 4), before=trouble)
        assert ran.code == (1 if lost and row.answers else row.code), str(ran)
        assert "Traceback" not in ran.out + ran.err
    world.is_right()


def test_what_it_says_is_read_byte_by_byte(world: World) -> None:
    for name, row in ROWS.items():
        reader, writer = os.pipe()
        running = Running(*line(name, world), before=lambda writer=writer: os.dup2(writer, 1))  # type: ignore[misc]  # bound now
        os.close(writer)
        while os.read(reader, 1):
            pass
        os.close(reader)
        running.ended(code=row.code)
    world.is_right()


# ---- it is killed, or its storage gives way --------------------------------------------------------------------------------------


def test_it_is_killed(world: World) -> None:
    rng = random.Random("killed")
    for name, row in ROWS.items():
        running = Running(*line(name, world))
        job = running.job_process()
        time.sleep(rng.uniform(0, 0.2))  # at any moment
        os.kill(running.pid, signal.SIGKILL)
        running.ended()
        if job is not None:
            wait_until(lambda job=job: not Path(f"/proc/{job}").exists())  # type: ignore[misc]  # bound now
        if row.stored:
            world.store("jobs")
    world.is_right()


@contextmanager
def read_only(path: Path) -> Iterator[None]:
    subprocess.run(["mount", "--bind", path, path], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", path], check=True)
        yield
    finally:
        subprocess.run(["umount", path], check=True)


def tried(world: World) -> dict[str, Ran]:
    """All that touch a storage, one after the other. Whatever they end with, it is no crash."""
    found = {name: filed(*line(name, world), code=(0, 1, 2, 3, 4)) for name in STORED}
    assert [ran for ran in found.values() if "Traceback" in ran.err or "internal error" in ran.err] == []
    return found


@pytest.mark.root
def test_its_storage_is_read_only(world: World) -> None:
    before = world.store.jobs()
    with read_only(world.store.path):
        found = tried(world)
        assert world.store.jobs() == before
    codes = {name: ran.code for name, ran in found.items()}
    changing = {"backup", "prune", "delete", "catalog rebuild"}
    assert {name: code for name, code in codes.items() if name not in changing} == {
        name: row.code for name, row in STORED.items() if name not in changing
    }
    assert all(codes[name] for name in changing - {"prune"}), codes  # of prune there was nothing to do
    world.is_right()


def fill_up(file: Path) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)
    with suppress(OSError):
        while True:
            os.write(descriptor, bytes(4096))
    os.close(descriptor)


@pytest.mark.root
def test_its_storage_is_full(place: Path) -> None:
    with small_disk(place / "disk", 8 * MIB) as disk:
        world = World(place, Store(disk / "volumes"))
        (world.tree / "large").write_bytes(os.urandom(2 * MIB))
        ballast = disk / "ballast"
        fill_up(ballast)
        before = [job["jobid"] for job in world.store.jobs() if job["status"] == "T"]
        found = tried(world)
        assert found["backup"].code in (1, 2), str(found["backup"])
        assert found["restore"].code == found["verify"].code == 0
        assert found["prune"].code == found["delete"].code == 0
        assert "removed Volume" in found["delete"].out  # what frees the disk works where it is needed
        ballast.unlink()
        assert set(before) - {job["jobid"] for job in world.store.jobs() if job["status"] == "T"} <= {
            3
        }  # what was deleted
        (world.tree / "large").unlink()
        world.is_right()


def test_the_clock_goes_forward_and_back_between_them(world: World) -> None:
    off = itertools.cycle((400_000_000, -400_000_000))
    for name, row in STORED.items():
        filed_program(*line(name, world), code=row.code, env=clock_off(next(off)))
    latest = world.store.jobs()[-1]["jobid"]
    assert filed("restore", "-s", world.store.path, "--dry-run", "--json", "--where", "/").json["jobid"] == latest
    world.is_right()
