"""States of agents over crashes: of the machine, at each write to the catalog's file; of a Job, at each time it waits for the disk.

strace writes down what reaches the files. From that, each file is made again as the disk may have it when the power goes at any point.
"""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from filed.catalog import Catalog, JobTotals, Level, Seal, SealedState, StateWhy
from tests.catalog.model import begin, open_catalog
from tests.system.program import filed, filed_program
from tests.system_agents.plan import ROOT, Item, write_plan

DIRECTOR = "a-dir"
ONE, TWO = (SealedState("pg", "", 1, name * 3000) for name in (b"one", b"two"))

CHANGES = """
import os, sys
from filed.catalog import Catalog, JobTotals, Level, Seal, SealedState
two = SealedState("pg", "", 1, b"two" * 3000)
catalog = Catalog.open(__import__("pathlib").Path(sys.argv[1]))
def done(what):
    os.write(1, what)
catalog.seal(Seal("a-dir", "J.2", "J", Level.INCREMENTAL, "fs", 2), [two])
done(b"sealed")
catalog.mark_confirmed("J.2", "pg", "", director="a-dir")
done(b"confirmed")
catalog.finish_job(2, "T", 1700000100, JobTotals(), [], states=[two])
done(b"finished")
catalog.mark_restored("pg", director="a-dir")
done(b"restored")
catalog.close()
done(b"closed")
"""


@dataclass(frozen=True)
class Step:
    """One call that changes a file, makes it durable, or (call "said") tells that something is done."""

    call: str
    name: str
    data: bytes = b""
    offset: int = 0


