"""Jobs that are given up, and Jobs that are cancelled."""

from __future__ import annotations

from filed.conformance import Verdict
from tests.conformance.conftest import Checking, words


def test_an_agent_that_keeps_the_contract_passes(check: Checking) -> None:
    assert check("given-up").verdict is Verdict.PASSED
    assert check("cancel").verdict is Verdict.PASSED


def test_an_instance_that_begins_only_once_is_named(check: Checking) -> None:
    said = check("given-up", flaw="begin-once")
    assert "failed: begin: : once is enough (BP_E_BUSY)" in words(said)


def test_a_cancel_that_is_answered_late_is_named(check: Checking) -> None:
    said = check("cancel", flaw="slow-cancel", files="2")
    assert said.verdict is Verdict.FAILED
    assert "failed: read: : a cancel during read was answered after" in words(said)


def test_a_cancel_that_crashes_is_named_beside_what_ran(check: Checking) -> None:
    said = check("cancel", "bad", sin="crash-cancel")
    assert said.verdict is Verdict.FAILED
    assert "failed: cancel" in words(said)


def test_an_end_that_crashes_is_named(check: Checking) -> None:
    assert "failed: end: : crashed (SIGSEGV)" in words(check("given-up", "bad", sin="crash-end"))
