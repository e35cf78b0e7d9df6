"""The agent, compiled for these tests, and places to work in."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import build
from filed.agents import Library, load

from .driving import Driver


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Compiled for these tests, or the one that FILED_TEST_AGENTS has: test_sanitized.py brings its own."""
    given = os.environ.get("FILED_TEST_AGENTS")
    if given:
        return load("filesystem", [Path(given)])
    directory = tmp_path_factory.mktemp("agents")
    agent = build.read_agent(build.ROOT / "native_agents" / "filesystem")
    build.compile_agent(build.ROOT, agent, build.native(), directory)
    return load("filesystem", [directory])


@pytest.fixture
def driver(library: Library) -> Driver:
    return Driver(library)


@pytest.fixture
def open_tmp() -> Iterator[Path]:
    """A directory that everybody can reach; pytest's own is for one user."""
    with tempfile.TemporaryDirectory(prefix="filed-test-") as name:
        os.chmod(name, 0o755)
        yield Path(name)
