"""`filed` beside restic, borg and tar | pigz: a Full, an Incremental in which nothing changed, a restore of everything.

Taken in turn (A B C, A B C, ...) on warm caches, into a new repository each time, on one disk; medians. Prints a
Markdown table for docs/benchmarks.md. On a busy machine only the ratios mean something.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from tests.bench import datasets
from tests.bench.beside import MUCH, NOTE
from tests.bench.contenders import Contender, contenders
from tests.bench.measure import Cost, MeasuredProgramError, machine, median, run, spread, stored, warm

# Repositories of more files stay until the end: for a minute or more ext4 passes over the inodes of deleted files, one by
# one, so that whoever creates files next would pay for the deletion (measured: five times the time of a restore).
MANY_FILES = 1_000
ROUNDS = {"small": 5, "text": 3, "random": 3}


@dataclass(frozen=True, slots=True)
class Round:
    """One turn of one contender. stored: bytes after the Full."""

    full: Cost
    again: Cost
    restore: Cost
    stored: int


def once(contender: Contender, tree: Path, repository: Path) -> Round:
    """Measure one contender. repository: where it and the restored tree go, new. Raises MeasuredProgramError."""
    repository.mkdir()
    contender.prepare(repository)
    log = repository.with_suffix(".log")
    warm(tree)
    full = run(contender.full(repository, tree), contender.env, log)
    size = stored(repository)
    warm(tree)
    again = run(contender.again(repository, tree), contender.env, log)
    where = repository / "restored"
    where.mkdir()
    os.sync()
    restore = run(contender.restore(repository, where), contender.env, log)
    back = next(path for path in where.rglob(tree.name) if path.is_dir())
    if datasets.size(back) != datasets.size(tree):
        raise MeasuredProgramError(f"{contender.name} did not restore everything")
    return Round(full, again, restore, size)


def table(tree: Path, rounds: int, names: list[str], scratch: Path) -> str:
    """Measure, and return the Markdown table of one tree."""
    files, total = datasets.size(tree)
    everybody = contenders()
    rounds_of: dict[str, list[Round]] = defaultdict(list)
    for turn in range(rounds):
        for name in names:
            repository = scratch / f"{name.replace(' ', '-')}-{turn}"
            one = once(everybody[name], tree, repository)
            rounds_of[name].append(one)
            if files < MANY_FILES:
                shutil.rmtree(repository)
            seconds = ", ".join(f"{cost.wall_s:.2f}" for cost in (one.full, one.again, one.restore))
            print(f"  {tree.name} {turn + 1}/{rounds} {name}: {seconds} s", flush=True)
    lines = [
        f"### {tree.name}: {files:,} files, {total / 1e6:,.0f} MB (median of {rounds}, least to most)",
        "",
        "| | Full, s | cpu, s | MB/s | stored, MB | peak, MB | nothing changed, s | cpu, s | restore, s | cpu, s |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name in names:
        done = rounds_of[name]
        full, again = median([one.full for one in done]), median([one.again for one in done])
        restore = median([one.restore for one in done])
        lines.append(
            f"| {name}{marked(full, again, restore)} | {spread([one.full.wall_s for one in done])} | {full.cpu_s:.2f} | {total / 1e6 / full.wall_s:,.0f} "
            f"| {done[-1].stored / 1e6:,.1f} | {full.peak_bytes / 1e6:,.0f} | {spread([one.again.wall_s for one in done])} | {again.cpu_s:.2f} "
            f"| {spread([one.restore.wall_s for one in done])} | {restore.cpu_s:.2f} |"
        )
    return "\n".join(lines)


def marked(*costs: Cost) -> str:
    return " *" if any(cost.others > MUCH for cost in costs) else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--directory", type=Path, default=Path("/var/tmp/filed-bench"), help="for trees and repositories"
    )
    parser.add_argument("--trees", nargs="+", choices=datasets.RECIPES, default=list(datasets.RECIPES))
    parser.add_argument("--only", nargs="+", choices=contenders(), default=list(contenders()))
    parser.add_argument("--rounds", type=int, help="instead of 5 for small and 3 for the others")
    args = parser.parse_args()
    report = [machine(["restic", "version"], ["borg", "--version"], ["pigz", "--version"])]
    for name in args.trees:
        tree = datasets.make(name, args.directory)
        with tempfile.TemporaryDirectory(dir=args.directory) as scratch:
            os.environ["XDG_STATE_HOME"] = scratch  # what filed remembers of storages
            report += ["", table(tree, args.rounds or ROUNDS[name], args.only, Path(scratch))]
    print("\n".join([*report, "", NOTE]))


if __name__ == "__main__":
    main()
