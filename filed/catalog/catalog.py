"""The catalog of a directory of Volumes: its Jobs, and the way to everything else.

A Job is in the catalog from its first second, with status R and the mark of its process. Only the durable transaction
that ends it makes it good: status, totals, Volumes and the states of its agents, together or not at all.
"""

# ruff: noqa: S608 - the statements are joined from constants and integers

from __future__ import annotations

import os
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from filed.catalog import chain as chains
from filed.catalog import tree as trees
from filed.catalog.base_chain import BaseOfChain
from filed.catalog.base_list import BaseList
from filed.catalog.chain import BaseChoice
from filed.catalog.database import CATALOG_FILE, Database
from filed.catalog.feed import RecordFeed
from filed.catalog.find import Change, PathGlob, diff, find, versions
from filed.catalog.glob import fixed_part, path_pattern
from filed.catalog.job import GOOD, Job, JobId, JobMedia, JobTotals, NewJob, Status, Volume, unique_name
from filed.catalog.liveness import ProcessMark
from filed.catalog.retention import Chains, PrunePlan, Retention, newest_with_entries, plan_delete, plan_prune
from filed.catalog.state import (
    FoundState,
    Seal,
    SealedState,
    find_state,
    keep_from,
    mark_confirmed,
    mark_restored,
    seal,
)
from filed.catalog.tree import FileRow
from filed.errors import CatalogError
from filed.wire.attributes import FileType
from filed.wire.restore_object import RestoreObject

SWEEP_ROWS: Final = 5000
"""File rows removed in one transaction: some 20 ms, then another Job gets its turn."""

MAX_JOBS_A_SECOND: Final = 999
VANISHED: Final = "its process is gone"


