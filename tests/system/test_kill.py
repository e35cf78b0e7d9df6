"""Whatever dies at whatever moment: no Job is good that is not there, and the next one works.

FILED_KILLS=200 tries more moments than the usual ones.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import random
import select
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.conftest import Store
from tests.system.odd_tree import GIB, noise
from tests.system.program import Running, filed_program, wait_until
from tests.system.trees import Directory, File, HardLink, assert_same, plant, survey

KILLS = int(os.environ.get("FILED_KILLS", "24"))
GONE_IN_S = 20


def steady_names(store: Store) -> list[str]:
    """What may lie in a directory of Volumes when nobody works on it."""
    return sorted(path.name for path in store.path.iterdir())


def allowed(name: str) -> bool:
    """`.filed-`: killed in the very moment of making it; a backup after an hour removes it."""
    return name.startswith((".filed-", "Vol-", "catalog.sqlite")) or name in (".sequence", ".storage")


def work(place: Path) -> Path:
    """Small files, large ones, links: a Job of some tenths of a second that does everything a Job does."""
    folders = {
        b"d%d" % d: Directory(entries={b"f%d" % n: File(noise(200 * n, d * 100 + n)) for n in range(40)})
        for d in range(20)
    }
    large: dict[bytes, File | HardLink] = {b"large %d" % n: File(noise(3_000_000, n)) for n in range(4)}
    large[b"again"] = HardLink(b"large 0")
    return plant(place / "tree", Directory(entries=folders | large))


class Victims:
    """The processes of one command, held so that none is forked while we look; then killed."""

    def __init__(self, running: Running) -> None:
        self._running = running
        os.kill(running.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, running.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)  # only now nothing is forked any more
        self.job = running.job_process()
        self._watched = os.pidfd_open(self.job) if self.job else None

    def kill(self, whom: str) -> None:
        parent, job = self._running.pid, self.job
        if job is not None and whom in ("job", "both"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(job, signal.SIGKILL)
        if whom == "hangup":
            os.kill(parent, signal.SIGHUP)
        elif whom in ("parent", "both") or job is None:
            os.kill(parent, signal.SIGKILL)
        os.kill(parent, signal.SIGCONT)

    def gone(self) -> bool:
        """Wait until the Job's process has ended, by itself if it was not killed."""
        if self._watched is None:
            return True
        poll = select.poll()
        poll.register(self._watched, select.POLLIN)
        ended = bool(poll.poll(GONE_IN_S * 1000))
        os.close(self._watched)
        return ended


@pytest.mark.parametrize("whom", ["parent", "job", "both", "hangup"])
def test_killed_at_any_moment_nothing_false_stays_and_the_next_job_works(whom: str, memory: Path) -> None:
    rng = random.Random(f"killed {whom}")
    tree, store = work(memory), Store(memory / "volumes")
    began = time.monotonic()
    store.backup("full", tree)
    usual_s = time.monotonic() - began
    for number in range(KILLS // 4):
        level = rng.choice(("full", "incremental"))
        (tree / "d3" / "f7").write_bytes(noise(50_000, number))
        (tree / "large 1").write_bytes(noise(2_000_000, number))
        before = store.jobs()
        running = Running("backup", "-s", store.path, "--level", level, tree)
        time.sleep(rng.uniform(0, usual_s))
        victims = Victims(running)
        victims.kill(whom)
        killed = running.ended()
        assert victims.gone(), "the Job's process stays behind"

        done = store("backup", "--json", "--level", rng.choice(("full", "incremental")), tree)
        what = f"kill {number} of {whom}: {killed}\nthen {done}"
        jobs = store.jobs()
        assert [job for job in jobs if job["status"] == "R"] == [], what
        met = [job for job in jobs[len(before) :] if job["jobid"] != done.json["jobid"]]
        assert len(met) <= 1, what
        for job in met:
            assert job["status"] in ("T", "f", "A"), what
            assert job["status"] != "T" or whom != "both" or store("verify", str(job["jobid"])), what
        assert [name for name in steady_names(store) if not allowed(name)] == [], what
        fulls = [job for job in jobs if job["level"] == "F" and job["status"] == "T"]  # each has a Volume of its own
        assert len(list(store.path.glob("Vol-*"))) == len(fulls), what
        store("verify", str(done.json["jobid"]))
    assert_restores(store, tree, memory)
    store("verify")
    store("catalog", "check")
    good = [job["jobid"] for job in store.jobs() if job["status"] == "T"]
    store("catalog", "rebuild")
    assert [job["jobid"] for job in store.jobs() if job["status"] == "T"] == good
    assert_restores(store, tree, memory)


@pytest.mark.parametrize("whom", ["both", "job"])
def test_the_volumes_that_a_killed_job_had_filled_are_taken_back(whom: str, memory: Path) -> None:
    tree, store = work(memory), Store(memory / "volumes")
    limit = ("--max-volume-bytes", "2000000")
    store.backup("full", tree, *limit)
    before = {path.name: path.stat().st_size for path in store.path.glob("Vol-*")}
    running = Running("backup", "-s", store.path, "--level", "full", tree, *limit)
    wait_until(lambda: len(list(store.path.glob("Vol-*"))) > len(before) + 2)
    victims = Victims(running)
    victims.kill(whom)
    running.ended()
    assert victims.gone()
    taken: object = []
    if whom == "both":
        taken = store.backup("incremental", tree, *limit)["volumes"]
    else:
        store("prune")
    after = {path.name: path.stat().st_size for path in store.path.glob("Vol-*")}
    assert before.keys() <= after.keys()
    assert [name for name in after.keys() - before.keys() if name not in taken] == []  # type: ignore[operator]
    assert sum(after.values()) < sum(before.values()) + 10_000
    store("verify")
    assert_restores(store, tree, memory)


class Fuse:
    """Kills this process and its parent in front of the `burns`-th call about a Volume in the making, the `volumes`-th one made."""

    CALLS = ((os, "open"), (fcntl, "flock"), (os, "fstat"), (os, "pwrite"), (os, "fsync"), (os, "close"))

    def __init__(self, burns: int, volumes: int = 3) -> None:
        self._left, self._volumes = burns, volumes

    def lay(self) -> None:
        for module, name in self.CALLS:
            setattr(module, name, functools.partial(self._call, getattr(module, name)))

    def _call(self, function: Callable[..., object], *arguments: object, **more: object) -> object:
        path = os.fsdecode(arguments[0]) if isinstance(arguments[0], Path) else ""
        if "/Vol-" in path and function is os_open and int(arguments[1]) & os.O_EXCL:  # type: ignore[call-overload]
            self._volumes -= 1
        if self._volumes <= 0:
            self._left -= 1
            if not self._left:
                os.kill(os.getppid(), signal.SIGKILL)
                os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **more)


