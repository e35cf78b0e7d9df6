from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from filed.catalog import Catalog, JobMedia, JobTotals, NewJob, ProcessMark, Retention
from filed.errors import CatalogError
from tests.catalog.model import START, Item, backup, begin, finish, open_catalog, records, tree_of

ROOT = Path(__file__).resolve().parents[2]
DEAD = ProcessMark(1 << 22, 1, ProcessMark.of(os.getpid()).machine)

# Feeds for ever, and says when the first rows are in the catalog.
FEEDER = """
import sys
from pathlib import Path
from filed.catalog import Catalog, NewJob
from tests.catalog.model import Item, records

catalog = Catalog.open(Path(sys.argv[1]))
job = catalog.begin_job(NewJob("etc", "here", "I", "fs", base=1), 1_900_000_000)
feed = catalog.feed(job.job_id)
count = 0
while True:
    for _, stream, data in records({b"/%08d" % n: Item(n) for n in range(count, count + 2000)}):
        feed.record(count, stream, data)
    count += 2000
    feed.flush()
    print(job.job_id, flush=True)
"""


def file_rows(catalog: Catalog, job_id: int) -> int:
    row = catalog.database.one("SELECT count(*) FROM file WHERE job_id = ?", (job_id,))
    assert row is not None
    return int(row[0])


