"""Compiled agents, once per run."""

from __future__ import annotations

from pathlib import Path

import pytest

from filed.agents.load import Library, load
from tests.agents.compile import compile_agent


@pytest.fixture(scope="session")
def agents_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """good.so and bad.so; the latter without `fetch`."""
    directory = tmp_path_factory.mktemp("agents")
    compile_agent("good.c", directory, "good")
    compile_agent("bad.c", directory, "bad")
    return directory


@pytest.fixture(scope="session")
def good(agents_dir: Path) -> Library:
    return load("good", [agents_dir])


@pytest.fixture(scope="session")
def bad(agents_dir: Path) -> Library:
    return load("bad", [agents_dir])


@pytest.fixture(scope="session")
def bad_fetch(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """The bad agent with a `fetch`."""
    directory = tmp_path_factory.mktemp("agents-fetch")
    compile_agent("bad.c", directory, "bad", ["WITH_FETCH"])
    return load("bad", [directory])
