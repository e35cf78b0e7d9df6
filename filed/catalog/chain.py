"""Which Jobs a Job builds on: found again for a restore, chosen for a new backup.

An Incremental builds on the good Job before it, a Differential on its Full, a Full on nothing.
"""

# ruff: noqa: S608 - the statements are joined from constants and integers

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final

from filed.catalog.database import Database
from filed.catalog.job import Job, JobId, Level
from filed.errors import CatalogError

JOB_COLUMNS: Final = ", ".join(field.name for field in fields(Job))


class BaseWhy(StrEnum):
    """Why there is a base, or none; the value says it to a person."""

    FOUND = "found"
    NOT_WANTED = "a Full needs none"
    NO_FULL = "no good Full backup yet"
    FILESET_CHANGED = "the FileSet has changed since the last Full backup"
    BROKEN = "a Job that the earlier ones build on is not in the catalog"


@dataclass(frozen=True, slots=True)
class BaseChoice:
    """base: what the new Job builds on; None means it has to be a Full, and `why` says the reason."""

    base: Job | None
    why: BaseWhy


def jobs(database: Database) -> list[Job]:
    """All, in the order in which they began; a clock may have been wrong, JobIds never go back."""
    return [Job(*row) for row in database.rows(f"SELECT {JOB_COLUMNS} FROM job ORDER BY job_id")]


def job(database: Database, job_id: int) -> Job:
    fits = job_id.bit_length() < 64  # of SQLite's integers; whatever a person typed comes here
    row = database.one(f"SELECT {JOB_COLUMNS} FROM job WHERE job_id = ?", (job_id,)) if fits else None
    if row is None:
        raise CatalogError(
            f"JobId {job_id} is not in the catalog {database.path}: filed jobs -s {database.path.parent}"
        )
    return Job(*row)


def chain(database: Database, job_id: int) -> list[Job]:
    """The Jobs that hold the tree as `job_id` left it, the Full first, `job_id` last.

    CatalogError when one is missing.
    """
    found = [job(database, job_id)]
    met = {found[0].job_id}
    while (base_id := found[-1].base_job_id) is not None:
        if base_id in met:
            raise CatalogError(
                f"Job {found[-1].job} builds on itself; the catalog {database.path} is damaged:"
                f" filed catalog rebuild -s {database.path.parent}"
            )
        met.add(base_id)
        found.append(job(database, base_id))
    if found[-1].level in {Level.INCREMENTAL, Level.DIFFERENTIAL}:
        raise CatalogError(f"Job {found[-1].job} builds on a Job that is not in the catalog {database.path}")
    return found[::-1]


def choose_base(database: Database, name: str, client: str, level: str, fileset_digest: str) -> BaseChoice:
    """The last good Job that a new one of this name, client, level and FileSet can build on.

    A directory of Volumes may be carried from machine to machine, so the client has to be the same.
    """
    if level not in {Level.INCREMENTAL, Level.DIFFERENTIAL}:
        return BaseChoice(None, BaseWhy.NOT_WANTED)
    rows = database.rows(
        f"SELECT {JOB_COLUMNS} FROM job WHERE name = ? AND client = ? AND type = 'B' AND status IN ('T', 'W')"
        " ORDER BY job_id DESC",
        (name, client),
    )
    return choose_among([Job(*row) for row in rows], level, fileset_digest)


def choose_among(candidates: list[Job], level: str, fileset_digest: str) -> BaseChoice:
    """The choice itself. candidates: good backups of one name and client, the newest first."""
    known = {candidate.job_id: candidate for candidate in candidates}
    wanted = {Level.FULL} if level == Level.DIFFERENTIAL else set(Level)
    same = [one for one in candidates if one.fileset_digest == fileset_digest and one.level in wanted]
    broken: set[JobId] = set()
    for candidate in same:
        if _complete(candidate, known, broken):
            return BaseChoice(candidate, BaseWhy.FOUND)
    if same:
        return BaseChoice(None, BaseWhy.BROKEN)
    fulls = [one for one in candidates if one.level == Level.FULL]
    return BaseChoice(None, BaseWhy.FILESET_CHANGED if fulls else BaseWhy.NO_FULL)


def _complete(candidate: Job, known: Mapping[JobId, Job], broken: set[JobId]) -> bool:
    """Whether it leads to a Full. broken: Jobs that do not; those on the way to one of them are added, so that nobody goes the way again."""
    above: Job | None = candidate
    while above is not None and above.job_id not in broken:  # nor does a ring in a damaged file
        if above.base_job_id is None and above.level == Level.FULL:
            return True
        broken.add(above.job_id)
        above = known.get(above.base_job_id) if above.base_job_id is not None else None
    return False
