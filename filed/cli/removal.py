"""Jobs that go, and their Volumes with them: what `prune` and `delete` share."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filed.catalog import Catalog, JobId, Level, PrunePlan
from filed.cli.console import size_words
from filed.cli.exit import Exit
from filed.cli.output import message, report
from filed.errors import VolumeError
from filed.storage import VolumeDirectory

UNUSED_BYTES = 256 << 10  # of a Volume; labels and cut blocks are less
MOST_NAMED = 5  # Jobs that hold a Volume


def remove(path: Path, plan_of: Callable[[Catalog], PrunePlan], *, dry_run: bool, as_json: bool) -> int:
    """Carry out a plan, or only say what it would do. path: the directory of Volumes. Returns the exit code."""
    directory = VolumeDirectory.open(path)
    problems: list[str] = []
    # Without a write: it works on a disk that is mounted read-only.
    with Catalog.read(path) if dry_run else Catalog.open_to_remove(path) as catalog:
        if not dry_run:
            catalog.reconcile(time.time())
            # Once their Jobs are pruned, nobody knows whose they are.
            directory.take_back(catalog.dead_sessions())
        plan = plan_of(catalog)
        names = {job.job_id: job.job for job in catalog.jobs()}
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
    removed = Removed(
        plan, names, sum(sizes.get(name, 0) for name in plan.volumes if dry_run or name not in left), held, problems
    )
    if as_json:
        report(json.dumps(_document(removed) | {"dry_run": dry_run}))
    else:
        _report(removed, dry_run=dry_run)
    return Exit.WARNINGS if problems else Exit.GOOD


@dataclass(frozen=True, slots=True)
class Held:
    """A Volume that stays although much of it belongs to no Job any more: the Jobs that hold it, and that much."""

    name: str
    jobs: tuple[int, ...]
    unused_bytes: int


@dataclass(frozen=True, slots=True)
class Removed:
    """What was done, or would be. names: of all Jobs."""

    plan: PrunePlan
    names: dict[JobId, str]
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


def _document(removed: Removed) -> dict[str, object]:
    return {
        "removed": [job.job_id for job in removed.plan.remove],
        "volumes": removed.plan.volumes,
        "kept": len(removed.plan.kept),
        "reasons": removed.plan.kept,
        "problems": removed.problems,
        "freed_bytes": removed.freed_bytes,
        "held": [
            {"volume": held.name, "jobids": held.jobs, "unused_bytes": held.unused_bytes} for held in removed.held
        ],
    }


def _report(removed: Removed, *, dry_run: bool) -> None:
    plan = removed.plan
    would = "would remove" if dry_run else "removed"
    for job in plan.remove:
        report(f"{would} JobId {job.job_id}, {Level(job.level).name.capitalize()} {job.job}")
    for name in plan.volumes:
        report(f"{would} Volume {name}")
    for problem in removed.problems:
        message(f"filed: {problem}")
    if dry_run:
        for job_id, reasons in plan.kept.items():
            report(f"would keep JobId {job_id}, {removed.names[job_id]}: {', '.join(reasons) or 'it was not named'}")
    freed = f"{size_words(removed.freed_bytes)} {'to be freed' if dry_run else 'freed'}"
    report(f"{len(plan.remove)} Jobs {'to go' if dry_run else 'removed'}, {len(plan.kept)} kept, {freed}")
    for held in removed.held:
        report(_held_words(held))


def _held_words(held: Held) -> str:
    what = f"Volume {held.name} stays: {size_words(held.unused_bytes)} of it belong to no Job any more"
    if not held.jobs:
        return f"{what}, and no Job of the catalog is on it; `filed catalog rebuild` says what it holds"
    jobs = ", ".join(map(str, held.jobs[:MOST_NAMED])) + (", ..." if len(held.jobs) > MOST_NAMED else "")
    return f"{what}, the rest is JobId {jobs}. It is freed when they go: run a Full, then prune with --keep-fulls"