class Catalog:
    """One open catalog. For one thread of one process; another one opens its own."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @classmethod
    def open(cls, path: Path, *, create: bool = False) -> Self:
        """path: the file, or the directory of Volumes it lies in."""
        file = path / CATALOG_FILE if path.is_dir() else path
        return cls(Database.create(file) if create else Database.open(file))

    @classmethod
    def open_to_remove(cls, path: Path) -> Self:
        """As `open`, for what frees the disk; works on a disk that is full."""
        return cls(Database.open_to_remove(path / CATALOG_FILE if path.is_dir() else path))

    @classmethod
    def read(cls, path: Path) -> Self:
        """As `open`, for reading alone; works on a disk that is mounted read-only."""
        return cls(Database.read(path / CATALOG_FILE if path.is_dir() else path))

    @property
    def path(self) -> Path:
        return self.database.path

    @property
    def lost(self) -> bool:
        """As `Database.lost`: it can only be closed."""
        return self.database.lost

    def close(self) -> None:
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Jobs

    def jobs(self) -> list[Job]:
        """All, in the order in which they began. One that runs, and whose process is gone, comes as failed: see `reconcile`."""
        found = chains.jobs(self.database)
        dead = self._dead() if any(job.running for job in found) else set()
        return [_vanished(job) if job.job_id in dead else job for job in found]

    def job(self, job_id: int) -> Job:
        """CatalogError when there is none. As with `jobs`, it is failed when its process is gone."""
        found = chains.job(self.database, job_id)
        return _vanished(found) if found.running and job_id in self._dead() else found

    def begin_job(self, new: NewJob, now: float, process: ProcessMark | None = None) -> Job:
        """A new running Job with its JobId, unique name and session. process: who runs it; None is this one."""
        mark = process or ProcessMark.of(os.getpid())
        start = int(now)
        with self.database.transaction() as connection:
            job_id = JobId(_next_job_id(connection))
            job = Job(
                job_id=job_id,
                job=_free_name(connection, job_id, new.name, now),
                name=new.name,
                client=new.client,
                type=new.type,
                level=new.level,
                status=Status.RUNNING,
                start_time=start,
                end_time=0,
                since=new.since,
                base_job_id=new.base,
                fileset_name=new.fileset_name,
                fileset_digest=new.fileset_digest,
                fileset_text=new.fileset_text,
                vol_session_id=job_id & 0xFFFFFFFF,
                vol_session_time=start & 0xFFFFFFFF,
                files=0,
                bytes=0,
                read_bytes=0,
                errors=0,
                deleted=0,
                failure="",
                encrypted=int(new.encrypted),
            )
            insert_job(connection, job, mark)
        return job

    def feed(self, job_id: int) -> RecordFeed:
        """Where the records of a running Job go."""
        return RecordFeed(self.database, job_id)

    def count_names(self, job_id: int) -> int:
        """How many names a Job has of what is there, once its feed is flushed."""
        row = self.database.one("SELECT count(*) FROM file WHERE job_id = ? AND type <> ?", (job_id, FileType.DELETED))
        return int(row[0]) if row is not None else 0

    def finish_job(
        self,
        job_id: int,
        status: str,
        now: float,
        totals: JobTotals,
        media: Sequence[JobMedia],
        *,
        states: Sequence[SealedState] = (),
        failure: str = "",
    ) -> None:
        """The end of a running Job, on the disk when this returns. Flush its feed before.

        states: of the Job's agents; sealed only when the status is good.

        CatalogError when the Job is not running any more: another process took this one for dead.
        """
        with self.database.durable() as connection:
            end_job(connection, job_id, status, int(now), totals, failure=failure)
            set_media(connection, job_id, media)
            if states and status in GOOD:
                job = chains.job(self.database, job_id)
                by = Seal("", job.job, job.name, job.level, job.fileset_digest, int(now))
                seal(connection, by, states)

    def add_media(self, job_id: int, media: Sequence[JobMedia]) -> None:
        """What a running Job has written up to now, so that its Volumes are known to hold something should it die."""
        with self.database.transaction() as connection:
            set_media(connection, job_id, media)

    def fail_job(self, job_id: int, now: float, failure: str, status: str = Status.FATAL) -> bool:
        """For whoever survives a Job's process: the Job ends, its rows go. False when it has ended already."""
        if not chains.job(self.database, job_id).running:
            return False
        self._sweep(job_id)
        with self.database.durable() as connection:
            cursor = connection.execute(
                "UPDATE job SET status = ?, end_time = ?, failure = ? WHERE job_id = ? AND status = 'R'",
                (str(status), int(now), failure, job_id),
            )
            if cursor.rowcount == 1:
                connection.execute("DELETE FROM restore_object WHERE job_id = ?", (job_id,))
            return cursor.rowcount == 1

    def reconcile(self, now: float) -> list[Job]:
        """Jobs whose process is gone end as failed; they are returned. Also sweeps what an earlier crash left."""
        ended = [self.job(job_id) for job_id in sorted(self._dead()) if self.fail_job(job_id, now, VANISHED)]
        for job_id in self._orphans():
            self._sweep(job_id)
        return ended

    def _dead(self) -> set[int]:
        running = self.database.all("SELECT job_id, pid, pid_start, machine FROM job WHERE status = 'R'")
        return {job_id for job_id, *mark in running if not ProcessMark(*mark).alive()}

    def dead_sessions(self) -> set[tuple[int, int]]:
        """VolSessionId and VolSessionTime of Jobs that failed under this catalog's eyes: nothing on a Volume is theirs.

        Not of those that a rebuild found without an end. Theirs may lie on a Volume that was away at the time.
        """
        return set(
            self.database.rows(
                "SELECT vol_session_id, vol_session_time FROM job WHERE status NOT IN ('T', 'W', 'R')"
                " AND job_id NOT IN (SELECT job_id FROM job_media)"
            )
        )

    def remove_jobs(self, job_ids: Iterable[int]) -> None:
        """Jobs leave the catalog, with all that belongs to them. `retention.plan_prune` says which may."""
        leaving = list(job_ids)
        with self.database.durable() as connection:
            for job_id in leaving:
                connection.execute(
                    "DELETE FROM agent_state WHERE director = '' AND job IN (SELECT job FROM job WHERE job_id = ?)",
                    (job_id,),
                )
                connection.execute("DELETE FROM job WHERE job_id = ?", (job_id,))
        for job_id in leaving:
            self._sweep(job_id)

    def _sweep(self, job_id: int) -> None:
        while True:
            with self.database.transaction() as connection:
                cursor = connection.execute(
                    "DELETE FROM file WHERE job_id = ?1 AND path IN"
                    " (SELECT path FROM file WHERE job_id = ?1 ORDER BY path LIMIT ?2)",
                    (job_id, SWEEP_ROWS),
                )
                if cursor.rowcount < SWEEP_ROWS:
                    return

    def _orphans(self) -> list[int]:
        # One step down the b-tree for each Job, whatever the number of rows.
        return [
            row[0]
            for row in self.database.all(
                "WITH RECURSIVE held (job_id) AS (SELECT min(job_id) FROM file UNION ALL"
                " SELECT (SELECT min(job_id) FROM file WHERE job_id > held.job_id) FROM held WHERE held.job_id NOT NULL)"
                " SELECT job_id FROM held WHERE job_id NOT NULL AND job_id NOT IN (SELECT job_id FROM job)"
            )
        ]

    def check(self) -> list[str]:
        """What is wrong with the file, in SQLite's words and ours; nothing when it is sound. Reads all of it."""
        found = [str(row[0]) for row in self.database.rows("PRAGMA integrity_check") if row[0] != "ok"]
        found += [
            f"{row[0]} builds on JobId {row[1]}, which is missing"
            for row in self.database.rows(
                "SELECT job, base_job_id FROM job WHERE base_job_id NOT IN (SELECT job_id FROM job)"
            )
        ]
        return found

    def prune_plan(self, policy: Retention) -> PrunePlan:
        """Which Jobs may go under a policy, and which Volumes then; `remove_jobs` does the first."""
        return plan_prune(self.jobs(), self._volumes_of_jobs(), policy)

    def delete_plan(self, job_ids: Collection[int]) -> PrunePlan:
        """The same for Jobs that a person named. Raises CatalogError where they cannot go."""
        return plan_delete(self.jobs(), self._volumes_of_jobs(), job_ids)

    def _volumes_of_jobs(self) -> dict[JobId, set[str]]:
        held: dict[JobId, set[str]] = defaultdict(set)
        for job_id, name in self.database.rows("SELECT job_id, name FROM job_media JOIN volume USING (volume_id)"):
            held[job_id].add(name)
        return held

    def newest_of(self, good: Sequence[Job]) -> Job:
        """Of these good backups, the oldest first, the one that began last; one whose tree is empty only when there is no other."""
        return newest_with_entries(good, Chains(self.jobs()))

    # Volumes

    def note_volume(self, name: str, created: int) -> None:
        """A Volume exists; created: epoch seconds, from its label."""
        with self.database.transaction() as connection:
            connection.execute(
                "INSERT INTO volume (name, created) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET created = ?2",
                (name, created),
            )

    def volumes(self) -> list[Volume]:
        """By name."""
        rows = self.database.all(
            "SELECT name, created, count(DISTINCT job_id), coalesce(max(end_address) + 1, 0) FROM volume"
            " LEFT JOIN job_media USING (volume_id) GROUP BY volume_id ORDER BY name"
        )
        return [Volume(*row) for row in rows]

    def media(self, job_id: int) -> list[JobMedia]:
        """The Volumes of a Job, in the order it wrote them."""
        rows = self.database.all(
            "SELECT name, first_index, last_index, start_address, end_address FROM job_media"
            " JOIN volume USING (volume_id) WHERE job_id = ? ORDER BY part",
            (job_id,),
        )
        return [JobMedia(*row) for row in rows]

    def volume_use(self) -> dict[str, list[tuple[JobId, int]]]:
        """Of each Volume the Jobs on it, with how many bytes of it are theirs."""
        found: dict[str, list[tuple[JobId, int]]] = {volume.name: [] for volume in self.volumes()}
        for name, job_id, size in self.database.rows(
            "SELECT name, job_id, sum(end_address + 1 - start_address) FROM job_media JOIN volume USING (volume_id)"
            " GROUP BY name, job_id ORDER BY job_id"
        ):
            found[name].append((job_id, size))
        return found

    def forget_volumes(self, names: Iterable[str]) -> None:
        """Volumes that were deleted. CatalogError when a Job is still on one."""
        with self.database.transaction() as connection:
            for name in names:
                try:
                    connection.execute("DELETE FROM volume WHERE name = ?", (name,))
                except sqlite3.IntegrityError as error:
                    raise CatalogError(f"Volume {name} still holds Jobs of the catalog; prune them first") from error

    # Chains and trees

    def chain(self, job_id: int) -> list[Job]:
        """The Jobs a restore of `job_id` reads, the Full first, `job_id` last."""
        return chains.chain(self.database, job_id)

    def choose_base(self, name: str, client: str, level: str, fileset_digest: str) -> BaseChoice:
        """What a new Job can build on."""
        return chains.choose_base(self.database, name, client, level, fileset_digest)

    def tree(self, job_id: int, prefixes: Iterable[bytes] = ()) -> Iterator[FileRow]:
        """Live entries as `job_id` left them, by path; all, or those at and below `prefixes`."""
        return trees.tree(self.database, [job.job_id for job in self.chain(job_id)], prefixes)

    def matching(self, job_id: int, pattern: bytes) -> Iterator[FileRow]:
        """Those of the tree at `job_id` whose whole path matches a pattern of `glob.py`."""
        match = path_pattern(pattern).match
        above = fixed_part(pattern)
        return (row for row in self.tree(job_id, [above] if above else []) if match(row.path))

    def entry(self, job_id: int, path: bytes) -> FileRow | None:
        """What this one Job has under exactly this path; may be a deletion."""
        return trees.entry(self.database, job_id, path)

    def base_list(self, job_id: int, prefixes: Iterable[bytes] = (), directory: Path | None = None) -> BaseList:
        """The tree at `job_id`, all of it in a list. directory: where to keep it; None is beside the catalog."""
        return BaseList.of_chain(self.database, [job.job_id for job in self.chain(job_id)], prefixes, directory)

    def base_of(self, job_id: int) -> BaseOfChain:
        """The tree at `job_id` for a new backup, which may ask for little of it."""
        return BaseOfChain(self.database, self.chain(job_id))

    def diff(self, before: int, after: int, prefixes: Iterable[bytes] = ()) -> Iterator[Change]:
        """What turns the tree at one Job into the tree at another, by path."""
        wanted = list(prefixes)
        return diff(self.tree(before, wanted), self.tree(after, wanted))

    def find(self, glob: PathGlob, job_ids: Iterable[int] = ()) -> Iterator[FileRow]:
        """Rows whose path matches, of all Jobs or of some; see `path_glob`."""
        return find(self.database, glob, job_ids)

    def versions(self, path: bytes) -> list[FileRow]:
        """What every Job has of one path, the oldest first."""
        return versions(self.database, path)

    def digests(self, job_id: int, prefixes: Iterable[bytes] = ()) -> Iterator[FileRow]:
        """The entries of the tree at a Job that have a digest to verify."""
        return (row for row in self.tree(job_id, prefixes) if row.digest_record)

    # Agents

    def seal(self, by: Seal, states: Iterable[SealedState]) -> None:
        """States of a Director's Job, on the disk when this returns. `finish_job` does it for our own."""
        with self.database.durable() as connection:
            seal(connection, by, states)

    def find_state(
        self, base_job: str, agent: str, instance: str, fileset_digest: str, *, director: str = ""
    ) -> FoundState:
        """What an agent gets when a new Job builds on `base_job`, the unique name of a Job."""
        return find_state(self.database, base_job, agent, instance, fileset_digest, director=director)

    def keep_from(self, agent: str, instance: str, *, director: str = "") -> int:
        """The lowest watermark of this instance's states that a Job may still name; 0: one of them has none."""
        return keep_from(self.database, agent, instance, director=director)

    def has_states(self, agent: str, *, director: str = "") -> bool:
        """Whether any instance of the agent has sealed a state that still counts."""
        found = self.database.one(
            "SELECT 1 FROM agent_state WHERE director = ? AND agent = ? AND restored = 0 LIMIT 1", (director, agent)
        )
        return found is not None

    def mark_restored(self, agent: str, instance: str | None = None, *, director: str = "") -> int:
        """After a restore: no state sealed so far is good for this instance (None: all of the agent's)."""
        return mark_restored(self.database, agent, instance, director=director)

    def mark_confirmed(self, job: str, agent: str, instance: str, *, director: str = "") -> None:
        """The agent was told that `job` (a unique name) is in the catalog of the one who started it."""
        mark_confirmed(self.database, job, agent, instance, director=director)

    def plugin_command(self, plugin_id: int) -> bytes:
        """The text after which an agent's entry was saved; b"" for plugin_id 0."""
        row = self.database.one("SELECT command FROM plugin WHERE plugin_id = ?", (plugin_id,))
        return bytes(row[0]) if row else b""

    def restore_objects(self, job_id: int) -> Iterator[RestoreObject]:
        """What agents want back before their files, in the order it was saved."""
        for row in self.database.rows(
            "SELECT file_index, type, object_index, command, name, content FROM restore_object"
            " WHERE job_id = ? ORDER BY file_index",
            (job_id,),
        ):
            yield RestoreObject(*row)


