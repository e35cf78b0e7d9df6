"""The calls of this agent once more, with a build that watches its memory and its arithmetic."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.native_agents.sanitizing import run_sanitized

HERE = Path(__file__).resolve().parent


@pytest.mark.slow
def test_nothing_reads_or_writes_out_of_bounds(tmp_path: Path) -> None:
    run_sanitized("pipe", os.fspath(HERE / "test_commands.py"), into=tmp_path)
