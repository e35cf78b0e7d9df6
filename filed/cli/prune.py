"""`filed prune`: remove Jobs by rules, and the Volumes that then hold none."""

from __future__ import annotations

import time
from pathlib import Path

import click

from filed.catalog import Period, Retention
from filed.cli import options
from filed.cli.removal import remove
from filed.config.units import duration_s


def _option(period: Period) -> str:
    return f"keep_{period.adverb}"


def _keep_each(command: options.F) -> options.F:
    """`--keep-hourly` to `--keep-yearly`."""
    for period in reversed(Period):
        span = period.name.lower()
        command = click.option(
            f"--keep-{period.adverb}",
            type=click.IntRange(1),
            metavar="N",
            help=f"Keep the newest Job of each of the newest N {span}s that have one.",
        )(command)
    return command


@click.command(
    epilog="\b\nExamples:\n  filed prune -s /mnt/disk --keep-daily 7 --keep-weekly 5 --keep-monthly 12 --dry-run\n"
    "  filed prune -s /mnt/disk --keep-fulls 3\n  filed prune -s /mnt/disk --older-than '90 days'"
)
@options.storage
@click.option("--older-than", metavar="TIME", help="Keep Jobs that are not so old: 30 days, 6 months, 1 year.")
@click.option(
    "--keep-within", metavar="TIME", help="Keep Jobs that are not so much older than the newest of their name."
)
@click.option("--keep-last", type=click.IntRange(1), metavar="N", help="Keep the newest N Jobs of each name.")
@_keep_each
@click.option(
    "--keep-fulls",
    type=click.IntRange(1),
    metavar="N",
    help="Keep the newest N Fulls of each name, and what builds on them.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed, and why the others stay.")
@options.as_json
def prune(  # noqa: PLR0917  one argument for each option
    storage: Path | None,
    older_than: str | None,
    keep_within: str | None,
    keep_last: int | None,
    keep_fulls: int | None,
    dry_run: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
    **keep_each: int | None,
) -> int:
    """Remove the Jobs that no rule keeps; without a rule, failed ones only.

    The rules count for each Job name, client and FileSet by itself. A Job that a kept one builds on always stays, and so does the newest good
    backup. A Volume is deleted when no Job is left on it.
    """
    path = options.needed_storage(storage)
    now = int(time.time())
    policy = Retention(
        keep_after=None if older_than is None else now - _duration("--older-than", older_than),
        keep_within=None if keep_within is None else _duration("--keep-within", keep_within),
        keep_last=keep_last,
        keep_each={period: most for period in Period if (most := keep_each[_option(period)]) is not None},
        keep_fulls=keep_fulls,
        now=now,
    )
    return remove(path, lambda catalog: catalog.prune_plan(policy), dry_run=dry_run, as_json=as_json)


def _duration(option: str, text: str) -> int:
    try:
        return duration_s(text)
    except ValueError as error:
        raise click.UsageError(f"{option} {text}: {error}") from None
