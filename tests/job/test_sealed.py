"""What an instance is told about its state; whole Jobs are in tests/system_agents/test_states.py."""

from __future__ import annotations

from filed.agents import Begin, Kind, StateWhy
from filed.catalog import StateWhy as CatalogWhy
from filed.job.sealed import Found, without_state


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
