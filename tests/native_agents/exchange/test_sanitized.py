"""Each way through the agent once more, with agent and simulator built to watch their memory and their arithmetic."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.native_agents.sanitizing import run_sanitized

HERE = Path(__file__).resolve().parent
WAYS = (
    "test_contract.py::test_a_damaged_state_is_refused_or_read_and_never_more",
    "test_saving.py::test_a_database_with_two_files_has_both",
    "test_saving.py::test_a_line_that_names_what_is_not_there_fails_the_job_with_what_is",
    "test_continuing.py::test_a_gap_becomes_a_complete_set_with_the_reason_and_no_truncation[truncated]",
    "test_continuing.py::test_a_state_that_cannot_be_read_is_no_base",
    "test_restoring.py::test_after_a_gap_the_complete_set_comes_back_and_older_logs_are_left_out",
    "test_restoring.py::test_a_missing_log_is_told_and_the_way_on_is_left_open",
)


@pytest.mark.slow
def test_nothing_reads_or_writes_out_of_bounds(tmp_path: Path) -> None:
    run_sanitized("exchange", *(str(HERE / way) for way in WAYS), into=tmp_path)
