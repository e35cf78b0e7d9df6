"""Findings travel, and add up to a verdict."""

from __future__ import annotations

import json

import pytest

from filed.conformance.findings import Checked, Finding, Grade, Report, Verdict

FINDING = Finding(Grade.FAILED, "no bytes, and not the last chunk", "read", "/one", "fill bp_chunk")


def test_a_finding_travels_as_an_event() -> None:
    event = json.loads(json.dumps(FINDING.event()))
    assert event["event"] == "finding"
    assert Finding.from_event(event) == FINDING


@pytest.mark.parametrize("broken", [{}, {"grade": "odd", "rule": "", "call": "", "entry": "", "advice": ""}])
def test_what_is_no_finding_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises((KeyError, ValueError)):
        Finding.from_event(broken)


@pytest.mark.parametrize(
    ("grades", "verdict"),
    [
        ((), Verdict.PASSED),
        ((Grade.NOTE,), Verdict.PASSED),
        ((Grade.NOTE, Grade.WARNING), Verdict.WARNINGS),
        ((Grade.WARNING, Grade.FAILED), Verdict.FAILED),
    ],
)
def test_the_worst_finding_decides(grades: tuple[Grade, ...], verdict: Verdict) -> None:
    checked = Checked.of("x", "an x", tuple(Finding(grade, "so") for grade in grades), 0.1)
    assert checked.verdict is verdict
    assert Report("a 1", "/a.so", (Checked.of("y", "a y", (), 0), checked)).verdict is verdict


def test_a_report_is_a_document() -> None:
    report = Report("a 1", "/a.so", (Checked.of("x", "an x", (FINDING,), 0.25),))
    said = json.loads(json.dumps(report.as_json()))
    assert said["verdict"] == said["checks"][0]["verdict"] == "failed"
    assert said["checks"][0]["findings"][0]["call"] == "read"
