"""`filed agent run`: list, back up, restore, with one agent and no conf; apart or in this very process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from filed.catalog import Catalog
from tests.agents.compile import compile_agent
from tests.cli.conftest import Filed


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("plugins")
    compile_agent("subtle.c", directory, "subtle")
    compile_agent("bad.c", directory, "bad")
    return directory


@pytest.mark.parametrize("debug", [[], ["--debug"]], ids=["apart", "debug"])
def test_what_is_saved_is_listed_and_comes_back(filed: Filed, plugins: Path, tmp_path: Path, debug: list[str]) -> None:
    agent = ["agent", "run", plugins / "subtle.so", *debug]
    listed = filed(*agent, "--list")
    assert listed.code == 0
    assert "/@SUBTLE/d/19" in listed.out
    for words in (("--backup", tmp_path / "v"), ("--restore", tmp_path / "v", "--where", tmp_path / "back")):
        said = filed(*agent, "--quiet", *words)
        assert (said.code, said.out, said.err) == (0, "", "")
    restored = tmp_path / "back" / "@SUBTLE" / "d" / "7"
    assert restored.read_bytes() == bytes([8]) * 49_000


def test_an_incremental_continues_from_the_agents_own_state(filed: Filed, plugins: Path, tmp_path: Path) -> None:
    agent = ["agent", "run", plugins / "subtle.so"]
    filed(*agent, "--backup", tmp_path / "v", "--option", "files=5")
    said = filed(*agent, "--backup", tmp_path / "v", "--option", "files=8", "--level", "incremental", "--json")
    assert said.json["files"] >= 3
    with Catalog.read(tmp_path / "v") as catalog:
        assert [job.level for job in catalog.jobs()] == ["F", "I"]


def test_a_crash_is_told_apart_and_is_this_process_end_with_debug(filed: Filed, plugins: Path, tmp_path: Path) -> None:
    agent = ["agent", "run", str(plugins / "bad.so"), "--option", "sin=crash-read", "--backup", str(tmp_path / "v")]
    said = filed(*agent)
    assert said.code == 2
    assert "agent bad 6.6 crashed (SIGSEGV) in read, entry /@BAD/one" in said.err
    program = "from filed.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, *agent, "--debug"],
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        timeout=60,
    )
    assert done.returncode == -11


def test_the_messages_of_the_agent_are_shown_with_debug(filed: Filed, plugins: Path, tmp_path: Path) -> None:
    agent = ["agent", "run", plugins / "bad.so", "--option", "sin=page-failed", "--backup", tmp_path / "v", "--debug"]
    said = filed(*agent)
    assert said.code == 3
    assert "/@BAD/one cannot be read" in said.err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "give one of --list, --browse PATH, --backup DIR and --restore DIR"),
        (["--list", "--backup", "v"], "give one of"),
        (["--restore", "v"], "--restore needs --where DIR"),
        (["--list", "--option", "x"], "give KEY=VALUE"),
    ],
)
def test_what_makes_no_sense_is_refused(filed: Filed, plugins: Path, arguments: list[str], text: str) -> None:
    said = filed("agent", "run", plugins / "subtle.so", *arguments)
    assert said.code == 1
    assert text in said.err