os_open = os.open


@pytest.mark.parametrize("burns", range(1, 12))
def test_killed_at_each_step_of_making_a_volume_nothing_stays(burns: int, memory: Path) -> None:
    """open, flock, fstat, write of the label, fsync, and the directory's; then the first blocks."""
    tree, store = work(memory), Store(memory / "volumes")
    limit = ("--max-volume-bytes", "2000000")
    store.backup("full", tree, *limit)
    before = {path.name: path.stat().st_size for path in store.path.glob("Vol-*")}
    running = Running("backup", "-s", store.path, "--level", "full", tree, *limit, before=Fuse(burns).lay)
    running.ended(code=-signal.SIGKILL)
    left = {path.name for path in store.path.glob("Vol-*")}
    assert len(left) >= len(before) + 2  # it was in the midst of it

    def taken_back() -> bool:
        """As soon as the kernel has let go of the Job's process; until then it counts as running."""
        store("prune", code=(0, 1))
        return {path.name: path.stat().st_size for path in store.path.glob("Vol-*")} == before

    wait_until(taken_back)
    store("verify")


def assert_restores(store: Store, tree: Path, place: Path) -> None:
    where = place / f"restored-{time.monotonic_ns()}"
    store("restore", "--where", where)
    assert_same(survey(tree), survey(where / tree.relative_to("/")))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_backup_is_marked_canceled_and_taken_back(how: signal.Signals, memory: Path) -> None:
    store = Store(memory / "volumes")
    small = plant(memory / "small", Directory(entries={b"f": File(b"x")}))
    store.backup("full", small, "--job", "Small")
    # Zeros that have to be written one by one: hours of work that need no space.
    endless = plant(memory / "endless", Directory(entries={b"zeros": File(size=4000 * GIB)}))
    running = Running("backup", "-s", store.path, "--no-sparse", "--compress", "zstd1", "--digest", "xxh3_128", endless)
    volume = store.path / "Vol-0002"
    wait_until(lambda: volume.exists() and volume.stat().st_size > 200_000)
    began = time.monotonic()
    os.killpg(running.pid, how)  # as a terminal does
    ran = running.ended(code=130)
    assert time.monotonic() - began < 60
    assert "the Job was canceled (JobId 2)" in ran.err
    assert [job["status"] for job in store.jobs()] == ["T", "A"]
    assert not volume.exists()
    assert [name for name in steady_names(store) if not allowed(name)] == []
    assert store.backup("incremental", small, "--job", "Small")["level"] == "Incremental"


def test_an_interrupted_restore_leaves_no_file_that_looks_whole(memory: Path) -> None:
    store = Store(memory / "volumes")
    tree = plant(memory / "tree", Directory(entries={b"zeros": File(size=6 * GIB)}))
    store.backup("full", tree, "--no-sparse", "--compress", "zstd1", "--digest", "none")
    where = memory / "r"
    running = Running("restore", "-s", store.path, "--where", where)
    restored = where / tree.relative_to("/")
    wait_until(restored.exists)
    os.killpg(running.pid, signal.SIGINT)
    ran = running.ended(code=130)
    assert "anceled" in ran.err + ran.out
    assert os.listdir(restored) == []


def test_the_installed_program_may_be_stopped_from_its_first_instruction_on(memory: Path) -> None:
    tree = plant(memory / "tree", Directory(entries={b"f": File(b"x")}))
    store = Store(memory / "volumes")
    for step in range(8):
        ran = filed_program(
            *("backup", "-s", store.path, tree),
            under=("timeout", "--preserve-status", "-s", "INT", f"{0.02 + 0.04 * step}"),
            code=(0, 1, 130, -signal.SIGINT),  # 1: Python itself, before any of our code
        )
        assert ran.code != 1 or "init_import_site" in ran.err
    store.backup("full", tree)
    assert {job["status"] for job in store.jobs()} <= {"T", "A"}
    store("verify")
