"""The catalog again, from what the Volumes say.

Anyone who reads the Volumes turns them into the events below; the rows are made by the very class a backup feeds. The new
file is built beside the old one and takes its place in one step, when it is complete and on the disk.

A session without an end belongs to a Job that died: it becomes a failed Job without files, as it was before. What is on
no Volume cannot come back: marks that a state was restored or confirmed (taken from the old catalog when that can still
be read), and Jobs that failed before they wrote.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from filed.catalog.catalog import VANISHED, Catalog, end_job, insert_job, set_media
from filed.catalog.chain import choose_among
from filed.catalog.database import Database, translated
from filed.catalog.facts import JobFacts, facts_of
from filed.catalog.feed import RecordFeed
from filed.catalog.job import Job, JobId, JobMedia, JobTotals, Level, Status
from filed.catalog.liveness import ProcessMark
from filed.catalog.state import Seal, SealedState, seal, state_of
from filed.errors import CatalogError, StreamError
from filed.process.system import REPLACES_OPEN_FILES, sync_directory
from filed.wire.metadata_digest import METADATA_STREAMS
from filed.wire.restore_object import MAX_OBJECTS_BYTES, RestoreObject, parse_restore_object
from filed.wire.stream import DIGEST_STREAMS, STREAM_TYPE_MASK, Stream

WANTED_STREAMS: Final = (
    DIGEST_STREAMS
    | METADATA_STREAMS
    | {
        int(Stream.UNIX_ATTRIBUTES),
        int(Stream.UNIX_ATTRIBUTES_EX),
        int(Stream.UNIX_ATTRIBUTE_UPDATE),
        int(Stream.PLUGIN_NAME),
        int(Stream.RESTORE_OBJECT),
    }
)
"""Types of the records a rebuild wants; a reader may leave out all others."""

MAX_PROBLEMS: Final = 100
_RESTORE_OBJECT: Final = int(Stream.RESTORE_OBJECT)


@dataclass(frozen=True, slots=True)
class VolumeSeen:
    """created: epoch seconds, from its label."""

    name: str
    created: int


@dataclass(frozen=True, slots=True)
class SessionBegan:
    """A start-of-session label. session: what its records and its end are named by; time: epoch seconds."""

    session: Hashable
    vol_session_id: int
    vol_session_time: int
    job_id: int
    job: str
    name: str
    client: str
    fileset_name: str
    fileset_digest: str
    level: str
    time: int
    type: str = "B"


class SessionRecord(NamedTuple):
    """One record of a session, whole."""

    session: Hashable
    file_index: int
    stream: int
    data: bytes | memoryview


@dataclass(frozen=True, slots=True)
class MediaSeen:
    """A Volume's part of a session, at any time between its first and last record there and the end of all events."""

    session: Hashable
    media: JobMedia


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """An end-of-session label. time: epoch seconds."""

    session: Hashable
    status: str
    files: int
    bytes: int
    errors: int
    time: int


Event = VolumeSeen | SessionBegan | SessionRecord | MediaSeen | SessionEnded


@dataclass(slots=True)
class RebuildReport:
    """jobs: found; unfinished: of these, sessions without an end. problems: what a person should know, shortened."""

    jobs: int = 0
    unfinished: int = 0
    files: int = 0
    problems: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(text)


@dataclass(slots=True)
class _Session:
    job: Job
    feed: RecordFeed
    media: dict[JobMedia, None] = field(default_factory=dict)  # in the order in which they were seen
    states: list[SealedState] = field(default_factory=list)
    facts: JobFacts | None = None
    object_bytes: int = 0
    end: SessionEnded | None = None


def rebuild(path: Path, events: Iterable[Event], now: float) -> RebuildReport:
    """Make the catalog at `path` anew from `events`; the old one stays untouched until the new one is complete.

    CatalogError when a Job is running, or another process has the old catalog open in the end.
    """
    old = _old_catalog(path, now)
    try:
        highest = _highest_job(old)
        new_path = path.with_name(path.name + ".new")
        _remove(new_path)
        try:
            report = _build(new_path, events, old, now)
            _take_place(new_path, path, old, highest)
        finally:
            _remove(new_path)
    finally:
        if old is not None:
            old.close()
    return report


def _old_catalog(path: Path, now: float) -> Catalog | None:
    """The old one if it can be read; refuses to go on while a Job is running."""
    try:
        old = Catalog.open(path)
    except CatalogError:
        return None
    try:
        old.reconcile(now)
        running = [job.job for job in old.jobs() if job.running]
    except CatalogError:
        old.close()
        return None
    if running:
        old.close()
        raise CatalogError(f"Job {running[0]} is running; rebuild the catalog {path} when it has ended")
    return old


