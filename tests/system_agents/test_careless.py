"""Each agent of tests/agents/careless: nothing is lost or wrong while all Jobs say OK, and what filed says names it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from filed.catalog import Level
from filed.cli.agents import shipped_agents
from filed.process.outcome import JobStatus
from tests.agents.careless import languages
from tests.system_agents.jobs import Place, Ran, line

TABLES = Path(languages.__file__).with_name("README.md")
SIZES = (0, 1, 100, 1000, 65536, 65537, 70000, 200000, 400, 400, 600, 700, 800)
LANGUAGES = {
    "careless": (languages.c, "gcc"),
    "careless-cc": (languages.cpp, "g++"),
    "careless-rs": (languages.rust, "rustc"),
    "careless-py": (languages.python, "gcc"),
    "careless-zig": (languages.zig, "gcc"),
}


class Row(NamedTuple):
    agent: str
    flaw: str
    ends: str
    says: str
    continuing: bool


def rows() -> Iterator[Row]:
    continuing = False
    for text in TABLES.read_text().splitlines():
        if text.startswith("## "):
            continuing = text.startswith("## Continuing")
        if text.startswith("| careless"):
            agent, flaw, _, ends, says = (cell.strip() for cell in text.strip("|").split(" | "))
            yield Row(agent.strip("| "), flaw.strip("`"), ends, says.strip(" |").strip("`"), continuing)


ROWS = list(rows())


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The directory with the agent of this name, compiled when first asked for."""

    @cache
    def compiled(agent: str) -> Path:
        directory = tmp_path_factory.mktemp(agent)
        LANGUAGES[agent][0](directory)
        return directory

    return compiled


def mailbox(messages: int) -> dict[str, tuple[bytes, int]]:
    """Name below /@CARE/in -> content and time."""
    contents = (bytes((31 * k + i) % 251 for i in range(SIZES[k])) for k in range(messages))
    return {f"{k:02}": (content, 1700000000 + (8 if k == 9 else k)) for k, content in enumerate(contents)}


def restored(where: Path) -> dict[str, tuple[bytes, int]]:
    """The same of what came back; anything elsewhere by its whole path."""
    files = (path for path in where.rglob("*") if path.is_file())
    inside = f"{where}/@CARE/in/"
    return {str(path).removeprefix(inside): (path.read_bytes(), int(path.stat().st_mtime)) for path in files}


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.agent}-{row.flaw}" for row in ROWS])
def test_a_careless_agent_loses_nothing_in_silence(
    row: Row, library: Callable[[str], Path], programs: Callable[..., None], tmp_path: Path
) -> None:
    programs(LANGUAGES[row.agent][1])
    place = Place(tmp_path / "volumes", (library(row.agent), shipped_agents()))
    lines = (line(row.agent, flaw=row.flaw), line("filesystem"))
    saved = [place.backup(*lines, files=[b"/@CARE"])]
    if row.continuing and saved[0].outcome.status.good:
        days = {"day": "2"} if row.agent == "careless" else {}
        later = (line(row.agent, flaw=row.flaw, **days), line("filesystem"))
        saved.append(place.backup(*later, files=[b"/@CARE"], level=Level.INCREMENTAL))
    ran = list(saved)
    wrong: set[str] = set()
    if saved[-1].outcome.status.good:
        ran.append(place.restore(saved[-1].outcome.jobid, tmp_path / "to", *lines))
        was, now = mailbox(13 if row.continuing and row.agent == "careless" else 12), restored(tmp_path / "to")
        wrong = {name for name in was.keys() | now.keys() if was.get(name) != now.get(name)}
    told = "\n".join(text for one in ran for text in (one.outcome.text, *one.texts()))
    assert not wrong or any(one.outcome.status is not JobStatus.OK for one in ran), f"{wrong} are lost in silence"
    assert ended(saved, ran) == row.ends, told
    assert row.says in told, told
    assert row.says or not wrong


def ended(saved: list[Ran], ran: list[Ran]) -> str:
    status = saved[-1].outcome.status
    if status is JobStatus.WARNINGS:
        return "warnings"
    if not status.good:
        return "failed"
    return "right" if ran[-1].outcome.status is JobStatus.OK else "restore"


def test_there_are_at_least_forty_in_five_languages() -> None:
    assert len({(row.agent, row.flaw) for row in ROWS}) == len(ROWS) >= 40
    assert {row.agent for row in ROWS} == set(LANGUAGES)
    assert all(sum(row.agent == agent for row in ROWS) >= 4 for agent in LANGUAGES)


def test_every_flaw_of_the_sources_is_in_a_table() -> None:
    sources = {
        "careless": ("careless.c", r'is\((?:job->)?agent, "([a-z0-9-]+)"'),
        "careless-cc": ("careless.cc", r'is\("([a-z-]+)"\)'),
        "careless-rs": ("careless.rs", r'flaw == "([a-z-]+)"'),
        "careless-py": ("careless_py.py", r'flaw\("([a-z-]+)"\)'),
        "careless-zig": ("careless.zig", r'is\("([a-z-]+)"\)'),
    }
    for agent, (name, pattern) in sources.items():
        found = set(re.findall(pattern, TABLES.with_name(name).read_text()))
        assert found == {row.flaw for row in ROWS if row.agent == agent}, agent
