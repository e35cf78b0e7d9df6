"""A host whose callbacks fail: who goes on without an answer is found."""

from __future__ import annotations

import pytest

from filed.conformance import Verdict
from tests.conformance.conftest import Checking, words

FLAWS = {
    ("fault-match", "ignores-verdict"): "it went on after a match that answered BP_E_HOST: next_entries returned 0",
    ("no-verdict", "ignores-verdict"): "it went on after a match that gave no verdict",
    ("fault-put_state", "ignores-put_state"): "it went on after a put_state that answered BP_E_HOST",
}


@pytest.mark.parametrize("name", ["fault-match", "fault-put_state", "no-verdict"])
def test_an_agent_that_gives_up_passes(check: Checking, name: str) -> None:
    said = check(name)
    assert said.verdict is Verdict.PASSED
    assert "in next_entries, which returned -60" in words(said) or name == "no-verdict"


@pytest.mark.parametrize(("name", "flaw"), FLAWS)
def test_an_agent_that_goes_on_fails(check: Checking, name: str, flaw: str) -> None:
    said = check(name, flaw=flaw)
    assert said.verdict is Verdict.FAILED
    assert FLAWS[name, flaw] in words(said)


def test_another_status_than_the_hosts_is_a_warning(check: Checking) -> None:
    said = check("fault-match", flaw="other-status")
    assert said.verdict is Verdict.WARNINGS
    assert "next_entries returned -20, not BP_E_HOST" in words(said)


@pytest.mark.parametrize("callback", ["message", "secret", "defer", "extension", "fail"])
def test_a_fault_that_the_agent_may_ignore_is_made_and_survived(check: Checking, callback: str) -> None:
    said = check(f"fault-{callback}", "bad", sin="calls-begin" if callback != "fail" else "return-read:-5")
    assert said.verdict is Verdict.PASSED, words(said)
    assert f"calls of {callback}, the first in" in words(said)


def test_a_callback_that_is_never_called_cannot_be_tried(check: Checking) -> None:
    assert check("fault-secret").verdict is Verdict.SKIPPED


def test_a_crash_after_a_fault_is_the_agents(check: Checking) -> None:
    assert "crashed (SIGSEGV)" in words(check("fault-match", "bad", sin="crash-end"))