def _build(path: Path, events: Iterable[Event], old: Catalog | None, now: float) -> RebuildReport:
    report = RebuildReport()
    with Catalog.open(path, create=True) as catalog:
        # Nobody knows this file yet: should the machine stop, it is made again.
        with translated(path):
            catalog.database.connection.execute("PRAGMA synchronous = OFF")
        sessions = _read(catalog, events, report)
        for session in sorted(sessions, key=lambda one: one.end.time if one.end else 0):
            _end(catalog, session, report, now)
        _join(catalog, sessions, report)
        if old is not None:
            _carry_marks(catalog.database, old.database)
        with translated(path):
            catalog.database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            catalog.database.remove_log()
    with path.open("r+b") as file:
        os.fsync(file.fileno())
    return report


def _read(catalog: Catalog, events: Iterable[Event], report: RebuildReport) -> list[_Session]:
    sessions: list[_Session] = []
    by_key: dict[Hashable, _Session] = {}
    for event in events:
        if isinstance(event, SessionRecord):
            session = by_key.get(event.session)
            if session is not None and session.end is None:
                _take(session, event, report)
        elif isinstance(event, SessionBegan):
            begun = _begin(catalog, event, report)
            if begun is not None:
                sessions.append(begun)
                by_key[event.session] = begun
        elif isinstance(event, VolumeSeen):
            catalog.note_volume(event.name, event.created)
        elif event.session in by_key:
            session = by_key[event.session]
            if isinstance(event, MediaSeen):
                session.media[event.media] = None
            elif session.end is None:
                session.feed.flush()
                session.end = event
    return sessions


def _take(session: _Session, event: SessionRecord, report: RebuildReport) -> None:
    try:
        if event.stream & STREAM_TYPE_MASK == _RESTORE_OBJECT:
            item = _object(session, event)
            session.facts = facts_of(item) or session.facts
            state = state_of(item)
            if state is not None:
                session.states.append(state)
        session.feed.record(event.file_index, event.stream, event.data)
    except StreamError as error:
        report.note(f"Job {session.job.job}: {error}")


def _object(session: _Session, event: SessionRecord) -> RestoreObject:
    """Raises StreamError also when those of the Job are too much for the memory of its restore."""
    item = parse_restore_object(event.data)
    session.object_bytes += len(item.content)
    if session.object_bytes > MAX_OBJECTS_BYTES:
        text = f"restore objects of more than {MAX_OBJECTS_BYTES:,} bytes together: this one is left out"
        raise StreamError(text, event.stream, event.file_index)
    return item


def _begin(catalog: Catalog, event: SessionBegan, report: RebuildReport) -> _Session | None:
    database = catalog.database
    if database.one("SELECT 1 FROM job WHERE job = ?", (event.job,)):
        report.note(f"Job {event.job} begins twice; what its second session holds is left out")
        return None
    job_id = event.job_id
    if job_id < 1 or database.one("SELECT 1 FROM job WHERE job_id = ?", (job_id,)):
        row = database.one("SELECT coalesce(max(job_id), 0) + 1 FROM job")
        assert row is not None
        job_id = row[0]
        report.note(f"Job {event.job} was JobId {event.job_id}, which another Job has too; it is {job_id} now")
    job = Job(
        job_id=JobId(job_id),
        job=event.job,
        name=event.name,
        client=event.client,
        type=event.type,
        level=event.level,
        status=Status.RUNNING,
        start_time=event.time,
        end_time=0,
        since=0,
        base_job_id=None,
        fileset_name=event.fileset_name,
        fileset_digest=event.fileset_digest,
        fileset_text="",
        vol_session_id=event.vol_session_id,
        vol_session_time=event.vol_session_time,
        files=0,
        bytes=0,
        read_bytes=0,
        errors=0,
        deleted=0,
        failure="",
    )
    with database.transaction() as connection:
        insert_job(connection, job, ProcessMark.of(os.getpid()))
    report.jobs += 1
    return _Session(job, catalog.feed(job.job_id))


