"""Twenty Jobs at once, one after the other, as long as one likes: all are good, and the daemon stays as small as it was.

Sixteen are backups and four restores; between them come status, an estimate, and a cancel now and then. FILED_SOAK_S=600 for ten
minutes; the usual few seconds show that it can be run. docs/robustness.md has the figures of ten minutes.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import pytest

from tests.live.bacula import TIMEOUT_S, Bacula
from tests.live.filed_daemon import FiledDaemon
from tests.live.jobs import Shown, rows, shown
from tests.live.reports import saved
from tests.system.program import wait_until

pytestmark = [pytest.mark.live, pytest.mark.slow]

SECONDS = float(os.environ.get("FILED_SOAK_S", "6"))
AT_ONCE = 20
RESTORES = [f"Back{number}" for number in range(4)]
BACKUPS = [f"J{number}" for number in range(AT_ONCE - len(RESTORES))]
OVER = "('T', 'W', 'E', 'e', 'f', 'A', 'I')"
ESTIMATED, CANCELED = 0.2, 0.1  # of the rounds at the console
FILES, FILE_BYTES = 250, 6000
SAMPLE_S = 1.0
MAX_GROWTH = 1.05  # of the daemon's memory, from the first quarter to the last


@dataclass(frozen=True)
class Sample:
    """Of the daemon and its children; a visit has a Job's process as its child. Sizes in KiB."""

    seconds: float
    daemon_rss: int
    daemon_pss: int
    descriptors: int
    visits: int
    visit_pss: int  # the largest
    job_pss: int  # the largest
    all_pss: int  # of all visits and Jobs


@dataclass
class World:
    """shown: what each restore has to bring back. sources: restore -> the JobId of what it restores, from a device of its own."""

    bacula: Bacula
    tree: Path
    shown: Shown
    sources: dict[str, int] = field(default_factory=dict)
    started: int = 0
    estimates: int = 0
    canceled: set[int] = field(default_factory=set)
    samples: list[Sample] = field(default_factory=list)

    def where(self, restore: str) -> Path:
        return self.bacula.root / f"restored-{restore}"

    def command(self, name: str, level: str) -> str:
        if name in BACKUPS:
            return f"run job={name} level={level} yes"
        return f"restore client={self.bacula.client} restorejob={name} jobid={self.sources[name]} where={self.where(name)} all done yes"


def planted(tree: Path) -> None:
    rng = random.Random(1)
    for number in range(FILES):
        path = tree / f"d{number % 20}" / f"f{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.randbytes(FILE_BYTES))
    for path in (*tree.rglob("*"), tree):
        os.utime(path, (1_600_000_000, 1_600_000_000))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    tree = tmp_path / "tree"
    planted(tree)
    with Bacula(tmp_path) as bacula:
        bacula.write_confs(
            client="Maximum Bandwidth Per Job = 400 kb/s",  # so that each takes some seconds, and twenty at once have room
            file_sets=f'FileSet {{ Name = All; Include {{ Options {{ signature = SHA1; compression = GZIP1 }} File = "{tree}" }} }}\n',
            jobs="".join(
                f"Job {{ Name = {name}; JobDefs = Common; FileSet = All; Accurate = {accurate} }}\n"
                for name, accurate in zip(BACKUPS, cycle(("yes", "no")), strict=False)
            )
            + "".join(map(source, RESTORES)),
        )
        for name in ("dir", "sd"):
            text = (
                bacula.conf(name)
                .read_text()
                .replace("Maximum Concurrent Jobs = 5", f"Maximum Concurrent Jobs = {AT_ONCE}")
            )
            bacula.conf(name).write_text(text.replace("FDPort =", f"Maximum Concurrent Jobs = {AT_ONCE}\n  FDPort ="))
        add_devices(bacula)
        bacula.make_catalog()
        bacula.start("sd", "dir")
        yield World(bacula, tree, shown(tree))


def source(restore: str) -> str:
    """A restore, and the backup that it restores."""
    return (
        f"Job {{\n  Name = For{restore}; JobDefs = Common; FileSet = All\n  Storage = For{restore}\n}}\n"
        f"Job {{ Name = {restore}; JobDefs = Common; Type = Restore; Where = /nonexistent }}\n"
    )


def add_devices(bacula: Bacula) -> None:
    """One for each restore: a device of the Storage Daemon is read by one Job at a time, and not while others write to it."""
    to_director, to_storage = [], []
    storage = re.search(r"^Storage {.*?^}\n", bacula.conf("dir").read_text(), re.DOTALL | re.MULTILINE)
    device = re.search(r"^Device {.*?^}\n", bacula.conf("sd").read_text(), re.DOTALL | re.MULTILINE)
    assert storage is not None
    assert device is not None
    for name in RESTORES:
        volumes = bacula.root / f"volumes-{name}"
        volumes.mkdir()
        ours = device[0].replace("Media Type = File", f"Media Type = {name}").replace(str(bacula.volumes), str(volumes))
        to_storage.append(ours.replace("Name = Files", f"Name = {name}"))
        theirs = (
            storage[0].replace("Media Type = File", f"Media Type = {name}").replace("Name = Disk", f"Name = For{name}")
        )
        to_director.append(theirs.replace("Device = Files", f"Device = {name}"))
    for conf, more in (("dir", to_director), ("sd", to_storage)):
        with bacula.conf(conf).open("a") as file:
            file.writelines(more)


