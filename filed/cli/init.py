"""`filed init`: make a directory a storage."""

from __future__ import annotations

from pathlib import Path

import click

from filed.cli import options
from filed.cli.exit import Exit
from filed.cli.output import report
from filed.cli.place import init_storage


@click.command(epilog="\b\nExample:\n  filed init -s /mnt/disk/backup")
@options.directory
def init(storage: Path | None) -> int:
    """Make a directory a storage, so that backups may go there: one that exists and holds other files, or none.

    A path that does not exist needs no init: a backup makes it. A disk that was replaced, or a storage that was moved
    to this path, is accepted as the right one from here on.
    """
    if storage is None:
        raise click.UsageError("which directory? Give -s DIR or set FILED_STORAGE.")
    directory = options.needed_storage(storage, known=False)
    report(f"{directory} is a storage now, with the id {init_storage(directory)}")
    return Exit.GOOD