def _end(catalog: Catalog, session: _Session, report: RebuildReport, now: float) -> None:
    job, end = session.job, session.end
    media = sorted(session.media, key=lambda part: part.first_index)
    if end is None:
        report.unfinished += 1
        report.note(
            f"JobId {job.job_id} ({job.job}) has no end: it died, or its last Volume is missing; it counts as failed"
        )
        catalog.add_media(job.job_id, media)
        catalog.fail_job(job.job_id, now, VANISHED)
        return
    facts = session.facts
    read_bytes = facts.read_bytes if facts else 0
    digest = (facts.fileset_digest if facts else "") or job.fileset_digest
    found = session.feed.files + session.feed.deleted
    if facts is not None and found != end.files:
        report.note(
            f"JobId {job.job_id} ({job.job}) saved {end.files:,} entries, and {found:,} are found: a Volume of it is missing or damaged"
        )
    # The label counts every attributes record, deletions too; the feed tells them apart.
    totals = JobTotals(session.feed.files, end.bytes, read_bytes, end.errors, session.feed.deleted)
    status = end.status if end.status.isalpha() and len(end.status) == 1 and end.status != "R" else Status.FATAL
    with catalog.database.transaction() as connection:
        end_job(connection, job.job_id, status, end.time, totals, failure="")
        set_media(connection, job.job_id, media)
        if facts is not None:
            connection.execute(
                "UPDATE job SET start_time = ?, since = ?, fileset_text = ?, fileset_digest = ?, encrypted = ?"
                " WHERE job_id = ?",
                (facts.start, facts.since, facts.fileset_text, digest, facts.encrypted, job.job_id),
            )
        if status in {Status.OK, Status.WARNINGS}:
            seal(connection, Seal("", job.job, job.name, job.level, digest, end.time), session.states)
    report.files += session.feed.files


def _join(catalog: Catalog, sessions: Iterable[_Session], report: RebuildReport) -> None:
    """Give each Job its base: by the name it wrote down, or as it would have been chosen at the time."""
    named = {session.job.job: session.facts.base for session in sessions if session.facts is not None}
    jobs = catalog.jobs()
    ids = {job.job: job.job_id for job in jobs}
    earlier: dict[tuple[str, str], list[Job]] = {}
    for job in jobs:
        before = earlier.setdefault((job.name, job.client), [])
        base_id: JobId | None = None
        if job.job in named:
            base_id = ids.get(named[job.job])
            if base_id is None and named[job.job]:
                report.note(
                    f"JobId {job.job_id} ({job.job}) cannot be restored: it builds on Job {named[job.job]},"
                    " whose Volumes are missing"
                )
        elif job.level in {Level.INCREMENTAL, Level.DIFFERENTIAL}:
            base = choose_among(before, job.level, job.fileset_digest).base
            base_id = base.job_id if base else None
        if base_id is not None:
            with catalog.database.transaction() as connection:
                connection.execute("UPDATE job SET base_job_id = ? WHERE job_id = ?", (base_id, job.job_id))
        if job.good:
            before.insert(0, catalog.job(job.job_id))


def _carry_marks(new: Database, old: Database) -> None:
    try:
        marks = old.all("SELECT restored, confirmed, director, job, agent, instance FROM agent_state")
    except CatalogError:
        return
    with new.transaction() as connection:
        connection.executemany(
            "UPDATE agent_state SET restored = ?, confirmed = ? WHERE director = ? AND job = ? AND agent = ?"
            " AND instance = ?",
            marks,
        )


def _highest_job(old: Catalog | None) -> int:
    if old is None:
        return 0
    row = old.database.one("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'job'")
    return int(row[0]) if row else 0


def _take_place(new_path: Path, path: Path, old: Catalog | None, highest: int) -> None:
    if old is not None:
        connection = old.database.connection
        try:
            # Puts the log into the file and removes it, and works only when nobody else has the file open: a log left
            # behind, or removed by a late closer, would ruin the new file.
            connection.execute("PRAGMA busy_timeout = 1000")
            if not old.database.remove_log():
                raise CatalogError(f"the catalog {path} is in use by another process; try again when it has ended")
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            raise CatalogError(
                f"the catalog {path} is in use by another process; try again when it has ended"
            ) from error
        if _highest_job(old) != highest:
            raise CatalogError(f"a Job began while the catalog {path} was rebuilt; run the rebuild again")
    else:
        _remove_log(path)
    if old is not None and not REPLACES_OPEN_FILES:
        old.close()  # the replacement fails when another process has it open by now
    try:
        new_path.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        raise CatalogError(f"cannot put the new catalog at {path}: {error.strerror}") from error


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    _remove_log(path)


def _remove_log(path: Path) -> None:
    for ending in ("-wal", "-shm", "-journal"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
