"""What the change journal saves, and what it costs: Incrementals of many files, and a build under the watcher.

    python -m tests.bench.journal --directory /mnt/ext4 --files 1000000

Each round: 100 files get a byte more, each program saves them, in turn; then once more with nothing changed. `directory` is on a file system
that can be watched, best one of its own. Processor time includes the watcher's. Needs root; restic and borg are taken where they are installed.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filed.daemon.journal import journal_status, running_pid, start_watcher, stop_watcher
from tests.bench.contenders import FILED, Borg, Restic
from tests.bench.measure import Cost, machine, median, run

TOUCHED = 100
PER_DIRECTORY = 1000
TICKS = os.sysconf("SC_CLK_TCK")

CONF = """
FileDaemon {{ Name = bench }}
plugin filesystem {{
  journal = {use}
  journal_directory = "{journal}"
}}
Storage {{ Name = volumes; Archive Device = "{volumes}" }}
FileSet {{ Name = tree
  Include {{ Options {{ signature = SHA256 }}
    File = "{tree}"
  }}
}}
Job {{ Name = bench; FileSet = tree; Storage = volumes }}
"""


class Filed:
    """use: of the journal. journal: its directory; where no watcher has it, the state alone counts."""

    def __init__(self, name: str, use: str, work: Path, tree: Path, journal: Path) -> None:
        self.name, self.conf = name, work / f"{name}.conf"
        self.conf.write_text(CONF.format(use=use, journal=journal, volumes=work / name, tree=tree))
        self.conf.chmod(0o600)
        subprocess.run([FILED, "init", "-s", work / name], check=True, stdout=subprocess.DEVNULL)
        self.env: dict[str, str] = {}

    def command(self, level: str) -> list[str]:
        return [str(FILED), "backup", "-q", "-c", str(self.conf), "--job", "bench", "--level", level]


class Other:
    """restic or borg, with a name for each archive."""

    def __init__(self, program: Restic | Borg, work: Path, tree: Path) -> None:
        self.name, self._program, self._tree = program.name, program, tree
        self._repository = work / program.name
        self._repository.mkdir()
        program.prepare(self._repository)
        self._count = 0

    @property
    def env(self) -> dict[str, str]:
        return self._program.env

    def command(self, level: str) -> list[str]:
        self._count += 1
        return [word.replace("::full", f"::{self._count}") for word in self._program.full(self._repository, self._tree)]


def grow(tree: Path, files: int) -> None:
    for number in range(files // PER_DIRECTORY):
        directory = tree / f"{number // 100:03}" / f"{number:05}"
        directory.mkdir(parents=True)
        for name in range(PER_DIRECTORY):
            (directory / f"file-{name:04}").touch()


def touch(tree: Path, files: int, rng: random.Random) -> None:
    for number in rng.sample(range(files), TOUCHED):
        directory, name = divmod(number, PER_DIRECTORY)
        with (tree / f"{directory // 100:03}" / f"{directory:05}" / f"file-{name:04}").open("ab") as file:
            file.write(b"x")


def processor_s(pid: int) -> float:
    """Of a watcher: of its holder and its reader."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    stats = [Path(f"/proc/{each}/stat").read_text().rpartition(") ")[2].split() for each in (pid, *children)]
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / TICKS


def peak_kib(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    lines = [line for each in (pid, *children) for line in Path(f"/proc/{each}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def compare(work: Path, tree: Path, journal: Path, files: int, rounds: int) -> Iterator[str]:
    everybody: list[Filed | Other] = [
        Filed("filed with the journal", "yes", work, tree, journal),
        Filed("filed with a state alone", "auto", work, tree, work / "alone"),
        Filed("filed without", "no", work, tree, journal),
    ]
    others = ((Restic, "restic"), (Borg, "borg"))
    everybody += [Other(make(), work, tree) for make, program in others if shutil.which(program)]
    log, rng = work / "log", random.Random(1)
    for each in everybody:
        for level in ("full", "incremental"):  # files made within the last clock tick are doubted once
            run(each.command(level), each.env, log)
    costs: dict[tuple[str, str], list[Cost]] = {}
    for number in range(rounds):
        for what in ("100 changed", "unchanged"):
            if what == "100 changed":
                touch(tree, files, rng)
            for each in everybody if number % 2 else everybody[::-1]:
                costs.setdefault((each.name, what), []).append(run(each.command("incremental"), each.env, log))
    yield f"| {files:,} files | | processor time, s | wall time, s | peak, MB |"
    yield "| --- | --- | ---: | ---: | ---: |"
    for (name, what), measured in costs.items():
        middle = median(measured)
        yield f"| {name} | {what} | {middle.cpu_s:.2f} | {middle.wall_s:.2f} | {middle.peak_bytes / 1e6:.0f} |"


def build(directory: Path, log: Path) -> Cost:
    """Something real: unpack Python's library, and compile it."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    archive = directory.parent / "library.tar"
    if not archive.exists():
        library = sysconfig.get_paths()["stdlib"]
        subprocess.run(
            ["tar", "-cf", archive, "--exclude=site-packages", "--exclude=*.pyc", "-C", library, "."], check=True
        )
    script = f"tar -xf '{archive}' -C '{directory}' && '{sys.executable}' -m compileall -q '{directory}' || true"
    return run(["sh", "-c", script], {}, log)


@contextmanager
def watcher(journal: Path, top: Path) -> Iterator[int]:
    yield start_watcher(journal, [top])
    stop_watcher(journal)


def build_under_the_watcher(work: Path, top: Path, rounds: int) -> Iterator[str]:
    alone, watched, spent, events = [], [], 0.0, 0
    for _ in range(rounds):
        alone.append(build(top / "build", work / "log"))
        with watcher(work / "build-journal", top) as pid:
            watched.append(build(top / "build", work / "log"))
            time.sleep(1)  # what is in the queue
            spent += processor_s(pid)
            events += journal_status(work / "build-journal").number
    yield "| a build | processor time, s | wall time, s |"
    yield "| --- | ---: | ---: |"
    for name, costs in (("without the watcher", alone), ("under the watcher", watched)):
        middle = median(costs)
        yield f"| {name} | {middle.cpu_s:.2f} | {middle.wall_s:.2f} |"
    yield ""
    yield f"The watcher: {spent / rounds:.2f} s of processor time for {events // rounds:,} notes of names and objects a build."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--directory", type=Path, required=True, help="on a file system of its own that can be watched")
    parser.add_argument("--work", type=Path, default=Path("/var/tmp/filed-bench-journal"), help="elsewhere: Volumes")
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    tree, journal = args.directory / "tree", args.work / "journal"
    shutil.rmtree(args.work, ignore_errors=True)
    args.work.mkdir(mode=0o700, parents=True)
    print(machine(["restic", "version"], ["borg", "--version"]))
    if not tree.exists():
        grow(tree, args.files)
    start_watcher(journal, [args.directory])
    try:
        for line in compare(args.work, tree, journal, args.files, args.rounds):
            print(line, flush=True)
        print(f"\nThe watcher's peak: {peak_kib(running_pid(journal)) / 1024:.0f} MB.\n")
    finally:
        stop_watcher(journal)
    for line in build_under_the_watcher(args.work, args.directory, args.rounds):
        print(line, flush=True)


if __name__ == "__main__":
    main()
