"""Saving and restoring once more, with agent and simulator built to watch their memory and their arithmetic."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.native_agents.sanitizing import run_sanitized

HERE = Path(__file__).resolve().parent


@pytest.mark.slow
def test_nothing_reads_or_writes_out_of_bounds(tmp_path: Path) -> None:
    tests = ("test_saving.py", "test_continuing.py", "test_restoring.py")
    run_sanitized("exchange", *(str(HERE / name) for name in tests), into=tmp_path)
