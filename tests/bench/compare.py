"""`filed` beside restic, borg and tar | pigz: a first Full, then an Incremental in which nothing changed.

Taken in turn (A B C, A B C, ...) on warm caches, into a new repository each time, on one disk; medians. Prints a
Markdown table for docs/benchmarks.md. On a busy machine only the ratios mean something.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import datasets
from contenders import Contender, contenders
from measure import Cost, median, run, warm

ROUNDS = {"small": 5, "text": 3, "random": 3}


def stored(repository: Path) -> int:
    """Bytes of all regular files below a repository."""
    return sum(path.stat().st_size for path in repository.rglob("*") if path.is_file())


def once(contender: Contender, tree: Path, scratch: Path) -> tuple[Cost, Cost, int]:
    """Costs of the Full and of the Incremental, bytes stored by the Full; the repository is gone afterwards."""
    repository = scratch / "repository"
    shutil.rmtree(repository, ignore_errors=True)
    repository.mkdir(parents=True)
    contender.prepare(repository)
    log = scratch / "output.txt"
    warm(tree)
    full = run(contender.full(repository, tree), contender.env, log)
    size = stored(repository)
    warm(tree)
    again = run(contender.again(repository, tree), contender.env, log)
    shutil.rmtree(repository)
    return full, again, size


def machine() -> str:
    """The line above the tables: what they were measured on."""
    models = [
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    versions = []
    for command in (["restic", "version"], ["borg", "--version"], ["pigz", "--version"]):
        if shutil.which(command[0]):
            words = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
            versions.append(" ".join(words[:2]))
    kernel, load = platform.release(), os.getloadavg()[0]
    return (
        f"{len(models)} x {models[0]}, {memory} GiB, Linux {kernel}, Python {platform.python_version()}, "
        f"load at start {load:.1f}; {', '.join(versions)}."
    )


def table(tree: Path, rounds: int, names: list[str], scratch: Path) -> str:
    """Measure, and return the Markdown table of one tree."""
    files, total = datasets.size(tree)
    everybody = contenders()
    fulls, agains, sizes = defaultdict(list), defaultdict(list), {}
    for turn in range(rounds):
        for name in names:
            full, again, sizes[name] = once(everybody[name], tree, scratch)
            fulls[name].append(full)
            agains[name].append(again)
            print(f"  {tree.name} {turn + 1}/{rounds} {name}: {full.wall_s:.2f} s, {again.wall_s:.2f} s", flush=True)
    lines = [
        f"### {tree.name}: {files:,} files, {total / 1e6:,.0f} MB (median of {rounds})",
        "",
        "| | Full, s | processor, s | MB/s | stored, MB | peak memory, MB | nothing changed, s | processor, s |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name in names:
        full, again = median(fulls[name]), median(agains[name])
        lines.append(
            f"| {name} | {full.wall_s:.2f} | {full.cpu_s:.2f} | {total / 1e6 / full.wall_s:,.0f} | {sizes[name] / 1e6:,.1f} "
            f"| {full.peak_bytes / 1e6:,.0f} | {again.wall_s:.2f} | {again.cpu_s:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--directory", type=Path, default=Path("/var/tmp/filed-bench"), help="for trees and repositories"
    )
    parser.add_argument("--trees", nargs="+", choices=datasets.RECIPES, default=list(datasets.RECIPES))
    parser.add_argument("--only", nargs="+", choices=contenders(), default=list(contenders()))
    parser.add_argument("--rounds", type=int, help="instead of 5 for small and 3 for the others")
    args = parser.parse_args()
    report = [machine()]
    for name in args.trees:
        tree = datasets.make(name, args.directory)
        report += ["", table(tree, args.rounds or ROUNDS[name], args.only, args.directory / "work")]
    print("\n".join(report))


if __name__ == "__main__":
    main()
