"""The widest of these Jobs once more, with a build that watches its memory and its arithmetic."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.native_agents.sanitizing import run_sanitized

HERE = Path(__file__).resolve().parent
WIDE = "several or corrupt or stay"


@pytest.mark.slow
def test_nothing_reads_or_writes_out_of_bounds(tmp_path: Path) -> None:
    run_sanitized("sqlite", os.fspath(HERE / "test_databases.py"), "-k", WIDE, into=tmp_path)
