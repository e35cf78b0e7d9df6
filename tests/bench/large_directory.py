"""A Full of one directory of many files, beside as many files in small directories: processor time, and what the kernel counts as written.

    python -m tests.bench.large_directory [--entries 300000] [--rounds 3]

A directory of ext4 gives its names in the order of their hashes. The bar: 1.3 times the small directories, for both figures.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
from collections import defaultdict
from pathlib import Path

from tests.bench.beside import MUCH, NOTE, beside
from tests.bench.contenders import contenders
from tests.bench.datasets import tiny_files
from tests.bench.measure import machine, run, spread, warm

IN_A_DIRECTORY = 1000


def written_bytes() -> int:
    """By this process and its children that have ended."""
    found = re.search(r"^write_bytes: (\d+)", Path("/proc/self/io").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--directory", type=Path, default=Path("/var/tmp/filed-bench"), help="for trees and Volumes")
    parser.add_argument("--entries", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    filed = contenders()["filed gzip1"]
    sizes = {"one directory": args.entries, "small ones": IN_A_DIRECTORY}
    figures: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for size in sizes.values():
        tiny_files(args.directory / f"large-{args.entries}-{size}", args.entries, size)
    for _ in range(args.rounds):
        for name, size in sizes.items():
            tree = args.directory / f"large-{args.entries}-{size}"
            with tempfile.TemporaryDirectory(dir=args.directory) as scratch:
                os.environ["XDG_STATE_HOME"] = scratch  # what filed remembers of storages
                repository = Path(scratch, "repository")
                repository.mkdir()
                filed.prepare(repository)
                warm(tree)
                before = written_bytes()
                with beside() as others:
                    cost = run(filed.full(repository, tree), filed.env, Path(scratch, "output.txt"))
                figures[name].append((cost.cpu_s, (written_bytes() - before) / 1e6, others.share))
    print(machine(), "\n")
    print(
        f"| {args.entries:,} files, median of {args.rounds} (least to most) | cpu, s | written, MB |\n| --- | ---: | ---: |"
    )
    for name, found in figures.items():
        mark = " *" if max(each[2] for each in found) > MUCH else ""
        print(f"| {name}{mark} | {spread([each[0] for each in found])} | {spread([each[1] for each in found])} |")
    print(f"\n{NOTE}")


if __name__ == "__main__":
    main()
