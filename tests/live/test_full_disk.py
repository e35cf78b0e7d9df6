"""A restore for a real Director whose disk becomes full, and one whose processes are killed."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.live.bacula import TIMEOUT_S, Bacula
from tests.live.filed_daemon import FiledDaemon
from tests.live.jobs import rows, status_of
from tests.live.reports import expect_report, report
from tests.system.program import wait_until

pytestmark = pytest.mark.live

SMALL, LARGE, ROOM = 40_000, 3_000_000, 1_000_000


@dataclass
class World:
    bacula: Bacula
    daemon: FiledDaemon
    tree: Path
    job_id: int

    @property
    def where(self) -> Path:
        return self.bacula.root / "restored" / self.tree.relative_to("/")

    def begin(self) -> None:
        self.bacula.console(f"restore client={self.bacula.client} jobid={self.job_id} all done yes")

    def ended(self) -> tuple[str, list[str]]:
        """The status of the last restore, and what was said of it."""
        ((number,),) = rows(self.bacula, "SELECT max(JobId) FROM Job WHERE Type = 'R'")
        expect_report(self.bacula, int(str(number)))
        return status_of(self.bacula, int(str(number))), report(self.bacula, int(str(number)))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bacula, Path]]:
    """One Job's data, which all restore."""
    place = tmp_path_factory.mktemp("full")
    tree = place / "tree"
    tree.mkdir()
    for name, size in (("a", SMALL), ("large", LARGE), ("z", SMALL)):
        (tree / name).write_bytes(os.urandom(size))
    with Bacula(place) as bacula:
        bacula.write_confs(
            file_sets=f'FileSet {{ Name = All; Include {{ Options {{ signature = MD5 }} File = "{tree}" }} }}\n',
            jobs="Job { Name = Save; JobDefs = Common; FileSet = All }\n",
        )
        bacula.make_catalog()
        bacula.start("sd", "dir")
        with FiledDaemon(bacula):
            bacula.console("run job=Save yes")
            expect_report(bacula, 1)
        assert status_of(bacula, 1) == "T", bacula.messages()
        yield bacula, tree


@pytest.fixture
def world(kept: tuple[Bacula, Path]) -> Iterator[World]:
    bacula, tree = kept
    shutil.rmtree(bacula.root / "restored", ignore_errors=True)
    with FiledDaemon(bacula) as daemon:
        yield World(bacula, daemon, tree, 1)
        assert "internal error" not in daemon.log()


def check_full(world: World, reason: str) -> None:
    world.begin()
    ended, said = world.ended()
    assert ended in "Ef", said
    assert any(f"{world.where}/large: {reason}" in line for line in said), said
    assert not (world.where / "large").exists()
    assert list(world.where.glob(".*")) == []


def check_good(world: World) -> None:
    world.begin()
    ended, said = world.ended()
    assert ended == "T", said
    for name in ("a", "large", "z"):
        assert (world.where / name).read_bytes() == (world.tree / name).read_bytes()


def test_a_file_that_may_not_grow_is_named_and_does_not_look_whole(world: World) -> None:
    pid, before = world.daemon.process.pid, resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (ROOM, before[1]))
    check_full(world, "File too large")
    for name in ("a", "z"):
        assert (world.where / name).read_bytes() == (world.tree / name).read_bytes()
    resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    check_good(world)


@pytest.mark.root
def test_a_full_disk_is_told_with_the_file(world: World) -> None:
    place = world.bacula.root / "restored"
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "none", place], check=True)
    try:
        check_full(world, "No space left on device")
    finally:
        subprocess.run(["umount", place], check=True)
    check_good(world)


@pytest.mark.parametrize("whom", ["job", "visit", "daemon"])
def test_what_is_killed_leaves_no_file_that_looks_whole_and_the_next_is_good(world: World, whom: str) -> None:
    world.bacula.console(f"setbandwidth client={world.bacula.client} limit=500kb/s")
    world.begin()
    wait_until(world.where.exists, TIMEOUT_S)
    wait_until(lambda: children(world.daemon.process.pid), TIMEOUT_S)
    visit = next(pid for pid in children(world.daemon.process.pid) if children(pid))
    (job,) = children(visit)
    os.kill({"job": job, "visit": visit, "daemon": world.daemon.process.pid}[whom], signal.SIGKILL)
    ended, said = world.ended()
    assert ended in "AEf", said
    wait_until(lambda: not Path(f"/proc/{job}/exe").exists())
    assert not (world.where / "large").exists()
    shutil.rmtree(world.where)
    if whom == "daemon":
        world.daemon.process.wait()
        world.daemon.__enter__()
    world.bacula.console(f"setbandwidth client={world.bacula.client} limit=0")
    check_good(world)
    assert list(world.bacula.work.glob(".filed-*")) == []


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
