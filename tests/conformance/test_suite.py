"""The suite as a whole: what is left out after a failure, how ends are told, what cannot even be loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from filed.conformance import CHECKS, Checked, Verdict, conform, not_loaded
from tests.conformance.conftest import Checking, subject, words


def test_every_check_runs_in_order_and_is_told_as_it_ends(checked_agents: Path) -> None:
    told: list[Checked] = []
    report = conform(subject(checked_agents / "subtle.so"), on_checked=told.append)
    assert [one.name for one in told] == [check.name for check in CHECKS]
    assert report.checks == tuple(told)
    assert report.agent == "subtle 1.0"
    assert report.verdict is Verdict.PASSED, [words(one) for one in told]
    assert report.count(Verdict.FAILED) == 0


def test_what_needs_a_check_that_failed_is_left_out(checked_agents: Path) -> None:
    report = conform(subject(checked_agents / "bad.so", sin="read-zero"))
    verdicts = {one.name: one.verdict for one in report.checks}
    assert verdicts.pop("load") is verdicts.pop("instance") is Verdict.PASSED
    assert verdicts.pop("backup") is Verdict.FAILED
    assert set(verdicts.values()) == {Verdict.SKIPPED}
    assert report.verdict is Verdict.FAILED


def test_only_what_is_asked_for_runs(checked_agents: Path) -> None:
    report = conform(subject(checked_agents / "subtle.so"), ["pages"])
    assert [one.name for one in report.checks] == ["pages"]


def test_a_crash_has_call_entry_and_advice(check: Checking) -> None:
    (finding,) = check("backup", "bad", sin="crash-read").findings
    assert (finding.call, finding.entry, finding.rule) == ("read", "/@BAD/one", "crashed (SIGSEGV)")
    assert "gdb" in finding.advice


def test_a_hang_has_its_call(checked_agents: Path) -> None:
    (one,) = (check for check in CHECKS if check.name == "backup")
    from filed.conformance.suite import run_check

    hanging = subject(checked_agents / "bad.so", timeout_s=0.5, sin="hang-read")
    said = run_check(hanging, one)
    assert any(finding.call == "read" and "made no progress" in finding.rule for finding in said.findings)
    busy = run_check(replace(hanging, timeout_s=30, limit_s=1, options=(("sin", "beat-read"),)), one)
    assert any(finding.call == "read" and "still busy after 1 s" in finding.rule for finding in busy.findings)


def test_the_last_words_of_a_process_without_descriptors_are_a_rule(check: Checking) -> None:
    findings = check("backup", "bad", sin="descriptors-close").findings
    assert findings[0].call == "next_entries"
    assert findings[0].rule.startswith("it changed descriptors of the process")


def test_a_library_that_cannot_be_loaded_is_a_report_too() -> None:
    report = not_loaded(Path("/x/y.so"), "y", "agent y: load: not loaded: the magic is wrong")
    assert report.verdict is Verdict.FAILED
    assert report.checks[0].name == "load"
    assert report.checks[0].findings[0].advice
