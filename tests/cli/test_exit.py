"""The exit codes are a promise to programs."""

from __future__ import annotations

import pytest

from filed.cli.exit import Exit, exit_of
from filed.process.outcome import JobStatus


def test_the_numbers_are_those_of_the_manual() -> None:
    assert {code.name: code.value for code in Exit} == {
        "GOOD": 0,
        "USAGE": 1,
        "FAILED": 2,
        "WARNINGS": 3,
        "DIFFERENCES": 4,
        "CANCELED": 130,
    }


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (JobStatus.OK, 0),
        (JobStatus.WARNINGS, 3),
        (JobStatus.ERROR, 2),
        (JobStatus.FATAL, 2),
        (JobStatus.CANCELED, 130),
        (JobStatus.DIFFERENCES, 4),
    ],
)
def test_each_end_of_a_job_has_its_code(status: JobStatus, code: int) -> None:
    assert exit_of(status) == code


def test_only_a_good_job_exits_with_zero_or_three() -> None:
    assert {status for status in JobStatus if exit_of(status) in (0, 3)} == {s for s in JobStatus if s.good}
