"""What a Director knows and chooses: the base of a Job, and the Jobs and files of a restore."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from filed.agents import Level


class Fate(Enum):
    """How a Job ended. Unrecorded: everything is done, but the catalog never heard of it."""

    GOOD = "good"
    BEFORE_COMMIT = "failed before commit"
    UNRECORDED = "failed after commit"
    REFUSED = "refused"


@dataclass
class ModelJob:
    """One Job and what the Storage side has of it.

    files: by path, in the order sent. objects: restore objects. state: sealed. generation: the last log there was when
    this Job had listed its logs; content: the dump of that moment.
    """

    name: str
    level: Level
    fate: Fate = Fate.GOOD
    files: dict[bytes, bytes] = field(default_factory=dict)
    objects: dict[bytes, bytes] = field(default_factory=dict)
    state: tuple[bytes, int] | None = None
    generation: int = 0
    content: str = ""
    messages: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return self.fate is Fate.GOOD


class Director:
    """Its catalog: only what ended well counts."""

    def __init__(self) -> None:
        self.jobs: list[ModelJob] = []

    def _newest(self, *levels: Level) -> ModelJob | None:
        return next((job for job in reversed(self.jobs) if job.good and job.level in levels), None)

    def base(self, level: Level) -> ModelJob | None:
        """None: there is no Full, the level becomes Full."""
        full = self._newest(Level.FULL)
        if full is None or level == Level.DIFFERENTIAL:
            return full
        return self._newest(Level.FULL, Level.DIFFERENTIAL, Level.INCREMENTAL)

    def restore_set(self) -> list[ModelJob]:
        """For now: the newest Full, the newest Differential since, the Incrementals since that."""
        good = [job for job in self.jobs if job.good]
        start = max(n for n, job in enumerate(good) if job.level == Level.FULL)
        after = good[start + 1 :]
        differential = max((n for n, job in enumerate(after) if job.level == Level.DIFFERENTIAL), default=None)
        chosen = [good[start]]
        if differential is not None:
            chosen.append(after[differential])
            after = after[differential + 1 :]
        return chosen + [job for job in after if job.level == Level.INCREMENTAL]


def newest_versions(jobs: list[ModelJob]) -> Iterator[tuple[bytes, bytes]]:
    """Every name once, from the last Job that has it, in the order of the Volume."""
    last = {path: job for job in jobs for path in job.files}
    for job in jobs:
        for path, content in job.files.items():
            if last[path] is job:
                yield path, content
