"""Which Jobs may go, and which Volumes with them. Nothing here removes anything.

Whatever the policy says, a Job stays that a kept one builds on, and so does the newest good backup of each name, client
and FileSet with its chain: backups that stopped being made must not prune themselves away. A backup without entries takes
nobody's place. The newest is the one that began last, whatever the clock said then.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from filed.catalog.job import Job, JobId, Level
from filed.errors import CatalogError

BUILDS_ON_IT = "builds on it"
Reasons = dict[JobId, list[str]]
"""Why each Job stays, in words. A Job without any goes."""


class Period(Enum):
    """A span of the local calendar; the value names one of them for `time.strftime`. Two times are in one span when their names are equal."""

    HOUR = "%Y-%m-%d %H:00"
    DAY = "%Y-%m-%d"
    WEEK = "%G-W%V"
    MONTH = "%Y-%m"
    YEAR = "%Y"

    @property
    def adverb(self) -> str:
        return "daily" if self is Period.DAY else f"{self.name.lower()}ly"


@dataclass(frozen=True, slots=True)
class Retention:
    """Each rule keeps Jobs, and what no rule keeps goes; without a rule only failed ones do.

    keep_after: epoch seconds; Jobs that began then or later stay. The other rules count for each name, client and FileSet by itself.
    keep_within: seconds; Jobs that began so long before the newest, or later, stay. keep_last: the newest so many stay. keep_each: of the
    newest so many hours, days and so on that have a Job, the newest Job of each stays. keep_fulls: the newest so many Fulls stay,
    with all that hangs on them. now: a Job of a later time had a clock that was ahead.
    """

    keep_after: int | None = None
    keep_within: int | None = None
    keep_last: int | None = None
    keep_each: Mapping[Period, int] = field(default_factory=dict)
    keep_fulls: int | None = None
    now: int = sys.maxsize

    @property
    def has_a_rule(self) -> bool:
        rules = (self.keep_after, self.keep_within, self.keep_last, self.keep_fulls)
        return bool(self.keep_each) or any(rule is not None for rule in rules)


@dataclass(frozen=True, slots=True)
class PrunePlan:
    """remove: Jobs to go, the newest first. volumes: those that then hold no Job any more. kept: why each other Job stays, the newest first."""

    remove: tuple[Job, ...]
    volumes: tuple[str, ...]
    kept: dict[JobId, tuple[str, ...]]


def plan_prune(jobs: Sequence[Job], volumes: Mapping[JobId, Iterable[str]], policy: Retention) -> PrunePlan:
    """jobs: all of the catalog, in the order in which they began. volumes: the Volumes of each."""
    chains = Chains(jobs)
    groups: dict[tuple[str, str, str], list[Job]] = defaultdict(list)
    newest_good: dict[tuple[str, str], int] = {}
    reasons: Reasons = defaultdict(list)
    for number, job in enumerate(jobs):
        if job.good:
            groups[job.name, job.client, job.fileset_digest].append(job)
            newest_good[job.name, job.client] = number
    for number, job in enumerate(jobs):
        if job.running:
            reasons[job.job_id].append("it is running")
        elif not job.good and number > newest_good.get((job.name, job.client), -1):
            reasons[job.job_id].append("no good one came after it")
    began = _began(jobs, policy.now)
    for group in groups.values():
        reasons[newest_with_entries(group, chains).job_id].append("newest")
        _keep_by_rules(group, chains, policy, began, reasons)
    _keep_bases(chains, reasons)
    return _plan(jobs, volumes, reasons)


def plan_delete(jobs: Sequence[Job], volumes: Mapping[JobId, Iterable[str]], chosen: Collection[int]) -> PrunePlan:
    """The same for Jobs that a person named. Raises CatalogError for one that is not there, is running, or that another builds on."""
    known = {job.job_id: job for job in jobs}
    for number in chosen:
        job = known.get(JobId(number))
        if job is None:
            raise CatalogError(f"JobId {number} is not in the catalog; `filed jobs` lists them")
        if job.running:
            raise CatalogError(f"JobId {number} is running; nothing was removed")
    reasons: Reasons = {job.job_id: [] for job in jobs if job.job_id not in chosen}
    for job in jobs:
        if job.job_id in reasons and job.base_job_id in chosen:
            raise CatalogError(
                f"JobId {job.job_id} builds on JobId {job.base_job_id}: name both, or neither; nothing was removed"
            )
    return _plan(jobs, volumes, reasons)


def newest_with_entries(good: Sequence[Job], chains: Chains) -> Job:
    """Of good Jobs, the oldest first, the last one whose tree was ever saved; the last one when none has a tree."""
    return next((job for job in reversed(good) if job.job_id in chains.filled), good[-1])


class Chains:
    """What each Job builds on, as far as it is there. root: of each Job the oldest of its chain, a Full where nothing is missing.

    filled: the Jobs whose chain has saved any entry.
    """

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._known = {job.job_id: job for job in jobs}
        self.root: dict[JobId, JobId] = {}
        self.filled: set[JobId] = set()
        for job in self._known.values():
            self._follow(job)

    def base(self, job: Job) -> Job | None:
        return None if job.base_job_id is None else self._known.get(job.base_job_id)

    def __getitem__(self, job_id: JobId) -> Job:
        return self._known[job_id]

    def _follow(self, job: Job) -> None:
        """Up to what was followed before; a ring in a damaged catalog ends as well."""
        path: dict[JobId, Job] = {}
        above: Job | None = job
        while above is not None and above.job_id not in self.root and above.job_id not in path:
            path[above.job_id] = above
            above = self.base(above)
        if not path:
            return
        met_before = above is not None and above.job_id in self.root
        root = self.root[above.job_id] if above is not None and met_before else next(reversed(path))
        filled = above is not None and above.job_id in self.filled
        for each in reversed(path.values()):
            filled = filled or bool(each.files)
            self.root[each.job_id] = root
            if filled:
                self.filled.add(each.job_id)


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


def _keep_by_rules(
    group: list[Job], chains: Chains, policy: Retention, began: Mapping[JobId, int], reasons: Reasons
) -> None:
    """What the rules keep of good Jobs of one kind, the oldest first."""
    if not policy.has_a_rule:
        for job in group:
            reasons[job.job_id].append("no rule was given")
        return
    filled = [job for job in group if job.job_id in chains.filled]  # one without entries takes nobody's place
    for job in group:
        if policy.keep_after is not None and began[job.job_id] >= policy.keep_after:
            reasons[job.job_id].append("not old enough")
    if policy.keep_within is not None and filled:
        since = began[filled[-1].job_id] - policy.keep_within
        for job in filled:
            if began[job.job_id] >= since:
                reasons[job.job_id].append("within the time of the newest")
    for job in filled[-policy.keep_last :] if policy.keep_last else ():
        reasons[job.job_id].append("last")
    for period, most in policy.keep_each.items():
        for span, job in _newest_of_each(filled, period, began)[:most]:
            reasons[job.job_id].append(f"{period.adverb} {span}")
    if policy.keep_fulls is not None:
        fulls = [job.job_id for job in group if job.level == Level.FULL and job.files]
        kept_fulls = set(fulls[-policy.keep_fulls :]) if policy.keep_fulls else set()
        for job in group:
            if chains.root[job.job_id] in kept_fulls:
                reasons[job.job_id].append("of a Full that is kept")


def _newest_of_each(group: list[Job], period: Period, began: Mapping[JobId, int]) -> list[tuple[str, Job]]:
    """The newest Job of each span that has one, the newest span first."""
    found = {time.strftime(period.value, time.localtime(began[job.job_id])): job for job in group}
    return list(found.items())[::-1]


def _keep_bases(chains: Chains, reasons: Reasons) -> None:
    """All that a kept Job builds on stays; one of those that build on it is named."""
    keep = sorted(reasons)
    while keep:
        above = chains[keep.pop()]
        base = chains.base(above)
        if base is None:
            continue
        if base.job_id not in reasons:
            keep.append(base.job_id)
        if not any(why.endswith(BUILDS_ON_IT) for why in reasons[base.job_id]):
            reasons[base.job_id].append(f"JobId {above.job_id} {BUILDS_ON_IT}")


def _plan(jobs: Sequence[Job], volumes: Mapping[JobId, Iterable[str]], reasons: Reasons) -> PrunePlan:
    removed = tuple(job for job in reversed(jobs) if job.job_id not in reasons)
    kept = {job.job_id: tuple(reasons[job.job_id]) for job in reversed(jobs) if job.job_id in reasons}
    still_used = {name for job_id, names in volumes.items() if job_id in kept for name in names}
    freed = {name for job in removed for name in volumes.get(job.job_id, ())} - still_used
    return PrunePlan(removed, tuple(sorted(freed)), kept)
