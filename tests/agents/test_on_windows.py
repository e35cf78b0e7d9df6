"""Agents as Windows loads them: found, trusted, opened, asked; and what is said of those that are not."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from filed.agents.load import load
from filed.agents.scan import scan
from filed.errors import AgentLoadError
from filed.job.setup import shipped_agents

assert sys.platform == "win32"


def test_an_agent_that_is_shipped_is_loaded_and_says_what_it_is() -> None:
    library = load("exchange.dll", [shipped_agents()])
    assert library.descriptor.id == "exchange"
    assert library.path.suffix == ".dll"


def test_a_directory_is_listed_with_what_is_wrong_in_it(tmp_path: Path) -> None:
    place = tmp_path / "with blanks and ünïcödé ж"
    place.mkdir()
    shutil.copy(shipped_agents() / "exchange.dll", place)
    (place / "broken.dll").write_bytes((place / "exchange.dll").read_bytes()[:5000])
    shutil.copy(Path(sys.base_prefix) / "VCRUNTIME140.dll", place / "other.dll")
    found = {one.id: one for one in scan([place])}
    about = found["exchange"].about
    assert about is not None
    assert about.label == "exchange 1.0"
    assert "is cut short: it has 5000 bytes" in found["broken"].refused
    assert "does not export bplugin_query_v1: it is no agent" in found["other"].refused


def test_an_agent_of_linux_is_named_as_such() -> None:
    with pytest.raises(AgentLoadError, match=r"filesystem\.so is a library for another system; this one loads"):
        load("filesystem", [shipped_agents()])
