"""What an instance is told about its state; whole Jobs are in tests/system_agents/test_states.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from filed.agents import Begin, Kind, StateWhy
from filed.catalog import Catalog, Job, JobTotals, SealedState
from filed.catalog import StateWhy as CatalogWhy
from filed.job.agents.base_states import BaseStates, Found, without_state
from tests.catalog.model import begin, open_catalog


def test_every_reason_of_the_catalog_is_one_that_agents_know_by_the_same_number() -> None:
    for why in CatalogWhy:
        assert StateWhy(int(why)).name == why.name


def test_to_begin_without_a_state_keeps_everything_else() -> None:
    why = Begin(Kind.BACKUP, state_why=StateWhy.FOUND, base_job="J.1", state=b"blob", state_format=3, fileset=b"I\n")
    again = without_state(why)
    assert (again.state_why, again.state, again.state_format) == (StateWhy.GAP, b"", 0)
    assert (again.kind, again.base_job, again.fileset) == (why.kind, "J.1", b"I\n")


def test_nothing_found_is_an_empty_state() -> None:
    found = Found(StateWhy.FIRST)
    assert (found.blob, found.format, found.confirmed) == (b"", 0, False)


@pytest.fixture
def sealed_job(tmp_path: Path) -> tuple[Catalog, Job]:
    catalog = open_catalog(tmp_path)
    job = begin(catalog)
    states = [SealedState("pg", "", 3, b"here"), SealedState("pg", "pg: db=x", 3, b"there")]
    catalog.finish_job(job.job_id, "T", job.start_time + 60, JobTotals(), [], states=states)
    return catalog, job


def test_each_instance_finds_what_it_sealed_in_the_base_job(sealed_job: tuple[Catalog, Job]) -> None:
    catalog, job = sealed_job
    with catalog:
        sealed = BaseStates(catalog, job.job, "fs")
        assert sealed.base_job == job.job
        assert sealed.find("pg", "") == Found(StateWhy.FOUND, b"here", 3)
        assert sealed.find("pg", "pg: db=x") == Found(StateWhy.FOUND, b"there", 3)
        assert sealed.find("pg", "pg: db=y").why is StateWhy.FIRST
        assert sealed.find("other", "").why is StateWhy.FIRST


def test_a_full_wants_no_state_and_another_base_has_none(sealed_job: tuple[Catalog, Job]) -> None:
    catalog, _ = sealed_job
    with catalog:
        assert BaseStates(catalog, None, "fs").find("pg", "") == Found(StateWhy.NONE)
        assert BaseStates(catalog, None, "fs").base_job == ""
        assert BaseStates(catalog, "Other.2026-11-23_10.25.18_03", "fs").find("pg", "") == Found(StateWhy.LOST)


def test_a_state_of_another_fileset_or_another_past_is_not_given(sealed_job: tuple[Catalog, Job]) -> None:
    catalog, job = sealed_job
    with catalog:
        assert BaseStates(catalog, job.job, "edited").find("pg", "") == Found(StateWhy.FILESET_CHANGED)
        catalog.mark_restored("pg")
        assert BaseStates(catalog, job.job, "fs").find("pg", "") == Found(StateWhy.RESTORED)


def test_once_confirmed_it_stays_so(sealed_job: tuple[Catalog, Job]) -> None:
    catalog, job = sealed_job
    with catalog:
        catalog.mark_confirmed(job.job, "pg", "")
        sealed = BaseStates(catalog, job.job, "fs")
        assert sealed.find("pg", "").confirmed
        assert not sealed.find("pg", "pg: db=x").confirmed
