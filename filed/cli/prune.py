"""`filed prune`: remove Jobs by age or count, and the Volumes that then hold none."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass
from pathlib import Path

import click

from filed.catalog import Catalog, JobId, Level, PrunePlan, Retention
from filed.cli import options
from filed.cli.console import size_words
from filed.cli.exit import Exit
from filed.cli.output import message, report
from filed.config.units import duration_s
from filed.errors import VolumeError
from filed.storage import VolumeDirectory

UNUSED_BYTES = 256 << 10  # of a Volume; labels and cut blocks are less
MOST_NAMED = 5  # Jobs that hold a Volume


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
    now = int(time.time())
    keep_after = None if older_than is None else now - _duration(older_than)
    directory = VolumeDirectory.open(path)
    problems: list[str] = []
    # Without a write: it works on a disk that is mounted read-only.
    with Catalog.read(path) if dry_run else Catalog.open(path) as catalog:
        if not dry_run:
            catalog.reconcile(now)
            # Once their Jobs are pruned, nobody knows whose they are.
            directory.take_back(catalog.dead_sessions().__contains__)
        plan = catalog.prune_plan(Retention(keep_after=keep_after, keep_fulls=keep_fulls, now=now))
        sizes = _sizes(directory)
        if not dry_run:
            problems = _remove(catalog, directory, plan)
        going = {job.job_id for job in plan.remove}
        use = {
            name: [(job_id, size) for job_id, size in jobs if job_id not in going]
            for name, jobs in catalog.volume_use().items()
        }
    left = sizes if dry_run else _sizes(directory)
    held = _held({name: size for name, size in left.items() if name not in plan.volumes}, use)
    pruned = Pruned(
        plan, sum(sizes.get(name, 0) for name in plan.volumes if dry_run or name not in left), held, problems
    )
    if as_json:
        report(json.dumps(_document(pruned) | {"dry_run": dry_run}))
    else:
        _report(pruned, dry_run=dry_run)
    return Exit.WARNINGS if problems else Exit.GOOD


@dataclass(frozen=True, slots=True)
class Held:
    """A Volume that stays although much of it belongs to no Job any more: the Jobs that hold it, and that much."""

    name: str
    jobs: tuple[int, ...]
    unused_bytes: int


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a prune did, or would do."""

    plan: PrunePlan
    freed_bytes: int
    held: list[Held]
    problems: list[str]


def _sizes(directory: VolumeDirectory) -> dict[str, int]:
    found = {}
    for name in directory.volumes():
        with contextlib.suppress(FileNotFoundError):  # another prune was faster
            found[name] = (directory.path / name).stat().st_size
    return found


def _held(sizes: dict[str, int], use: dict[str, list[tuple[JobId, int]]]) -> list[Held]:
    """Volumes of which more than labels and the ends of blocks belongs to nobody."""
    found = []
    for name, size in sizes.items():
        jobs = use.get(name, [])
        unused = size - sum(used for _, used in jobs)
        if unused > UNUSED_BYTES:
            found.append(Held(name, tuple(job_id for job_id, _ in jobs), unused))
    return found


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


def _document(pruned: Pruned) -> dict[str, object]:
    return {
        "removed": [job.job_id for job in pruned.plan.remove],
        "volumes": pruned.plan.volumes,
        "kept": pruned.plan.kept,
        "problems": pruned.problems,
        "freed_bytes": pruned.freed_bytes,
        "held": [{"volume": held.name, "jobids": held.jobs, "unused_bytes": held.unused_bytes} for held in pruned.held],
    }


def _report(pruned: Pruned, *, dry_run: bool) -> None:
    plan = pruned.plan
    would = "would remove" if dry_run else "removed"
    for job in plan.remove:
        report(f"{would} JobId {job.job_id}, {Level(job.level).name.capitalize()} {job.job}")
    for name in plan.volumes:
        report(f"{would} Volume {name}")
    for problem in pruned.problems:
        message(f"filed: {problem}")
    freed = f"{size_words(pruned.freed_bytes)} {'to be freed' if dry_run else 'freed'}"
    report(f"{len(plan.remove)} Jobs {'to go' if dry_run else 'removed'}, {plan.kept} kept, {freed}")
    for held in pruned.held:
        report(_held_words(held))


def _held_words(held: Held) -> str:
    what = f"Volume {held.name} stays: {size_words(held.unused_bytes)} of it belong to no Job any more"
    if not held.jobs:
        return f"{what}, and no Job of the catalog is on it; `filed catalog rebuild` says what it holds"
    jobs = ", ".join(map(str, held.jobs[:MOST_NAMED])) + (", ..." if len(held.jobs) > MOST_NAMED else "")
    return f"{what}, the rest is JobId {jobs}. It is freed when they go: run a Full, then prune with --keep-fulls"