def _vanished(job: Job) -> Job:
    return replace(job, status=Status.FATAL, failure=VANISHED)


def insert_job(connection: sqlite3.Connection, job: Job, mark: ProcessMark) -> None:
    """A row of `job` from its value, in a transaction of the caller."""
    marks = ", ?" * len(Job.__slots__)
    connection.execute(
        f"INSERT INTO job ({chains.JOB_COLUMNS}, pid, pid_start, machine) VALUES (?, ?, ?{marks})",
        (*(getattr(job, name) for name in Job.__slots__), mark.pid, mark.start, mark.machine),
    )


def end_job(
    connection: sqlite3.Connection, job_id: int, status: str, end_time: int, totals: JobTotals, *, failure: str
) -> None:
    """The last update of a running Job, in a transaction of the caller."""
    cursor = connection.execute(
        "UPDATE job SET status = ?, end_time = ?, files = ?, bytes = ?, read_bytes = ?, errors = ?, deleted = ?,"
        " failure = ? WHERE job_id = ? AND status = 'R'",
        (
            str(status),
            end_time,
            totals.files,
            totals.bytes,
            totals.read_bytes,
            totals.errors,
            totals.deleted,
            failure,
            job_id,
        ),
    )
    if cursor.rowcount != 1:
        raise CatalogError(f"JobId {job_id} was ended by another process; run the Job again")


