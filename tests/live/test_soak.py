"""Twenty Jobs at once, one after the other, as long as one likes: all are good, and the daemon stays as small as it was.

FILED_SOAK_S=600 for ten minutes; the usual few seconds show that it can be run. docs/robustness.md has the figures of ten minutes.
"""

from __future__ import annotations

import os
import random
import re
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import pytest

from tests.live.bacula import TIMEOUT_S, Bacula
from tests.live.filed_daemon import FiledDaemon
from tests.live.jobs import rows
from tests.system.program import wait_until

pytestmark = [pytest.mark.live, pytest.mark.slow]

SECONDS = float(os.environ.get("FILED_SOAK_S", "6"))
AT_ONCE = 20
NAMES = [f"J{number}" for number in range(AT_ONCE)]
OVER = "('T', 'W', 'E', 'e', 'f', 'A', 'I')"
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


@pytest.fixture
def bacula(tmp_path: Path) -> Iterator[Bacula]:
    tree = tmp_path / "tree"
    rng = random.Random(1)
    for number in range(FILES):
        path = tree / f"d{number % 20}" / f"f{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.randbytes(FILE_BYTES))
    with Bacula(tmp_path) as made:
        made.write_confs(
            client="Maximum Bandwidth Per Job = 400 kb/s",  # so that each takes some seconds, and twenty at once have room
            file_sets=f'FileSet {{ Name = All; Include {{ Options {{ signature = SHA1; compression = GZIP1 }} File = "{tree}" }} }}\n',
            jobs="".join(
                f"Job {{ Name = {name}; JobDefs = Common; FileSet = All; Accurate = {accurate} }}\n"
                for name, accurate in zip(NAMES, cycle(("yes", "no")), strict=False)
            ),
        )
        for name in ("dir", "sd"):
            text = (
                made.conf(name)
                .read_text()
                .replace("Maximum Concurrent Jobs = 5", f"Maximum Concurrent Jobs = {AT_ONCE}")
            )
            made.conf(name).write_text(text.replace("FDPort =", f"Maximum Concurrent Jobs = {AT_ONCE}\n  FDPort ="))
        made.make_catalog()
        made.start("sd", "dir")
        yield made


def test_twenty_jobs_at_once_are_good_and_the_memory_stays_flat(bacula: Bacula) -> None:
    with FiledDaemon(bacula) as daemon:
        before = sample(daemon.process.pid, 0)
        samples, started = soaked(bacula, daemon)
        wait_until(lambda: unfinished(bacula, started) == 0 and not daemon.children(), TIMEOUT_S)
        after = sample(daemon.process.pid, SECONDS)
        assert "internal error" not in daemon.log()
    told(samples, started)
    statuses = dict(rows(bacula, "SELECT JobStatus, count(*) FROM Job GROUP BY JobStatus"))
    assert statuses == {"T": started}, bacula.messages()[-5000:]
    assert (after.visits, after.descriptors) == (0, before.descriptors)
    assert list(bacula.work.glob(".filed-*")) == []
    if len(samples) > 100:  # fewer tell nothing
        assert max(each.visits for each in samples) >= AT_ONCE
        quarter = len(samples) // 4
        assert middle(samples[-quarter:]) < MAX_GROWTH * middle(samples[quarter // 2 : quarter])


def soaked(bacula: Bacula, daemon: FiledDaemon) -> tuple[list[Sample], int]:
    """Start each Job again whenever it is over, until the time is. Returns how many were started, too."""
    samples: list[Sample] = []
    started, began = 0, time.monotonic()
    chance = random.Random(2)
    while (seconds := time.monotonic() - began) < SECONDS:
        running = {name for (name,) in rows(bacula, f"SELECT Name FROM Job WHERE JobStatus NOT IN {OVER}")}
        idle = [name for name in NAMES if name not in running]
        said = bacula.console(
            *(f"run job={name} level={chance.choice(('Full', 'Full', 'Full', 'Incremental'))} yes" for name in idle),
            f"status client={bacula.client}",
        )
        assert "Running Jobs" in said
        started += len(re.findall(r"^Job queued. JobId=\d+", said, re.MULTILINE))
        if not samples or seconds - samples[-1].seconds >= SAMPLE_S:
            samples.append(sample(daemon.process.pid, seconds))
    return samples, started


def unfinished(bacula: Bacula, started: int) -> int:
    ((over,),) = rows(bacula, f"SELECT count(*) FROM Job WHERE JobStatus IN {OVER}")
    return started - int(str(over))


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


def told(samples: list[Sample], started: int) -> None:
    """What docs/robustness.md shows."""
    print(f"{started} Jobs in {SECONDS:.0f} s")
    print("     s  daemon RSS   PSS  descriptors  visits  largest visit  largest Job  all of them (PSS, MiB)")
    for each in samples[:: max(len(samples) // 12, 1)]:
        sizes_mib = [
            size / 1024 for size in (each.daemon_rss, each.daemon_pss, each.visit_pss, each.job_pss, each.all_pss)
        ]
        print(
            f"{each.seconds:6.0f} {sizes_mib[0]:11.1f} {sizes_mib[1]:5.1f} {each.descriptors:12} {each.visits:7}"
            f" {sizes_mib[2]:14.1f} {sizes_mib[3]:12.1f} {sizes_mib[4]:12.1f}"
        )
