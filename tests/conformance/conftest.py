"""Agents to be checked, and one check of one agent as a call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from filed.agents import Library, load
from filed.agents.scan import examine
from filed.conformance import CHECKS, Checked, Subject
from filed.conformance.suite import run_check
from tests.agents.compile import compile_agent

Checking = Callable[..., Checked]


@pytest.fixture(scope="session")
def checked_agents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """subtle.so, bad.so, good.so, golden.so"""
    directory = tmp_path_factory.mktemp("checked")
    for source, name in (("subtle.c", "subtle"), ("bad.c", "bad"), ("good.c", "good"), ("golden-1.0.c", "golden")):
        compile_agent(source, directory, name)
    return directory


def subject(
    library: Path, *, timeout_s: float = 20.0, limit_s: float = 60.0, paths: tuple[bytes, ...] = (), **options: str
) -> Subject:
    """A library as it is checked; underscores in an option's name stand for themselves."""
    scanned = examine(library.name, [library.parent])
    assert scanned.about is not None, scanned.refused
    return Subject(library, scanned.about, tuple(options.items()), paths, timeout_s=timeout_s, limit_s=limit_s)


@pytest.fixture
def check(checked_agents: Path) -> Checking:
    """check("pages", flaw="one-page"): what the named check says about subtle.so; agent= another."""

    def run(name: str, /, agent: str | Path = "subtle", paths: tuple[bytes, ...] = (), **options: str) -> Checked:
        library = agent if isinstance(agent, Path) else checked_agents / f"{agent}.so"
        (one,) = (one for one in CHECKS if one.name == name)
        return run_check(subject(library, paths=paths, **options), one)

    return run


def words(checked: Checked) -> str:
    """All that it found, notes too."""
    return "\n".join(f"{one.grade}: {one.call}: {one.entry}: {one.rule}" for one in checked.findings)


@pytest.fixture(scope="session")
def checked_bad(checked_agents: Path) -> Library:
    return load("bad", [checked_agents])