def set_media(connection: sqlite3.Connection, job_id: int, media: Sequence[JobMedia]) -> None:
    """The Volumes of a Job anew, in a transaction of the caller."""
    connection.execute("DELETE FROM job_media WHERE job_id = ?", (job_id,))
    for part, item in enumerate(media):
        connection.execute("INSERT INTO volume (name) VALUES (?) ON CONFLICT DO NOTHING", (item.volume,))
        connection.execute(
            "INSERT INTO job_media (job_id, part, volume_id, first_index, last_index, start_address, end_address)"
            " SELECT ?, ?, volume_id, ?, ?, ?, ? FROM volume WHERE name = ?",
            (job_id, part, item.first_index, item.last_index, item.start, item.end, item.volume),
        )


def _next_job_id(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'job'").fetchone()
    return 1 if row is None else int(row[0]) + 1


def _free_name(connection: sqlite3.Connection, job_id: JobId, name: str, now: float) -> str:
    """Counted by JobId, so that the name of a Job that was removed in this second, and is still on a Volume, stays its own."""
    for number in range(job_id, job_id + MAX_JOBS_A_SECOND):
        unique = unique_name(name, now, (number - 1) % MAX_JOBS_A_SECOND + 1)
        if connection.execute("SELECT 1 FROM job WHERE job = ?", (unique,)).fetchone() is None:
            return unique
    raise CatalogError(f"{MAX_JOBS_A_SECOND} Jobs named {name} began in this very second; wait for the next")