def test_a_job_is_there_from_its_first_second(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        job = begin(catalog, now=START)
        assert catalog.job(job.job_id) == job
        assert job.running
        assert not job.good
        assert (job.vol_session_id, job.vol_session_time) == (job.job_id, START)


def test_jobs_of_one_second_have_different_names_and_sessions(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        jobs = [begin(catalog, now=START) for _ in range(3)]
        assert [job.job[-3:] for job in jobs] == ["_01", "_02", "_03"]
        assert len({(job.vol_session_id, job.vol_session_time) for job in jobs}) == 3


def test_only_a_job_that_was_seen_to_fail_and_has_no_volume_is_dead(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        good, failed, rebuilt, _running = (begin(catalog, now=START + n) for n in range(4))
        catalog.finish_job(good.job_id, "T", START, JobTotals(), [])
        catalog.fail_job(failed.job_id, START, "the disk is full")
        catalog.add_media(rebuilt.job_id, [JobMedia("Vol-0001", 1, 7, 200, 9999)])
        catalog.fail_job(rebuilt.job_id, START, "it has no end on its Volumes")
        assert catalog.dead_sessions() == {(failed.vol_session_id, failed.vol_session_time)}


def test_the_name_of_a_removed_job_is_not_given_out_again(tmp_path: Path) -> None:
    """Its session may still lie on a Volume: a catalog made anew would have two Jobs of one name."""
    with open_catalog(tmp_path) as catalog:
        first = begin(catalog, now=START)
        catalog.fail_job(first.job_id, START, "it failed")
        catalog.remove_jobs([first.job_id])
        assert begin(catalog, now=START).job != first.job


def test_the_end_of_a_job_brings_totals_and_volumes(tmp_path: Path) -> None:
    media = [JobMedia("Vol-0001", 1, 7, 200, 9999), JobMedia("Vol-0002", 7, 12, 200, 1234)]
    with open_catalog(tmp_path) as catalog:
        job = begin(catalog)
        catalog.finish_job(job.job_id, "W", START + 9, JobTotals(12, 5000, 9000, 1, 2), media, failure="one unreadable")
        done = catalog.job(job.job_id)
        assert done.good
        assert (done.files, done.bytes, done.read_bytes, done.errors, done.deleted) == (12, 5000, 9000, 1, 2)
        assert (done.end_time, done.failure) == (START + 9, "one unreadable")
        assert catalog.media(job.job_id) == media
        assert [(one.name, one.jobs, one.bytes) for one in catalog.volumes()] == [
            ("Vol-0001", 1, 10000),
            ("Vol-0002", 1, 1235),
        ]


def test_a_job_ends_once(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        job = finish(catalog, begin(catalog), "A")
        with pytest.raises(CatalogError, match="ended by another process"):
            finish(catalog, job)
        assert not catalog.fail_job(job.job_id, 5, "too late")
        assert catalog.job(job.job_id) == job


def test_an_unknown_job_is_named(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog, pytest.raises(CatalogError, match="JobId 77 is not in the catalog"):
        catalog.job(77)


def test_a_failed_job_loses_its_rows_and_keeps_its_volumes(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        job = begin(catalog)
        feed = catalog.feed(job.job_id)
        for record in records({b"/%d" % n: Item(n) for n in range(100)}):
            feed.record(*record)
        feed.flush()
        catalog.add_media(job.job_id, [JobMedia("Vol-0001", 1, 100, 0, 50)])
        assert catalog.fail_job(job.job_id, START, "killed by signal 11")
        assert catalog.job(job.job_id).status == "f"
        assert file_rows(catalog, job.job_id) == 0
        assert catalog.volumes()[0].jobs == 1


def test_reconcile_ends_jobs_of_dead_processes_only(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        alive = begin(catalog)
        dead = catalog.begin_job(NewJob("etc", "here", "F", "fs"), START, DEAD)
        assert [job.status for job in catalog.jobs()] == ["R", "f"]  # before anything is written, too
        assert [job.job_id for job in catalog.reconcile(START + 5)] == [dead.job_id]
        ended = catalog.job(dead.job_id)
        assert (ended.status, ended.end_time) == ("f", START + 5)
        assert ended.failure == "its process is gone"
        assert catalog.job(alive.job_id).running
        assert catalog.reconcile(START + 6) == []


def test_a_process_killed_in_mid_feed_leaves_a_failed_job_and_a_sound_catalog(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        full = backup(catalog, {b"/a": Item(1)})
    child = subprocess.Popen([sys.executable, "-c", FEEDER, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    with child:
        assert child.stdout is not None
        job_ids = [int(child.stdout.readline()) for _ in range(3)]
        child.kill()
        child.wait()
    with open_catalog(tmp_path) as catalog:
        assert file_rows(catalog, job_ids[0]) >= 6000
        assert [job.job_id for job in catalog.reconcile(START)] == [job_ids[0]]
        assert file_rows(catalog, job_ids[0]) == 0
        assert catalog.check() == []
        choice = catalog.choose_base("etc", "here", "I", "fs")
        assert choice.base == full
        assert tree_of(catalog, full) == {b"/a": (3, Item(1).lstat, Item(1).digest)}


def test_two_jobs_feed_at_once(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        backup(catalog, {b"/a": Item(1)})
        children = [
            subprocess.Popen([sys.executable, "-c", FEEDER, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
            for _ in range(2)
        ]
        try:
            ids = set()
            for child in children:
                assert child.stdout is not None
                ids |= {int(child.stdout.readline()) for _ in range(5)}
            assert len(ids) == 2
            # Both alive: neither is taken for dead.
            assert catalog.reconcile(START) == []
        finally:
            for child in children:
                child.kill()
                with child:
                    child.wait()
        assert all(file_rows(catalog, job_id) >= 10000 for job_id in ids)
        assert {job.job_id for job in catalog.reconcile(START)} == ids
        assert catalog.check() == []


def test_removed_jobs_take_everything_along(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        first = backup(catalog, {b"/%05d" % n: Item(n) for n in range(6000)})
        second = backup(catalog, {b"/a": Item(1)})
        plan = catalog.prune_plan(Retention(keep_fulls=1))
        assert plan.remove == (first,)
        catalog.remove_jobs(job.job_id for job in plan.remove)
        assert catalog.jobs() == [second]
        assert file_rows(catalog, first.job_id) == 0
        assert catalog.media(first.job_id) == []
        assert catalog.check() == []
        assert begin(catalog).job_id > second.job_id


def test_rows_of_a_removal_that_was_cut_off_are_swept(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        jobs = [backup(catalog, {b"/a": Item(1), b"/b": Item(2)}) for _ in range(3)]
        with catalog.database.transaction() as connection:
            connection.execute("DELETE FROM job WHERE job_id = ?", (jobs[1].job_id,))
        catalog.reconcile(START)
        assert [file_rows(catalog, job.job_id) for job in jobs] == [2, 0, 2]


def test_a_volume_in_use_is_not_forgotten(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        catalog.note_volume("Vol-0009", START)
        backup(catalog, {b"/a": Item(1)})
        with pytest.raises(CatalogError, match="Vol-0001 still holds Jobs"):
            catalog.forget_volumes(["Vol-0009", "Vol-0001"])
        catalog.forget_volumes(["Vol-0009"])
        assert [volume.name for volume in catalog.volumes()] == ["Vol-0001"]


def test_a_base_that_is_missing_is_found_by_the_check(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        full = backup(catalog, {b"/a": Item(1)})
        incremental = backup(catalog, {b"/a": Item(2)}, "I", full)
        catalog.remove_jobs([full.job_id])
        assert catalog.check() == [f"{incremental.job} builds on JobId {full.job_id}, which is missing"]
        with pytest.raises(CatalogError, match=f"JobId {full.job_id} is not in the catalog"):
            list(catalog.tree(incremental.job_id))
