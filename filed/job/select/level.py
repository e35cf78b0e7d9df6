"""What a backup builds on: the base Job, or the reason why it has to be a Full."""

from __future__ import annotations

from dataclasses import dataclass

from filed.catalog import BaseWhy, Catalog, Job, Level
from filed.job.context import Messages
from filed.job.description import BackupJob


@dataclass(frozen=True, slots=True)
class Base:
    """level: what the Job really is.  base: the Job it builds on, None for a Full.  expected_bytes: for progress only."""

    level: Level
    base: Job | None
    expected_bytes: int


def choose_base(catalog: Catalog, job: BackupJob, messages: Messages) -> Base:
    """The base of a new Job. Where there is none, the Job becomes a Full and a message says why."""
    digest = job.fileset.digest()
    choice = catalog.choose_base(job.name, job.client, job.level, digest)
    if choice.base is not None:
        return Base(Level(job.level), choice.base, 0)
    if choice.why is not BaseWhy.NOT_WANTED:
        messages.info(f"{choice.why}: doing a Full instead of {_article(job.level)}")
    full = catalog.choose_base(job.name, job.client, Level.DIFFERENTIAL, digest).base
    return Base(Level.FULL, None, full.read_bytes if full is not None else 0)


def _article(level: str) -> str:
    word = Level(level).name.capitalize()
    return f"{'an' if word[0] == 'I' else 'a'} {word}"
