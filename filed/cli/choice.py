"""Which Job a command is about: a JobId, or the newest good backup that fits."""

from __future__ import annotations

import time

from filed.catalog import Catalog, Job, JobId, is_pattern
from filed.cli import options
from filed.errors import CatalogError, printable


def chosen_job(catalog: Catalog, words: tuple[str, ...], at: int | None = None) -> tuple[Job, tuple[bytes, ...]]:
    """The Job, and the words left: paths. Without a number, the newest good backup; with paths, the newest of a Job name that holds them.

    at: epoch seconds; only Jobs that had begun by then. Raises CatalogError when there is none, UsageError for a number and a time.
    """
    if words and words[0].isdecimal():
        if at is not None:
            raise options.both_a_job_and_a_time(words[0])
        job = good_job(catalog, int(words[0]))
        return job, _matched(catalog, job, _paths(words[1:]))
    paths = _paths(words[1:] if words[:1] == ("latest",) else words)
    found = good_jobs(catalog)
    good = [job for job in found if at is None or job.start_time <= at]
    if not good:
        oldest = found[0]
        raise CatalogError(f"no good backup had begun by then; the first is JobId {oldest.job_id} of {_when(oldest)}")
    if not paths:
        return catalog.newest_of(good), paths
    job = _newest_with(catalog, good, paths)
    return job, _matched(catalog, job, paths)


def good_job(catalog: Catalog, number: int) -> Job:
    """The Job of that JobId. Raises CatalogError when it holds no tree."""
    job = catalog.job(number)
    if not job.good:
        raise CatalogError(f"JobId {job.job_id} is no good backup ({job.failure or 'it is still running'})")
    return job


def good_jobs(catalog: Catalog) -> list[Job]:
    """All of them, the oldest first. Raises CatalogError when there is none."""
    good = [job for job in catalog.jobs() if job.good]
    if not good:
        raise CatalogError(f"no good backup in {catalog.path.parent}; make one with: filed backup -s DIR PATH...")
    return good


def _newest_with(catalog: Catalog, good: list[Job], paths: tuple[bytes, ...]) -> Job:
    """Of the newest Jobs of each name, the newest one that holds all the paths.

    Not an older one of the same name: what was deleted since would come back without a word.
    """
    newest = {(job.name, job.client): job for job in good}
    for job in sorted(newest.values(), key=lambda job: job.job_id, reverse=True):
        if _holds(catalog, job.job_id, paths):
            return job
    named = ", ".join(printable(path) for path in paths)
    older = next((job for job in reversed(good) if _holds(catalog, job.job_id, paths)), None)
    if older is None:
        raise CatalogError(f"no good backup holds {named}; `filed find` looks for names in all of them")
    raise CatalogError(
        f"the newest backup of {older.name} does not hold {named} any more; JobId {older.job_id} of {_when(older)} does: give that number"
    )


def _holds(catalog: Catalog, job_id: JobId, paths: tuple[bytes, ...]) -> bool:
    return all(_has(catalog, job_id, path) for path in paths)


def _has(catalog: Catalog, job_id: JobId, path: bytes) -> bool:
    if next(catalog.tree(job_id, [path]), None) is not None:
        return True
    return is_pattern(path) and next(catalog.matching(job_id, path), None) is not None


def _matched(catalog: Catalog, job: Job, paths: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Paths in place of patterns. What is there under that very name is a name. Raises CatalogError for a pattern that matches nothing."""
    found: dict[bytes, None] = {}
    for path in paths:
        if not is_pattern(path) or next(catalog.tree(job.job_id, [path]), None) is not None:
            found[path] = None
            continue
        matching = [row.path for row in catalog.matching(job.job_id, path)]
        if not matching:
            raise CatalogError(f"nothing in JobId {job.job_id} matches {printable(path)}")
        found |= dict.fromkeys(matching)
    return tuple(found)


def _paths(words: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(options.path_bytes(word) for word in words)


def _when(job: Job) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(job.start_time))
