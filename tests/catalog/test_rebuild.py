from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filed.catalog import (
    CATALOG_FILE,
    Catalog,
    Job,
    JobFacts,
    JobMedia,
    JobTotals,
    SealedState,
    StateWhy,
    facts_object,
    state_object,
)
from filed.catalog.rebuild import (
    Event,
    MediaSeen,
    SessionBegan,
    SessionEnded,
    SessionRecord,
    VolumeSeen,
    rebuild,
)
from filed.errors import CatalogError, VolumeError
from filed.wire.restore_object import RestoreObject, pack_restore_object
from tests.catalog.model import START, Item, begin, open_catalog, records, tree_of

STATE = SealedState("postgresql", "db", 1, b"\0lsn")
TABLES = ("job", "file", "volume", "job_media", "restore_object", "agent_state")
STEPS = st.lists(
    st.tuples(
        st.sampled_from("FIDI"),
        st.sampled_from(["T", "W", "A", ""]),
        st.dictionaries(st.sampled_from([b"/a", b"/b", b"/c/"]), st.none() | st.integers(1, 9).map(Item), max_size=3),
    ),
    max_size=6,
)


def run(catalog: Catalog, level: str, status: str, changes: dict[bytes, Item | None], *, facts: bool) -> list[Event]:
    """A backup as the job room runs it, into the catalog; and what a Volume would say of it. No status: it dies."""
    good = [job for job in catalog.jobs() if job.good]
    fulls = [job for job in good if job.level == "F"]
    base = None if level == "F" or not fulls else fulls[-1] if level == "D" else good[-1]
    job = begin(catalog, level if base else "F", base)
    key = (job.vol_session_id, job.vol_session_time)
    events: list[Event] = [label_of(job)]
    feed = catalog.feed(job.job_id)
    items = list(records(changes))
    last = max((index for index, _, _ in items), default=0)
    items.append((last + 1, 28, pack_restore_object(state_object(last + 1, STATE))))
    if facts and status:
        known = JobFacts(job.start_time, job.since, base.job if base else "", job.fileset_text, 5000)
        items.append((last + 2, 28, pack_restore_object(facts_object(last + 2, known))))
    for record in items:
        feed.record(*record)
        events.append(SessionRecord(key, *record))
    feed.flush()
    media = [JobMedia("Vol-0001", 1, last + 2, 200 * job.job_id, 200 * job.job_id + 99)]
    events += [MediaSeen(key, part) for part in media]
    end = job.start_time + 60
    if not status:
        catalog.add_media(job.job_id, media)
        catalog.fail_job(job.job_id, end, "its process is gone")
        return events
    totals = JobTotals(feed.files, 100, 5000 if facts else 0, 0, feed.deleted)
    catalog.finish_job(job.job_id, status, end, totals, media, states=[STATE])
    return [*events, SessionEnded(key, status, feed.files + feed.deleted, 100, 0, end)]


def label_of(job: Job) -> SessionBegan:
    return SessionBegan(
        session=(job.vol_session_id, job.vol_session_time),
        vol_session_id=job.vol_session_id,
        vol_session_time=job.vol_session_time,
        job_id=job.job_id,
        job=job.job,
        name=job.name,
        client=job.client,
        fileset_name=job.fileset_name,
        fileset_digest=job.fileset_digest,
        level=job.level,
        time=job.start_time + (1 if job.job_id % 2 else 0),
    )


def content(catalog: Catalog) -> dict[str, list[tuple[object, ...]]]:
    """Everything but who ran a Job; and of one that died, what it had no time to write down."""
    with catalog.database.transaction() as connection:
        connection.execute("UPDATE job SET pid = 0, pid_start = 0, machine = ''")
        connection.execute(
            "UPDATE job SET start_time = 0, end_time = 0, since = 0, base_job_id = NULL, fileset_text = ''"
            " WHERE status = 'f'"
        )
    order = {"job": "job_id", "file": "job_id, path"}
    return {
        table: catalog.database.all(f"SELECT * FROM {table} ORDER BY {order.get(table, '1, 2')}") for table in TABLES
    }


@settings(max_examples=40)
@given(STEPS, st.randoms(use_true_random=False))
def test_a_rebuilt_catalog_is_the_one_that_was_lost(steps: list, random: object) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / CATALOG_FILE
        with Catalog.open(path, create=True) as catalog:
            catalog.note_volume("Vol-0001", START)
            sessions = [run(catalog, *step, facts=True) for step in steps]
            before = content(catalog)
        path.unlink()
        report = rebuild(path, woven(sessions, random), START)
        assert [problem for problem in report.problems if "has no end" not in problem] == []
        assert len(report.problems) == report.unfinished
        assert report.jobs == len(steps)
        with Catalog.open(path) as catalog:
            assert content(catalog) == before
            assert catalog.check() == []


