"""`filed delete`: remove the Jobs that are named, and the Volumes that then hold none."""

from __future__ import annotations

from pathlib import Path

import click

from filed.cli import options
from filed.cli.removal import remove


@click.command(epilog="\b\nExample:\n  filed delete -s /mnt/disk 7 8 --dry-run")
@options.storage
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@options.as_json
@click.argument("jobids", nargs=-1, required=True, type=click.IntRange(1), metavar="JOBID...")
def delete(
    storage: Path | None,
    dry_run: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
    jobids: tuple[int, ...],
) -> int:
    """Remove these Jobs for good, whatever their age.

    Nothing is removed when another Job builds on one of them and is not named itself, or when one is running. A Volume is deleted when no
    Job is left on it.
    """
    path = options.needed_storage(storage)
    return remove(path, lambda catalog: catalog.delete_plan(jobids), dry_run=dry_run, as_json=as_json)
