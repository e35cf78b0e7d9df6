"""A million entries in flat memory, as `filed agent check --entries` has it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from filed.cli.agent_new import files
from filed.cli.agents import shipped_agents
from filed.cli.main import run
from tests.agents.compile import ABI, compile_agent

MILLION = 1_000_000
pytestmark = pytest.mark.slow


def listed(capfd: pytest.CaptureFixture[str], library: Path, *arguments: str | Path) -> int:
    """How many entries an agent lists without keeping anything of them."""
    code = run(["agent", "check", "-v", str(library), "--entries", str(MILLION), *map(str, arguments)])
    said = capfd.readouterr().out
    assert code == 0, said
    found = re.search(r"([\d,]+) entries listed, memory grew by \d+\.\d MB", said)
    assert found is not None, said
    return int(found[1].replace(",", ""))


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """A thousand directories of a thousand names each."""
    top = tmp_path / "tree"
    top.mkdir()
    for one in range(1000):
        directory = top / str(one)
        directory.mkdir()
        first = directory / "0"
        first.touch()
        for name in range(1, 1000):
            os.link(first, directory / str(name))
    yield top
    shutil.rmtree(top)


def test_filesystem(capfd: pytest.CaptureFixture[str], tree: Path) -> None:
    assert listed(capfd, shipped_agents() / "filesystem.so", "--path", tree) == MILLION + 1000 + 1


def test_a_new_agent(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for name, text in files("notes", "c"):
        (tmp_path / name).write_text(text)
    (tmp_path / "sample.txt").write_text("a line\n" * MILLION)
    command = [
        "gcc",
        "-std=c11",
        "-O2",
        "-shared",
        "-fPIC",
        f"-I{ABI}",
        tmp_path / "notes.c",
        "-o",
        tmp_path / "notes.so",
    ]
    subprocess.run(command, check=True)
    assert listed(capfd, tmp_path / "notes.so", "--option", f"source={tmp_path / 'sample.txt'}") == MILLION


def test_an_agent_that_keeps_something_of_each_is_found(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    library = compile_agent("subtle.c", tmp_path, "subtle")
    code = run(
        ["agent", "check", str(library), "--entries", "50000", "--option", "files=50000", "--option", "flaw=memory"]
    )
    assert code == 2
    assert "kept to the end" in capfd.readouterr().out
