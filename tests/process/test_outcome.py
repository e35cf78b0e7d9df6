"""How a Job's end travels to the parent."""

from __future__ import annotations

import json

import pytest

from filed.process.outcome import JobStatus, Outcome, Totals


def test_an_outcome_survives_the_channel():
    totals = Totals(files=3, read_bytes=10, job_bytes=7, deleted=1, errors=2)
    outcome = Outcome(JobStatus.WARNINGS, totals, 12, "Full", ("Vol-0001", "Vol-0002"), "two files")
    assert Outcome.from_event(json.loads(json.dumps(outcome.event()))) == outcome


@pytest.mark.parametrize("spoil", [{"status": "?"}, {"totals": 3}, {"totals": {}}, {"jobid": "x"}, {"volumes": "Vol"}])
def test_what_is_no_outcome_is_refused(spoil):
    event = Outcome(JobStatus.OK, Totals()).event() | spoil
    with pytest.raises((ValueError, TypeError, KeyError)):
        Outcome.from_event(event)


def test_only_ok_and_warnings_count_as_good():
    assert {status for status in JobStatus if status.good} == {JobStatus.OK, JobStatus.WARNINGS}
    assert all(status.words for status in JobStatus)
