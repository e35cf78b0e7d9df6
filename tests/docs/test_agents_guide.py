"""docs/agents.md is true: its agent compiles and does what the page says, step by step."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from filed.conformance import CHECKS
from tests.agents.compile import compile_agent

GUIDE = Path(__file__).parents[2] / "docs" / "agents.md"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with the page's files, as a reader would have it."""
    (source,) = blocks("c")
    (conf,) = blocks("conf")
    (tmp_path / "facts.c").write_text(source)
    (tmp_path / "facts.conf").write_text(conf.replace("@DIR@", str(tmp_path)))
    return tmp_path


def shell(script: str, directory: Path) -> str:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-euxc", script],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_guide_leads_to_an_agent_that_saves_and_restores(place: Path) -> None:
    build, _, use = blocks("sh")
    facts = f"{platform.system()} {platform.release()} {platform.machine()}"
    told = shell(build, place)
    assert "facts 1.0" in told
    assert "agent facts 1.0 keeps the contract" in told
    assert told.strip().endswith(facts)
    told = shell(use, place)
    assert "/@FACTS/uname" in told
    assert told.strip().endswith(facts)


def test_the_guide_leads_on_to_an_incremental(place: Path) -> None:
    told = shell(blocks("sh")[1], place)
    assert "agent notes 0.1 keeps the contract" in told
    assert re.search(r"JobId 2, Incremental: OK\n  1 files", told)
    assert told.endswith("and one after an empty one\na line more\n")
    source = (place / "notes" / "notes.c").read_text()
    for word in ("continue_from", "list_all", "bp_put_state", "BP_ENTRY_SELECTED", "BP_STATE_FOUND", "CHANGE"):
        assert word in source
        assert word in GUIDE.read_text()
    assert "bp_page_end(&page, job->base == 0)" in source


def test_the_report_that_the_guide_shows_is_what_check_says(place: Path) -> None:
    library = compile_agent("subtle.c", place, "subtle")
    command = f"filed agent check {library} --option flaw=begin-once --only given-up || test $? = 2"
    (shown,) = blocks("text")
    assert shell(command, place).startswith(shown)


def test_the_first_agent_has_thirty_lines_of_its_own() -> None:
    (source,) = blocks("c")
    own = source[: source.index("/* For data that does not lie in the page")]
    assert len([line for line in own.splitlines() if line.strip()]) <= 30


def test_the_agent_of_the_guide_compiles_without_a_warning(place: Path) -> None:
    shell("gcc -std=c11 -Wall -Wextra -Werror -fsyntax-only $(filed agent cflags) facts.c", place)


def test_every_call_and_constant_that_the_guide_names_is_in_the_headers() -> None:
    abi = Path(__file__).parents[2] / "abi"
    headers = (abi / "bplugin.h").read_text() + (abi / "bplugin_sdk.h").read_text()
    for name in set(re.findall(r"`(bp_\w+|BP_\w+)`", GUIDE.read_text())):
        assert re.search(rf"\b{name}\b", headers), name


def test_every_check_stands_beside_what_it_tries() -> None:
    table = GUIDE.read_text().partition("## 9. ")[2].partition("\n\n| the header says | why")[0]
    named = [
        name
        for row in table.splitlines()
        if row.startswith("|")
        for name in re.findall(r"`([a-z_-]+)`", row.rpartition(" | ")[2])
    ]
    assert sorted(named) == sorted(check.name for check in CHECKS)