def test_twenty_jobs_at_once_are_good_and_the_memory_stays_flat(world: World) -> None:
    bacula = world.bacula
    with FiledDaemon(bacula) as daemon:
        world.sources = dict(zip(RESTORES, saved(bacula, *(f"For{name}" for name in RESTORES)), strict=True))
        wait_until(lambda: not daemon.children(), TIMEOUT_S)
        before = sample(daemon.process.pid, 0)
        soaked(world, daemon)
        wait_until(lambda: unfinished(world) == 0 and not daemon.children(), TIMEOUT_S)
        after = sample(daemon.process.pid, SECONDS)
        assert "internal error" not in daemon.log()
    told(world, [before, *world.samples, after])
    ended = rows(bacula, "SELECT JobId, JobStatus FROM Job")
    wrong = [each for each in ended if each[1] != "T" and not (each[0] in world.canceled and each[1] == "A")]
    assert not wrong, bacula.messages()[-5000:]
    assert len(ended) == world.started + len(RESTORES)
    assert (after.visits, after.descriptors) == (0, before.descriptors)
    assert list(bacula.work.glob(".filed-*")) == []
    if len(world.samples) > 100:  # fewer tell nothing
        assert max(each.visits for each in world.samples) >= AT_ONCE
        assert {status for _, status in ended} == {"T", "A"}
        quarter = len(world.samples) // 4
        assert middle(world.samples[-quarter:]) < MAX_GROWTH * middle(world.samples[quarter // 2 : quarter])


def soaked(world: World, daemon: FiledDaemon) -> None:
    """Start each Job again whenever it is over, until the time is."""
    began = time.monotonic()
    chance = random.Random(2)
    while (seconds := time.monotonic() - began) < SECONDS:
        found = rows(world.bacula, f"SELECT Name, JobId FROM Job WHERE JobStatus NOT IN {OVER}")
        running = {str(name): int(str(job_id)) for name, job_id in found}
        idle = [name for name in (*BACKUPS, *RESTORES) if name not in running]
        for name in set(idle).intersection(RESTORES):
            check_restored(world, name)
        commands = [world.command(name, chance.choice(("Full", "Full", "Full", "Incremental"))) for name in idle]
        if chance.random() < ESTIMATED:
            commands.append(f"estimate job={chance.choice(BACKUPS)} listing")
            world.estimates += 1
        if running and chance.random() < CANCELED:
            job_id = chance.choice([*running.values()])
            commands.append(f"cancel jobid={job_id} yes")
            world.canceled.add(job_id)
        said = world.bacula.console(*commands, f"status client={world.bacula.client}")
        assert "Running Jobs" in said
        assert ("2000 OK estimate" in said) == ("estimate job=" in " ".join(commands)), said
        world.started += len(queued := re.findall(r"^Job queued. JobId=\d+", said, re.MULTILINE))
        assert len(queued) == len(idle), said
        if not world.samples or seconds - world.samples[-1].seconds >= SAMPLE_S:
            world.samples.append(sample(daemon.process.pid, seconds))


def check_restored(world: World, restore: str) -> None:
    """Its last Job, if there was one, has brought all back, unless it was canceled. Makes room for the next one."""
    last = rows(world.bacula, f"SELECT JobId, JobStatus FROM Job WHERE Name = '{restore}' ORDER BY JobId DESC LIMIT 1")
    if last and last[0][1] == "T":
        assert shown(world.where(restore) / world.tree.relative_to("/")) == world.shown, f"JobId {last[0][0]}"
    shutil.rmtree(world.where(restore), ignore_errors=True)


def unfinished(world: World) -> int:
    ((over,),) = rows(world.bacula, f"SELECT count(*) FROM Job WHERE JobStatus IN {OVER}")
    return world.started + len(RESTORES) - int(str(over))


def middle(samples: list[Sample]) -> float:
    return statistics.median(each.daemon_rss for each in samples)


def sample(pid: int, seconds: float) -> Sample:
    visits = children(pid)
    jobs = [job for visit in visits for job in children(visit)]
    rss, pss = sizes(pid)
    of_visits, of_jobs = ([sizes(each)[1] for each in some] or [0] for some in (visits, jobs))
    descriptors = len(os.listdir(f"/proc/{pid}/fd"))
    return Sample(
        seconds, rss, pss, descriptors, len(visits), max(of_visits), max(of_jobs), sum(of_visits) + sum(of_jobs)
    )


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []  # it has just ended


def sizes(pid: int) -> tuple[int, int]:
    """RSS and PSS in KiB."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0, 0
    found = dict(re.findall(r"^(Rss|Pss): +(\d+) kB", text, re.MULTILINE))
    return int(found.get("Rss", 0)), int(found.get("Pss", 0))


def told(world: World, samples: list[Sample]) -> None:
    """What docs/robustness.md shows."""
    ended = Counter(rows(world.bacula, "SELECT Type, JobStatus FROM Job"))
    print(f"{world.started} Jobs in {SECONDS:.0f} s, {world.estimates} estimates; by type and status: {dict(ended)}")
    print("     s  daemon RSS   PSS  descriptors  visits  largest visit  largest Job  all of them (PSS, MiB)")
    for each in (*samples[:-1][:: max(len(samples) // 12, 1)], samples[-1]):
        sizes_mib = [
            size / 1024 for size in (each.daemon_rss, each.daemon_pss, each.visit_pss, each.job_pss, each.all_pss)
        ]
        print(
            f"{each.seconds:6.0f} {sizes_mib[0]:11.1f} {sizes_mib[1]:5.1f} {each.descriptors:12} {each.visits:7}"
            f" {sizes_mib[2]:14.1f} {sizes_mib[3]:12.1f} {sizes_mib[4]:12.1f}"
        )
