"""All tests of this agent once more, with a build that watches its memory and its arithmetic."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import build

HERE = Path(__file__).resolve().parent


def runtime(name: str) -> str:
    """The sanitizer's library must be in the process first: python itself was built without."""
    return subprocess.run(
        ["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.slow
def test_nothing_reads_or_writes_out_of_bounds(tmp_path: Path) -> None:
    agent = build.read_agent(build.ROOT / "native_agents" / "filesystem")
    build.compile_agent(build.ROOT, agent, build.native(sanitize=True), tmp_path)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--ignore", __file__, HERE],
        cwd=build.ROOT,
        env={
            **os.environ,
            "LD_PRELOAD": f"{runtime('libasan.so')} {runtime('libubsan.so')}",
            # python's own allocations outlive it
            "ASAN_OPTIONS": "detect_leaks=0",
            "FILED_TEST_AGENTS": os.fspath(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-8000:]
