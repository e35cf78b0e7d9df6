"""`filed prune`: remove Jobs by age or count, and the Volumes that then hold none."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from filed.catalog import Catalog, Level, PrunePlan, Retention
from filed.cli import options
from filed.cli.exit import Exit
from filed.cli.output import message, report
from filed.config.units import duration_s
from filed.errors import VolumeError
from filed.storage import VolumeDirectory


@click.command(
    epilog="\b\nExamples:\n  filed prune -s /mnt/disk --keep-fulls 3 --dry-run\n  filed prune -s /mnt/disk --older-than '90 days'"
)
@options.storage
@click.option("--older-than", metavar="TIME", help="Remove Jobs that began longer ago: 30 days, 6 months, 1 year.")
@click.option("--keep-fulls", type=click.IntRange(1), metavar="N", help="Keep the newest N Fulls of each Job.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@options.as_json
def prune(
    storage: Path | None,
    older_than: str | None,
    keep_fulls: int | None,
    dry_run: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> int:
    """Remove Jobs that the rules given let go; without a rule, failed ones only.

    A Job that a kept one builds on always stays, and so does the newest good backup. A Volume is deleted when no Job is left on it.
    """
    path = options.needed_storage(storage)
    keep_after = None if older_than is None else int(time.time()) - _duration(older_than)
    directory = VolumeDirectory.open(path)
    problems: list[str] = []
    with Catalog.open(path) as catalog:
        catalog.reconcile(time.time())
        if not dry_run:  # once their Jobs are pruned, nobody knows whose they are
            directory.take_back(catalog.dead_sessions().__contains__)
        plan = catalog.prune_plan(Retention(keep_after=keep_after, keep_fulls=keep_fulls))
        if not dry_run:
            problems = _remove(catalog, directory, plan)
    _report(plan, problems, dry_run=dry_run, as_json=as_json)
    return Exit.WARNINGS if problems else Exit.GOOD


def _duration(text: str) -> int:
    try:
        return duration_s(text)
    except ValueError as error:
        raise click.UsageError(f"--older-than {text}: {error}") from None


def _remove(catalog: Catalog, directory: VolumeDirectory, plan: PrunePlan) -> list[str]:
    """Catalog first: a Volume nobody refers to is harmless, a Job without its Volume is not. Returns what stayed."""
    catalog.remove_jobs(job.job_id for job in plan.remove)
    problems = []
    for name in plan.volumes:
        try:
            if (directory.path / name).exists():
                directory.remove_volume(name)
            catalog.forget_volumes([name])
        except VolumeError as error:
            problems.append(str(error))
    return problems


def _report(plan: PrunePlan, problems: list[str], *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        removed = [job.job_id for job in plan.remove]
        document = {"removed": removed, "volumes": plan.volumes, "kept": plan.kept, "problems": problems}
        report(json.dumps(document | {"dry_run": dry_run}))
        return
    would = "would remove" if dry_run else "removed"
    for job in plan.remove:
        report(f"{would} JobId {job.job_id}, {Level(job.level).name.capitalize()} {job.job}")
    for name in plan.volumes:
        report(f"{would} Volume {name}")
    for problem in problems:
        message(f"filed: {problem}")
    report(f"{len(plan.remove)} Jobs {'to go' if dry_run else 'removed'}, {plan.kept} kept")
