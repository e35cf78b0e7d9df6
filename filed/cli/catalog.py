"""`filed catalog`: make it anew from the Volumes, or check it."""

from __future__ import annotations

from pathlib import Path

import click

from filed.catalog import Catalog
from filed.cli import options
from filed.cli.exit import Exit
from filed.cli.output import answer, message, report
from filed.job.rebuild import rebuild_catalog


@click.group(epilog="\b\nExamples:\n  filed catalog rebuild -s /mnt/disk\n  filed catalog check -s /mnt/disk")
def catalog() -> None:
    """The catalog beside the Volumes."""


@catalog.command(epilog="\b\nExample:\n  filed catalog rebuild -s /mnt/disk")
@options.storage
@options.volume_keys
def rebuild(storage: Path | None, volume_keys: tuple[Path, ...]) -> int:
    """Make the catalog anew from the Volumes alone. The old one stays until the new one is whole."""
    problems: list[str] = []
    made = rebuild_catalog(options.needed_storage(storage), problems.append, volume_keys)
    for problem in (*problems, *made.problems):
        message(f"Warning: {problem}")
    report(f"{made.jobs} Jobs with {made.files:,} entries; {made.unfinished} of them never ended")
    return Exit.WARNINGS if problems or made.problems else Exit.GOOD


@catalog.command(epilog="\b\nExample:\n  filed catalog check -s /mnt/disk || filed catalog rebuild -s /mnt/disk")
@options.storage
def check(storage: Path | None) -> int:
    """Check the catalog's own file."""
    with Catalog.read(options.needed_storage(storage)) as opened:
        problems = opened.check()
    for problem in problems:
        message(problem)
    answer("the catalog is sound" if not problems else "make it anew with: filed catalog rebuild -s DIR")
    return Exit.DIFFERENCES if problems else Exit.GOOD