def bytes_of(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def steps_of(trace: Path, directory: Path) -> Iterator[Step]:
    """What strace -xx -y wrote down of the files in a directory, and of descriptor 1."""
    patterns = {
        "pwrite64": r'pwrite64\(\d+<(?P<path>[^>]*)>, "(?P<data>[^"]*)", \d+, (?P<offset>\d+)\)',
        "said": r'write\(1<[^>]*>, "(?P<data>[^"]*)"',
        "sync": r"fd?a?t?a?sync\(\d+<(?P<path>[^>]*)>",
        "ftruncate": r"ftruncate\(\d+<(?P<path>[^>]*)>, (?P<offset>\d+)\)",
        "unlink": r'unlink\("(?P<path>[^"]*)"\)',
    }
    for line in trace.read_text().splitlines():
        for call, pattern in patterns.items():
            found = re.search(pattern, line)
            if found is None:
                continue
            parts = found.groupdict(default="")
            path = parts.get("path", "")
            path = bytes_of(path).decode() if path.startswith("\\x") else path
            if call == "said" or Path(path).parent == directory:
                offset = int(parts.get("offset") or 0)
                yield Step(call, Path(path).name, bytes_of(parts.get("data") or ""), offset)
            break


def written(into: Path, start: Path, steps: list[Step]) -> None:
    """The files of `start` after these steps."""
    shutil.rmtree(into, ignore_errors=True)
    shutil.copytree(start, into)
    for step in steps:
        file = into / step.name
        if step.call == "unlink":
            file.unlink(missing_ok=True)
        elif step.call in ("pwrite64", "ftruncate"):
            file.touch()
            with file.open("r+b") as out:
                if step.call == "ftruncate":
                    out.truncate(step.offset)
                else:
                    out.seek(step.offset)
                    out.write(step.data)


def everything(steps: list[Step]) -> list[Step]:
    """A process that is killed: what it wrote is there."""
    return steps


def what_was_waited_for(steps: list[Step]) -> list[Step]:
    """A machine that stops: of each file, what a sync followed. Names are as the directory last had them."""
    last = {step.name: at for at, step in enumerate(steps) if step.call == "sync"}
    return [step for at, step in enumerate(steps) if step.call == "unlink" or at < last.get(step.name, -1)]


def and_every_second(steps: list[Step]) -> list[Step]:
    """The same, and of what nobody waited for every second write, and the half of it."""
    kept = {id(step) for step in what_was_waited_for(steps)}
    count = itertools.count()
    half = []
    for step in steps:
        if id(step) in kept:
            half.append(step)
        elif step.call == "pwrite64" and next(count) % 2:
            half.append(Step(step.call, step.name, step.data[: len(step.data) // 2], step.offset))
    return half


def check(directory: Path, said: bytes) -> str:
    """What a catalog that was cut off says is what was sealed, and all that was said to be done is."""
    with Catalog.open(directory) as catalog:
        assert catalog.check() == []
        one = catalog.find_state("J.1", "pg", "", "fs", director=DIRECTOR)
        two = catalog.find_state("J.2", "pg", "", "fs", director=DIRECTOR)
        job = catalog.job(2)
        own = catalog.find_state(job.job, "pg", "", "fs")
    restored = StateWhy.RESTORED in (one.why, two.why)
    assert {one.why, two.why} == {StateWhy.RESTORED} if restored else one.state == ONE
    assert two.why in (StateWhy.FOUND, StateWhy.LOST, StateWhy.RESTORED)
    assert two.state in (TWO, None)
    assert (own.state == TWO) == (job.status == "T")  # a good Job and its state: both or neither
    assert b"sealed" not in said or two.why is not StateWhy.LOST
    assert b"confirmed" not in said or two.confirmed or restored
    assert b"finished" not in said or job.status == "T"
    assert b"restored" not in said or restored
    return f"{two.why.name} {two.confirmed} {job.status}"


@pytest.mark.parametrize("cut", [everything, what_was_waited_for, and_every_second])
def test_a_state_is_sealed_whole_or_not_at_all_wherever_the_power_goes(
    tmp_path: Path, programs: Callable[..., None], cut: Callable[[list[Step]], list[Step]]
) -> None:
    programs("strace")
    directory, start, after = tmp_path / "catalog", tmp_path / "start", tmp_path / "after"
    directory.mkdir()
    with open_catalog(directory) as catalog:
        catalog.seal(Seal(DIRECTOR, "J.1", "J", Level.FULL, "fs", 1), [ONE])
        full = begin(catalog)
        catalog.finish_job(full.job_id, "T", full.start_time + 1, JobTotals(), [])
        begin(catalog, "I", full)
    shutil.copytree(directory, start)
    trace = tmp_path / "trace"
    calls = "trace=pwrite64,write,fsync,fdatasync,ftruncate,unlink"
    strace = ["strace", "-f", "-qq", "-xx", "-y", "-s", "1000000", "-e", calls, "-o", trace]
    subprocess.run(
        [*strace, sys.executable, "-c", CHANGES, directory / "catalog.sqlite"], check=True, capture_output=True
    )
    steps = [step for step in steps_of(trace, directory) if not step.name.endswith("-shm")]
    assert sum(step.call == "pwrite64" for step in steps) > 10
    assert sum(step.call == "sync" for step in steps) >= 1
    seen = []
    for at in range(len(steps) + 1):
        written(after, start, cut(steps[:at]))
        seen.append(check(after, b"".join(step.data for step in steps[:at] if step.call == "said")))
    assert list(dict.fromkeys(seen)) == [
        "LOST False R", "FOUND False R", "FOUND True R", "FOUND True T", "RESTORED False T",
    ]  # fmt: skip


# ---- Jobs that are killed ------------------------------------------------------------------------------------------


def calls_of(trace: Path) -> list[str]:
    lines = trace.read_text().splitlines() if trace.exists() else []
    trace.unlink(missing_ok=True)
    return [line.partition(" fileset=")[0] for line in lines]


@pytest.mark.parametrize("call", ["fdatasync", "fsync"])  # the catalog's, the Volume's; strace counts each for itself
def test_a_job_that_is_killed_whenever_it_waits_for_the_disk_commits_only_what_is_sealed(
    tmp_path: Path, agents_dir: Path, programs: Callable[..., None], call: str
) -> None:
    """Killed at its first wait, its second, and so on, until it comes through; each time the next Job finds the state of its base."""
    programs("strace")
    conf, plan, trace, start = (tmp_path / name for name in ("conf", "plan", "trace", "start"))
    write_plan(plan, Item("/@TRACE/a", "A", flags="S"), ROOT)

    def words(volumes: Path, level: str, state: str) -> tuple[str | Path, ...]:
        conf.write_text(
            f'FileDaemon {{ Name = here; Plugin Directory = "{agents_dir}" }}\n'
            f'plugin trace {{ trace = "{trace}"; plan = "{plan}"; state = "{state}" }}\n'
            "Job { Name = Save; FileSet = It; Storage = Disk }\n"
            'FileSet { Name = It; Include { File = "/@TRACE" } }\n'
            f'Storage {{ Name = Disk; Archive Device = "{volumes}" }}\n'
        )
        return ("backup", "-c", conf, "--job", "Save", "--level", level)

    filed(*words(start, "full", "one"))
    calls_of(trace)
    sealed = []
    for kill_at in itertools.count(1):
        volumes = tmp_path / f"killed-{kill_at}"
        shutil.copytree(start, volumes)
        inject = ("-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={kill_at}")
        strace = ("strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", *inject)
        code = filed_program(*words(volumes, "incremental", "two"), code=(0, 2, 3, -9), under=strace).code
        killed = calls_of(trace)
        with Catalog.read(volumes) as catalog:
            full, *rest = catalog.jobs()
        good = [job for job in rest if job.good]
        assert "commit" not in killed or good, kill_at
        filed(*words(volumes, "incremental", "three"))
        base, state = (good[0].job, "two") if good else (full.job, "one")
        begun = [line for line in calls_of(trace) if line.startswith("begin")]
        assert begun == [f"begin kind=1 level=incremental why=found base={base} state={state} format=3"], kill_at
        sealed.append(bool(good))
        if code == 0:
            break
    assert sealed == sorted(sealed)  # there is one moment from which on it counts
    assert not sealed[0]
    assert len(sealed) > 1
