from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.catalog import Catalog, Job, JobTotals, Retention, Seal, SealedState, StateWhy, state_object, state_of
from filed.wire.restore_object import RestoreObject, pack_restore_object, parse_restore_object
from tests.catalog.model import START, begin, open_catalog

BLOB = SealedState("postgresql", "", 2, b"\0lsn\xff")


def sealed(catalog: Catalog, level: str = "F", base: Job | None = None, status: str = "T", *states: SealedState) -> Job:
    job = begin(catalog, level, base)
    catalog.finish_job(job.job_id, status, job.start_time + 1, JobTotals(), [], states=states or (BLOB,))
    return catalog.job(job.job_id)


def test_the_state_of_exactly_the_base_is_found(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        full = sealed(catalog)
        other = sealed(catalog, "I", full, "T", replace(BLOB, blob=b"later"))
        assert catalog.find_state(full.job, "postgresql", "", "fs").state == BLOB
        found = catalog.find_state(other.job, "postgresql", "", "fs")
        assert (found.why, found.state) == (StateWhy.FOUND, replace(BLOB, blob=b"later"))


def test_what_was_never_sealed_is_first(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        full = sealed(catalog)
        assert catalog.find_state(full.job, "exchange", "", "fs").why == StateWhy.FIRST
        assert catalog.find_state(full.job, "postgresql", "another line", "fs").why == StateWhy.FIRST
        assert catalog.find_state("", "exchange", "", "fs").why == StateWhy.FIRST


def test_a_base_without_a_state_is_lost_and_an_unnamed_one_unnamed(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        sealed(catalog)
        found = catalog.find_state("etc.2020-01-01_00.00.00_01", "postgresql", "", "fs")
        assert (found.why, found.state) == (StateWhy.LOST, None)
        assert catalog.find_state("", "postgresql", "", "fs").why == StateWhy.UNNAMED


def test_another_fileset_gets_no_state(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        found = catalog.find_state(sealed(catalog).job, "postgresql", "", "other")
        assert (found.why, found.state) == (StateWhy.FILESET_CHANGED, None)


@pytest.mark.parametrize("status", ["E", "f", "A"])
def test_a_job_that_is_not_good_seals_nothing(tmp_path: Path, status: str) -> None:
    with open_catalog(tmp_path) as catalog:
        full = sealed(catalog)
        job = sealed(catalog, "I", full, status, replace(BLOB, blob=b"never"))
        assert catalog.find_state(job.job, "postgresql", "", "fs").why == StateWhy.LOST


def test_after_a_restore_only_newer_states_count(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        full = sealed(catalog, "F", None, "T", BLOB, replace(BLOB, instance="second"))
        assert catalog.mark_restored("postgresql", "") == 1
        assert catalog.find_state(full.job, "postgresql", "", "fs").why == StateWhy.RESTORED
        assert catalog.find_state(full.job, "postgresql", "second", "fs").why == StateWhy.FOUND
        assert catalog.mark_restored("postgresql") == 1
        later = sealed(catalog)
        assert catalog.find_state(later.job, "postgresql", "", "fs").why == StateWhy.FOUND


def test_a_confirmation_is_remembered(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        full = sealed(catalog)
        assert not catalog.find_state(full.job, "postgresql", "", "fs").confirmed
        catalog.mark_confirmed(full.job, "postgresql", "")
        assert catalog.find_state(full.job, "postgresql", "", "fs").confirmed


def test_states_leave_with_their_job(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        old, new = sealed(catalog), sealed(catalog)
        catalog.remove_jobs(job.job_id for job in catalog.prune_plan(Retention(keep_fulls=1)).remove)
        assert catalog.find_state(old.job, "postgresql", "", "fs").why == StateWhy.LOST
        assert catalog.find_state(new.job, "postgresql", "", "fs").why == StateWhy.FOUND


def test_of_a_director_all_from_the_second_newest_full_on_is_kept(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        for number, level in enumerate("FIFDIFI"):
            seal = Seal("dir", f"db.{number}", "db", level, "fs", START + number)
            catalog.seal(seal, [replace(BLOB, blob=b"%d" % number)])
        catalog.seal(Seal("other", "db.0", "db", "F", "fs", START), [BLOB])
        whys = [catalog.find_state(f"db.{n}", "postgresql", "", "fs", director="dir").why for n in range(7)]
        assert whys == [StateWhy.LOST] * 2 + [StateWhy.FOUND] * 5
        assert catalog.find_state("db.0", "postgresql", "", "fs", director="other").why == StateWhy.FOUND
        assert catalog.find_state("db.5", "postgresql", "", "fs").why == StateWhy.FIRST


@given(st.text(min_size=1), st.text(), st.integers(0, 2**32 - 1), st.binary())
def test_the_copy_on_the_volume_holds_the_state(agent: str, instance: str, number: int, blob: bytes) -> None:
    state = SealedState(agent.replace("\0", "") or "a", instance, number, blob)
    item = state_object(7, state)
    assert parse_restore_object(pack_restore_object(item)) == item
    assert state_of(item) == state


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"filed-state 1\n",
        b"filed-state 1\n{}",
        b"filed-state 1\n{}\n",
        b"filed-state 1\n[1]\nblob",
        b'filed-state 1\n{"agent": "a", "instance": "", "format": "x"}\nblob',
        b'filed-state 1\n{"agent": "a", "instance": "", "format": 1e999}\nblob',
        b'filed-state 2\n{"agent": "a", "instance": "", "format": 1}\nblob',
    ],
)
def test_what_is_no_copy_of_a_state_is_none(content: bytes) -> None:
    assert state_of(RestoreObject(1, 25, 0, b"a:filed-state", b"filed-state", content)) is None


def test_an_agents_own_object_is_no_state() -> None:
    assert state_of(replace(state_object(1, BLOB), name=b"metadata")) is None


def test_an_agent_has_states_until_a_restore_took_their_past_away(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        assert not catalog.has_states("postgresql")
        sealed(catalog, "F", None, "T", replace(BLOB, instance="postgresql: db=x"))
        assert catalog.has_states("postgresql")
        assert not catalog.has_states("exchange")
        assert not catalog.has_states("postgresql", director="main-dir")
        catalog.mark_restored("postgresql")
        assert not catalog.has_states("postgresql")


def test_a_state_that_lost_a_bit_is_lost(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        full = sealed(catalog)
        with catalog.database.transaction() as connection:
            connection.execute("UPDATE agent_state SET blob = ?", (b"\0lsn\xfe",))
        assert catalog.find_state(full.job, "postgresql", "", "fs").why == StateWhy.LOST


def test_a_state_that_was_sealed_before_there_were_digests_is_found(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        full = sealed(catalog)
        with catalog.database.transaction() as connection:
            connection.execute("UPDATE agent_state SET digest = x''")
        assert catalog.find_state(full.job, "postgresql", "", "fs").state == BLOB


def test_whose_a_state_is_belongs_to_its_digest() -> None:
    others = [replace(BLOB, agent="pg"), replace(BLOB, instance="x"), replace(BLOB, format=3), replace(BLOB, blob=b"")]
    assert len({state.digest for state in (BLOB, *others)}) == 5


def test_the_lowest_watermark_of_states_that_a_job_may_still_name_is_known(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        full = sealed(catalog, "F", None, "T", replace(BLOB, watermark=10))
        assert catalog.keep_from("postgresql", "") == 10
        assert catalog.find_state(full.job, "postgresql", "", "fs").state == replace(BLOB, watermark=10)
        sealed(catalog, "F", None, "T", replace(BLOB, watermark=30))
        sealed(catalog, "F", None, "T", replace(BLOB, watermark=20))
        assert catalog.keep_from("postgresql", "") == 20  # of the two newest Fulls
        sealed(catalog, "I", full, "T", BLOB)
        assert catalog.keep_from("postgresql", "") == 0  # of one it is not known
    item = state_object(7, replace(BLOB, watermark=11))
    assert state_of(parse_restore_object(pack_restore_object(item))) == replace(BLOB, watermark=11)
