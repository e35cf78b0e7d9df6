"""Agents of the tests, compiled once; a directory of Volumes for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agents.compile import compile_agent
from tests.system_agents.jobs import Place


@pytest.fixture(scope="session")
def agents_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """bad.so, good.so, subtle.so, bad-throw.so, trace.so, and two more of trace.c: `verbatim`, and `newname`, once called trace."""
    directory = tmp_path_factory.mktemp("agents")
    compile_agent("bad.c", directory, "bad")
    compile_agent("bad_throw.cc", directory, "bad-throw")
    compile_agent("good.c", directory, "good")
    compile_agent("subtle.c", directory, "subtle")
    compile_agent("trace.c", directory, "trace")
    compile_agent("trace.c", directory, "verbatim", ['ID="verbatim"', "FEATURES=BP_FEATURE_VERBATIM", 'CLAIM="/@VERB"'])
    compile_agent("trace.c", directory, "newname", ['ID="newname"', 'ALIAS="trace"', 'CLAIM="/@NEW"'])
    return directory


@pytest.fixture(scope="session")
def bad_with_fetch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("agents-fetch")
    compile_agent("bad.c", directory, "bad", ["WITH_FETCH"])
    return directory


@pytest.fixture
def place(tmp_path: Path, agents_dir: Path) -> Place:
    return Place(tmp_path / "volumes", (agents_dir,))
