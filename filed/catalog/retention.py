"""Which Jobs may go, and which Volumes with them. Nothing here removes anything.

Whatever the policy says, a Job stays that a kept one builds on, and so does the newest good backup of each name, client
and FileSet with its chain: backups that stopped being made must not prune themselves away. A backup without entries takes
nobody's place. The newest is the one that began last, whatever the clock said then.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from filed.catalog.job import Job, JobId, Level


@dataclass(frozen=True, slots=True)
class Retention:
    """A Job goes when each given rule lets it go; without a rule only failed ones do.

    keep_after: epoch seconds; Jobs that began then or later stay. keep_fulls: of each name, client and FileSet the newest
    so many good Fulls stay, with all that hangs on them. now: a Job of a later time had a clock that was ahead.
    """

    keep_after: int | None = None
    keep_fulls: int | None = None
    now: int = sys.maxsize


@dataclass(frozen=True, slots=True)
class PrunePlan:
    """remove: Jobs to go, the newest first. volumes: those that then hold no Job any more. kept: how many Jobs stay."""

    remove: tuple[Job, ...]
    volumes: tuple[str, ...]
    kept: int


def plan_prune(jobs: Sequence[Job], volumes: Mapping[JobId, Iterable[str]], policy: Retention) -> PrunePlan:
    """jobs: all of the catalog, in the order in which they began. volumes: the Volumes of each."""
    known = {job.job_id: job for job in jobs}
    groups: dict[tuple[str, str, str], list[Job]] = defaultdict(list)
    newest_good: dict[tuple[str, str], int] = {}
    for number, job in enumerate(jobs):
        if job.good:
            groups[job.name, job.client, job.fileset_digest].append(job)
            newest_good[job.name, job.client] = number
    kept: set[JobId] = {job.job_id for job in jobs if job.running}
    for number, job in enumerate(jobs):
        if not job.good and number > newest_good.get((job.name, job.client), -1):
            kept.add(job.job_id)
    began = _began(jobs, policy.now)
    for group in groups.values():
        kept.add(newest_with_entries(group, known).job_id)
        kept |= _wanted(group, known, policy, began)
    for job_id in list(kept):
        kept |= _below(known[job_id], known)
    removed = [job for job in reversed(jobs) if job.job_id not in kept]
    still_used = {name for job_id, names in volumes.items() if job_id in kept for name in names}
    freed = {name for job in removed for name in volumes.get(job.job_id, ())} - still_used
    return PrunePlan(tuple(removed), tuple(sorted(freed)), len(kept))


def newest_with_entries(good: Sequence[Job], known: Mapping[JobId, Job]) -> Job:
    """Of good Jobs, the oldest first, the last one whose tree was ever saved; the last one when none has a tree."""
    return next((job for job in reversed(good) if _has_entries(job, known)), good[-1])


def _has_entries(job: Job, known: Mapping[JobId, Job]) -> bool:
    return any(known[job_id].files for job_id in _below(job, known))


def _began(jobs: Sequence[Job], now: int) -> dict[JobId, int]:
    """When each Job began at the latest: its own time, unless the clock had been set back, or was ahead of `now`."""
    began: dict[JobId, int] = {}
    latest = 0
    for job in jobs:
        if job.start_time <= now:
            latest = max(latest, job.start_time)
            began[job.job_id] = latest
    following = now
    for job in reversed(jobs):
        following = began.setdefault(job.job_id, following)
    return began


def _wanted(group: list[Job], known: Mapping[JobId, Job], policy: Retention, began: Mapping[JobId, int]) -> set[JobId]:
    """What the rules keep of good Jobs of one kind, the oldest first."""
    if policy.keep_after is None and policy.keep_fulls is None:
        return {job.job_id for job in group}
    wanted: set[JobId] = set()
    if policy.keep_after is not None:
        wanted |= {job.job_id for job in group if began[job.job_id] >= policy.keep_after}
    if policy.keep_fulls is not None:
        fulls = [job.job_id for job in group if job.level == Level.FULL and job.files]
        kept_fulls = set(fulls[-policy.keep_fulls :]) if policy.keep_fulls else set()
        wanted |= {job.job_id for job in group if kept_fulls & _below(job, known)}
    return wanted


def _below(job: Job, known: Mapping[JobId, Job]) -> set[JobId]:
    """The Job and all it builds on."""
    found: set[JobId] = set()
    current: Job | None = job
    while current is not None and current.job_id not in found:
        found.add(current.job_id)
        current = known.get(current.base_job_id) if current.base_job_id is not None else None
    return found
