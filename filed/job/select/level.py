"""From the level of a Job to the base Job in our own catalog that it compares with, or the reason why it has to be a Full."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass

from filed.catalog import BaseWhy, Catalog, Job, Level
from filed.job.context import Messages
from filed.job.description import BackupJob
from filed.job.select.changed_since import ChangedSince, has_fine_ctime
from filed.job.select.selection import Everything, Selection


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


def selection_upon(catalog: Catalog, base: Base, job: BackupJob, stack: ExitStack) -> Selection:
    """Everything for a Full, else what has changed since the base Job."""
    if base.base is None:
        return Everything()
    digested = any(options.signature for include in job.fileset.includes for options in include.options)
    rows = stack.enter_context(catalog.base_list(base.base.job_id))
    fine = has_fine_ctime(os.uname().release)
    return ChangedSince(rows, base.base.start_time, digested=digested, fine_ctime=fine)


def _article(level: str) -> str:
    word = Level(level).name.capitalize()
    return f"{'an' if word[0] == 'I' else 'a'} {word}"