def woven(sessions: list[list[Event]], random: object) -> Iterator[Event]:
    """Sessions interleaved as Jobs at the same time leave them; each keeps its own order."""
    yield VolumeSeen("Vol-0001", START)
    queues = [iter(events) for events in sessions]
    while queues:
        queue = random.choice(queues)  # type: ignore[attr-defined]
        event = next(queue, None)
        if event is None:
            queues.remove(queue)
        else:
            yield event


def lost(directory: Path, *levels: str, facts: bool = False) -> tuple[Path, list[Event], list[Job]]:
    path = directory / CATALOG_FILE
    with Catalog.open(path, create=True) as catalog:
        events = [run(catalog, level, "T", {b"/a": Item(n)}, facts=facts) for n, level in enumerate(levels)]
        jobs = catalog.jobs()
    path.unlink()
    return path, [event for session in events for event in session], jobs


def test_without_its_facts_a_job_finds_its_base_by_the_rules(tmp_path: Path) -> None:
    path, events, jobs = lost(tmp_path, "F", "I", "D", "I", "F", "I")
    rebuild(path, events, START)
    with Catalog.open(path) as catalog:
        assert [job.base_job_id for job in catalog.jobs()] == [job.base_job_id for job in jobs]
        assert tree_of(catalog, jobs[3]) == {b"/a": (3, Item(3).lstat, Item(3).digest)}


