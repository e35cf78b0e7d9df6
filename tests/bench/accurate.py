"""An Accurate Incremental in which nothing changed, of many tiny files: `filed daemon` beside bacula-fd, with the same Director.

    python -m tests.bench.accurate [--entries 300000] [--rounds 3]

The Full before it is measured, too. Processor time is that of the File Daemon with all its processes, user and system; peak is the largest
resident set that any of filed's processes has had. Of bacula-fd, which is one process, it counts for both Jobs.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import tempfile
import threading
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.bench.against_bacula_fd import Spent, Work, network
from tests.bench.beside import MUCH, NOTE
from tests.bench.datasets import tiny_files
from tests.bench.measure import machine, spread, warm
from tests.live.releases import BACULA_9

IN_A_DIRECTORY = 1000
LOOK_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Turn:
    full: Spent
    incremental: Spent
    peak_bytes: int


class Peak:
    """The largest resident set of these processes and of what they start, as long as the block runs."""

    def __init__(self, root: int) -> None:
        self.bytes = 0
        self._root, self._over = root, threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            for pid in descendants(self._root):
                try:
                    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
                except OSError:  # it has just ended
                    continue
                self.bytes = max(self.bytes, int(found[1]) * 1024 if found else 0)


def descendants(root: int) -> list[int]:
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        try:
            todo += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        except OSError:
            continue
    return found


def turn(root: Path, tree: Path, contender: str) -> Turn:
    root.mkdir()
    work = Work("tiny", "signature = MD5", 1.0)
    with network(root, work, tree, contender, BACULA_9, job="Accurate = yes") as network_:
        warm(tree)
        with Peak(network_.client) as peak:
            full = network_.run("run job=Save1 level=Full yes")
            incremental = network_.run("run job=Save1 level=Incremental yes")
    return Turn(full, incremental, peak.bytes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--directory", type=Path, default=Path("/var/tmp/filed-bench"), help="for trees and Volumes")
    parser.add_argument("--entries", type=int, default=300_000)
    parser.add_argument("--only", nargs="+", choices=["filed", "bacula-fd"], default=["filed", "bacula-fd"])
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    args.directory.mkdir(parents=True, exist_ok=True)
    tree, turns = args.directory / f"tiny-{args.entries}", defaultdict(list)
    tiny_files(tree, args.entries, IN_A_DIRECTORY)
    with tempfile.TemporaryDirectory(dir=args.directory) as scratch:
        os.environ["XDG_STATE_HOME"] = scratch  # what filed remembers of storages
        for number in range(args.rounds):
            for contender in args.only[:: 1 if number % 2 == 0 else -1]:
                root = Path(scratch, f"{contender}-{number}")
                turns[contender].append(turn(root, tree, contender))
                print(f"  {contender}: {turns[contender][-1]}", flush=True)
                shutil.rmtree(root)
    print(
        f"{machine()} Bacula {BACULA_9.version}.\n\n| {args.entries:,} entries, median (least to most) | Full: cpu, s | s | Accurate, nothing changed: cpu, s | s | peak, MB |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for contender, done in turns.items():
        figures = (
            [one.full.cpu_s for one in done],
            [one.full.wall_s for one in done],
            [one.incremental.cpu_s for one in done],
            [one.incremental.wall_s for one in done],
            [one.peak_bytes / 1e6 for one in done],
        )
        mark = " *" if any(max(one.full.beside, one.incremental.beside) > MUCH for one in done) else ""
        print(f"| {contender}{mark} | " + " | ".join(map(spread, figures)) + " |")
    print(f"\n{NOTE}")


if __name__ == "__main__":
    main()
