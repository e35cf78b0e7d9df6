"""Tests of an agent, run by a second pytest with a build of the agent that watches its memory and its arithmetic."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import build


def run_sanitized(name: str, *tests: str, into: Path) -> None:
    """Compile the agent into a directory, which FILED_TEST_AGENTS tells the tests' conftest, and run them. No report is good."""
    agent = build.read_agent(build.ROOT / "native_agents" / name)
    build.compile_agent(build.ROOT, agent, build.native(sanitize=True), into)
    run_watched(*tests, into=into)


def run_watched(*tests: str, into: Path) -> None:
    """Run tests whose libraries are built with sanitizers because FILED_TEST_AGENTS is set; agents are taken from `into`."""
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests],
        cwd=build.ROOT,
        env={
            **os.environ,
            "LD_PRELOAD": f"{_runtime('libasan.so')} {_runtime('libubsan.so')}",
            # python's own allocations outlive it
            "ASAN_OPTIONS": "detect_leaks=0",
            "FILED_TEST_AGENTS": os.fspath(into),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-8000:]


def _runtime(name: str) -> str:
    """The sanitizer's library must be in the process first: python itself was built without."""
    return subprocess.run(
        ["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True
    ).stdout.strip()
