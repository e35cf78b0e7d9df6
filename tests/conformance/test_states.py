"""Incrementals: upon the agent's own state, without one, and upon one that it never wrote."""

from __future__ import annotations

import pytest

from filed.conformance import Verdict
from tests.conformance.conftest import Checking, words

FLAWS = {
    ("incremental", "complete-news"): "failed: next_entries: /@SUBTLE/d/0: COMPLETE after a list that lacks an entry",
    ("incremental", "base-own"): "failed: begin: : it cannot continue from the state that it has just put",
    ("lost-state", "base-always"): "failed: begin: : BP_E_BASE though no state is given (FIRST)",
    ("lost-state", "state-lost"): "failed: next_entries: /@SUBTLE/d/0: without a state (GAP) an entry is left out",
    ("foreign-state", "state-blind"): "failed: begin: /@SUBTLE/d/0: with a state that it never wrote it lists fewer",
}


@pytest.mark.parametrize("name", ["incremental", "failed-entry", "lost-state", "foreign-state"])
def test_an_agent_that_keeps_the_contract_passes(check: Checking, name: str) -> None:
    assert check(name).verdict is Verdict.PASSED


@pytest.mark.parametrize(("name", "flaw"), FLAWS)
def test_a_flaw_is_found(check: Checking, name: str, flaw: str) -> None:
    said = check(name, flaw=flaw)
    assert said.verdict is Verdict.FAILED
    assert FLAWS[name, flaw] in words(said)


def test_a_state_that_ran_ahead_of_an_entry_is_found(check: Checking) -> None:
    said = check("failed-entry", flaw="state-ahead")
    assert said.verdict is Verdict.WARNINGS  # the host has a safeguard
    assert "warning: put_state: /@SUBTLE/d/0: it could not be read in the Full, whose state" in words(said)


def test_an_agent_without_a_state_has_none_to_lose(check: Checking) -> None:
    assert check("lost-state", "bad").verdict is Verdict.SKIPPED
    assert "it keeps no state" in words(check("incremental", "bad"))


def test_confirmed_is_called(check: Checking) -> None:
    said = check("incremental", "bad", sin="crash-confirmed")
    assert "failed: confirmed: : crashed (SIGSEGV)" in words(said)