def test_a_digest_the_label_has_no_room_for_comes_from_the_facts(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        job = begin(catalog)
    facts = JobFacts(job.start_time, 0, "", job.fileset_text, 0, job.fileset_digest)
    session = label_of(job).session
    events: list[Event] = [
        replace(label_of(job), fileset_digest=""),
        SessionRecord(session, 1, 28, pack_restore_object(state_object(1, STATE))),
        SessionRecord(session, 2, 28, pack_restore_object(facts_object(2, facts))),
        SessionEnded(session, "T", 0, 0, 0, START),
    ]
    (tmp_path / CATALOG_FILE).unlink()
    rebuild(tmp_path / CATALOG_FILE, events, START)
    with Catalog.open(tmp_path) as catalog:
        assert catalog.choose_base("etc", "here", "I", "fs").base is not None
        assert catalog.find_state(job.job, "postgresql", "db", "fs").why == StateWhy.FOUND


def test_states_come_back_with_their_jobs(tmp_path: Path) -> None:
    path, events, jobs = lost(tmp_path, "F")
    rebuild(path, events, START)
    with Catalog.open(path) as catalog:
        found = catalog.find_state(jobs[0].job, "postgresql", "db", "fs")
        assert (found.why, found.state) == (StateWhy.FOUND, STATE)


def test_marks_are_taken_from_the_old_catalog_while_it_can_be_read(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        events = run(catalog, "F", "T", {b"/a": Item(1)}, facts=True)
        job = catalog.jobs()[0]
        catalog.mark_restored("postgresql")
    rebuild(tmp_path / CATALOG_FILE, events, START)
    with Catalog.open(tmp_path) as catalog:
        assert catalog.find_state(job.job, "postgresql", "db", "fs").why == StateWhy.RESTORED


def test_a_damaged_catalog_is_replaced_with_its_log(tmp_path: Path) -> None:
    path, events, jobs = lost(tmp_path, "F", "I")
    path.write_bytes(b"garbage" * 1000)
    for ending in ("-wal", "-shm", ".new", ".new-wal"):
        (tmp_path / (CATALOG_FILE + ending)).write_bytes(b"left over")
    rebuild(path, events, START)
    assert [one.name for one in tmp_path.iterdir()] == [CATALOG_FILE]
    with Catalog.open(path) as catalog:
        assert [job.job for job in catalog.jobs()] == [job.job for job in jobs]


def test_while_a_job_runs_nothing_is_rebuilt(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        job = begin(catalog)
        with pytest.raises(CatalogError, match=f"Job {job.job} is running"):
            rebuild(catalog.path, [], START)


def test_a_catalog_in_use_is_not_replaced(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        begin_and_fail(catalog)
        with pytest.raises(CatalogError, match="in use by another process"):
            rebuild(catalog.path, [], START)
        assert len(catalog.jobs()) == 1
    assert [one.name for one in tmp_path.iterdir()] == [CATALOG_FILE]
    rebuild(tmp_path / CATALOG_FILE, [], START)
    with Catalog.open(tmp_path) as catalog:
        assert catalog.jobs() == []


def begin_and_fail(catalog: Catalog) -> None:
    catalog.fail_job(begin(catalog).job_id, START, "why not")


def test_a_job_that_began_meanwhile_is_not_lost(tmp_path: Path) -> None:
    with open_catalog(tmp_path):
        pass

    def events() -> Iterator[Event]:
        with open_catalog(tmp_path) as other:
            begin_and_fail(other)
        yield VolumeSeen("Vol-0001", START)

    with pytest.raises(CatalogError, match="a Job began while"):
        rebuild(tmp_path / CATALOG_FILE, events(), START)
    with Catalog.open(tmp_path) as catalog:
        assert len(catalog.jobs()) == 1


def test_jobs_of_dead_processes_do_not_stand_in_the_way(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        job = begin(catalog)
        with catalog.database.transaction() as connection:
            connection.execute("UPDATE job SET pid = ?", (1 << 22,))
    assert rebuild(tmp_path / CATALOG_FILE, [label_of(job)], START).unfinished == 1


def test_volumes_that_cannot_be_read_leave_the_old_catalog(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        begin_and_fail(catalog)

    def events() -> Iterator[Event]:
        yield VolumeSeen("Vol-0001", START)
        raise VolumeError("the disk is gone")

    with pytest.raises(VolumeError, match="the disk is gone"):
        rebuild(tmp_path / CATALOG_FILE, events(), START)
    with Catalog.open(tmp_path) as catalog:
        assert len(catalog.jobs()) == 1
    assert [one.name for one in tmp_path.iterdir()] == [CATALOG_FILE]


def test_jobs_of_two_places_share_no_number(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    path, here, jobs = lost(tmp_path, "F", facts=True)
    with open_catalog(tmp_path / "there") as catalog:
        job = begin(catalog, name="other", now=START + 7)
    report = rebuild(path, [*here, label_of(job), SessionEnded(label_of(job).session, "T", 0, 0, 0, START)], START)
    assert "was JobId 1, which another Job has too; it is 2 now" in report.problems[0]
    with Catalog.open(path) as catalog:
        assert [one.job for one in catalog.jobs()] == [jobs[0].job, job.job]


def test_a_session_met_twice_counts_once(tmp_path: Path) -> None:
    path, events, jobs = lost(tmp_path, "F")
    report = rebuild(path, [*events, *events], START)
    assert len(report.problems) == 1
    with Catalog.open(path) as catalog:
        assert len(catalog.jobs()) == 1
        assert len(tree_of(catalog, jobs[0])) == 1
        assert len(catalog.media(jobs[0].job_id)) == 1


def test_restore_objects_beyond_what_a_restore_holds_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, events, jobs = lost(tmp_path, "F")
    monkeypatch.setattr("filed.catalog.rebuild.MAX_OBJECTS_BYTES", 250_000)
    objects = [
        SessionRecord(
            events[0].session,
            100 + n,
            28,
            pack_restore_object(RestoreObject(100 + n, 27, n, b"p", b"o", bytes(100_000))),
        )  # type: ignore[union-attr]
        for n in range(4)
    ]
    report = rebuild(path, [*events[:2], *objects, *events[2:]], START)
    assert [problem for problem in report.problems if "restore objects of more than 250,000 bytes together" in problem]
    with Catalog.open(path) as catalog:
        found = list(catalog.restore_objects(jobs[0].job_id))
        assert sum(len(item.content) == 100_000 for item in found) == 2


def test_a_broken_record_costs_only_itself(tmp_path: Path) -> None:
    path, events, jobs = lost(tmp_path, "F")
    broken = [SessionRecord(events[0].session, 9, 1, b"nonsense")] * 200  # type: ignore[union-attr]
    report = rebuild(path, [*events[:2], *broken, *events[2:]], START)
    assert len(report.problems) == 100
    with Catalog.open(path) as catalog:
        assert len(tree_of(catalog, jobs[0])) == 1


@pytest.mark.parametrize("status", ["R", "", "TT", "\0", "7"])
def test_a_status_that_says_nothing_is_a_failure(tmp_path: Path, status: str) -> None:
    path, events, jobs = lost(tmp_path, "F")
    rebuild(path, [*events[:-1], SessionEnded(events[0].session, status, 1, 1, 0, START)], START)  # type: ignore[union-attr]
    with Catalog.open(path) as catalog:
        assert catalog.job(jobs[0].job_id).status == "f"


def test_what_belongs_to_no_session_is_let_pass(tmp_path: Path) -> None:
    path = tmp_path / CATALOG_FILE
    stray = [
        SessionRecord((9, 9), 1, 1, b"1 3 /a\0A\0\0\0000\0"),
        MediaSeen((9, 9), JobMedia("Vol-0001", 1, 1, 0, 9)),
        SessionEnded((9, 9), "T", 1, 1, 0, START),
    ]
    report = rebuild(path, stray, START)
    assert (report.jobs, report.problems) == (0, [])
