"""The libraries that look at what agents and Directors say, once more with builds that watch their memory and their arithmetic."""

from __future__ import annotations

from pathlib import Path

import pytest

import build
from tests.native_agents.sanitizing import run_watched

TESTS = {
    "accurate_list": ("tests/job/select/test_accurate_table.py",),
    "page_check": ("tests/agents/test_page.py",),
    "whole_entries": ("tests/job/decode/test_native_entries.py", "tests/storage/daemon/test_packet_runs.py"),
}


@pytest.mark.slow
def test_nothing_reads_or_writes_out_of_bounds(tmp_path: Path) -> None:
    for name in TESTS:
        library = build.read_agent(build.ROOT / "native_host" / name)
        build.compile_agent(build.ROOT, library, build.native(sanitize=True), tmp_path)
    run_watched(*(test for tests in TESTS.values() for test in tests), into=tmp_path)
