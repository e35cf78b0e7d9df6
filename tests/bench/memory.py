"""Resident memory of a Job with a million entries: a Full, then an Incremental in which nothing changed.

Two trees: 1,000,000 files of their own, and 500,000 files with two names each, which makes every entry one that might
have a twin. The figure is the largest resident set of any process of the command, as the kernel counted it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import tempfile
from pathlib import Path

from tests.bench.contenders import contenders
from tests.bench.measure import machine, run, warm

DIRECTORIES = 2_000


def _plain(directory: Path, files: int) -> None:
    directory.mkdir(parents=True)
    for n in range(files):
        fd = os.open(directory / f"file-{n:06}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        os.write(fd, f"the only copy: {directory.name} {n}\n".encode())  # nothing to deduplicate
        os.close(fd)


def _twins(directory: Path, files: int) -> None:
    """The second name is far from the first: in another directory, which comes last."""
    _plain(directory, files // 2)
    others = directory.parent / f"z-{directory.name}"
    others.mkdir()
    for n in range(files // 2):
        os.link(directory / f"file-{n:06}", others / f"twin-{n:06}")


def make(tree: Path, entries: int, *, twins: bool) -> None:
    """A tree of `entries` names, made when missing."""
    if tree.exists():
        return
    growing = tree.with_suffix(".growing")
    shutil.rmtree(growing, ignore_errors=True)
    work = [(growing / f"{n // 50:02}" / f"{n:04}", entries // DIRECTORIES) for n in range(DIRECTORIES)]
    with multiprocessing.Pool() as pool:
        pool.starmap(_twins if twins else _plain, work, chunksize=10)
    growing.rename(tree)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--directory", type=Path, default=Path("/var/tmp/filed-bench"), help="for trees and repositories"
    )
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--only", nargs="+", choices=contenders(), default=["filed zstd3"])
    args = parser.parse_args()
    everybody = contenders()
    lines = [
        machine(),
        "",
        "| | tree | Full: peak memory, MB | s | cpu, s | nothing changed: peak memory, MB | s | cpu, s |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for kind in ("files", "twins"):
        tree = args.directory / f"{args.entries}-{kind}"
        make(tree, args.entries, twins=kind == "twins")
        for name in args.only:
            contender = everybody[name]
            with tempfile.TemporaryDirectory(dir=args.directory) as scratch:
                os.environ["XDG_STATE_HOME"] = scratch  # what filed remembers of storages
                repository, log = Path(scratch), Path(scratch, "output.txt")
                contender.prepare(repository)
                warm(tree)
                full = run(contender.full(repository, tree), contender.env, log)
                again = run(contender.again(repository, tree), contender.env, log)
            lines.append(
                f"| {name} | {args.entries:,} {kind} | {full.peak_bytes / 1e6:,.0f} | {full.wall_s:.1f} | {full.cpu_s:.1f} "
                f"| {again.peak_bytes / 1e6:,.0f} | {again.wall_s:.1f} | {again.cpu_s:.1f} |"
            )
            print(lines[-1], flush=True)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
