"""docs/agents.md is true: its agent compiles and does what the page says, step by step."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "agents.md"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with the page's files, as a reader would have it."""
    (source,) = blocks("c")
    (conf,) = blocks("text")
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
    build, use = blocks("sh")
    told = shell(build, place)
    assert "facts 1.0" in told
    assert "/@FACTS/" in told
    told = shell(use, place)
    assert "/@FACTS/uname" in told
    expected = f"{platform.system()} {platform.release()} {platform.machine()}"
    assert told.strip().endswith(expected)


def test_the_agent_of_the_guide_compiles_without_a_warning(place: Path) -> None:
    shell("gcc -std=c11 -Wall -Wextra -Werror -fsyntax-only $(filed agent cflags) facts.c", place)


def test_every_call_and_constant_that_the_guide_names_is_in_the_headers() -> None:
    abi = Path(__file__).parents[2] / "abi"
    headers = (abi / "bplugin.h").read_text() + (abi / "bplugin_sdk.h").read_text()
    for name in set(re.findall(r"`(bp_\w+|BP_\w+)`", GUIDE.read_text())):
        assert re.search(rf"\b{name}\b", headers), name
