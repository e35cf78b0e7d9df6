"""The agent's own conformance: what `filed agent check` tells its author."""

from __future__ import annotations

import os

import pytest

from filed.cli.main import run
from tests.native_agents.exchange.jobs import Jobs


def test_it_keeps_the_contract(jobs: Jobs, capfd: pytest.CaptureFixture[str]) -> None:
    library = jobs.place.agents[0] / "exchange.so"
    run(["agent", "check", os.fspath(library), "--option", f"library={jobs.library}"])
    said = capfd.readouterr().out
    assert "keeps the contract" in said, said
    warned = [line.split()[1] for line in said.splitlines() if line.startswith("warnings ")]
    assert warned == ["estimate"]  # logs cannot be listed without closing the current one
