"""From the level of a Job to the base Job in our own catalog that it compares with, or the reason why it has to be a Full."""

from __future__ import annotations

import platform
from contextlib import ExitStack
from dataclasses import dataclass

from filed.catalog import BaseWhy, Catalog, Job, Level
from filed.errors import JobError
from filed.job.context import Messages
from filed.job.description import BackupJob
from filed.job.select.changed_since import ChangedSince, has_fine_ctime
from filed.job.select.selection import Everything, Selection
from filed.storage import Repository


@dataclass(frozen=True, slots=True)
class Base:
    """level: what the Job really is.  base: the Job it builds on, None for a Full.  expected_bytes: for progress only.

    since: when the base began, epoch seconds; 0, for everything, where that is not known: the clock was ahead then.
    """

    level: Level
    base: Job | None
    expected_bytes: int
    since: int = 0


def choose_base(catalog: Catalog, volumes: Repository, job: BackupJob, messages: Messages, now: float) -> Base:
    """The base of a new Job. Where there is none, the Job becomes a Full and a message says why."""
    digest = job.fileset.digest()
    choice = catalog.choose_base(job.name, job.client, job.level, digest)
    gone = _gone(catalog, volumes, choice.base) if choice.base is not None else ""
    if gone:
        messages.warning(f"{gone}: doing a Full instead of {_article(job.level)}")
    elif choice.base is not None:
        if choice.base.encrypted and not job.encrypts and not job.plain:
            raise JobError(
                f"JobId {choice.base.job_id}, which this Job builds on, is encrypted, and this one would not be: give its keys"
                " with --encrypt, or --plain if plain text is meant"
            )
        began = choice.base.start_time
        return Base(Level(job.level), choice.base, 0, began if began <= now else 0)
    elif choice.why is not BaseWhy.NOT_WANTED and (job.level_asked or choice.why is not BaseWhy.NO_FULL):
        messages.info(f"{choice.why}: doing a Full instead of {_article(job.level)}")
    full = catalog.choose_base(job.name, job.client, Level.DIFFERENTIAL, digest).base
    return Base(Level.FULL, None, full.read_bytes if full is not None else 0)


def selection_upon(catalog: Catalog, base: Base, job: BackupJob, stack: ExitStack) -> Selection:
    """Everything for a Full, else what has changed since the base Job."""
    if base.base is None:
        return Everything()
    digested = any(options.signature for include in job.fileset.includes for options in include.options)
    rows = stack.enter_context(catalog.base_of(base.base.job_id))
    fine = has_fine_ctime(platform.release())
    return ChangedSince(rows, base.since, digested=digested, fine_ctime=fine)


def _gone(catalog: Catalog, volumes: Repository, base: Job) -> str:
    """What of the Volumes that a restore of `base` would read is missing or too short; "" when all is there."""
    for job in catalog.chain(base.job_id):
        ends = {part.volume: part.end + 1 for part in catalog.media(job.job_id)}
        for name, end in ends.items():
            size = volumes.size_of(name)
            if size is None:
                return f"Volume {name} of JobId {job.job_id} is missing"
            if size < end:
                return f"Volume {name} of JobId {job.job_id} is too short: {size:,} bytes of {end:,}"
    return ""


def _article(level: str) -> str:
    word = Level(level).name.capitalize()
    return f"{'an' if word[0] == 'I' else 'a'} {word}"
