"""The simulator, compiled once, and a server with Jobs for each test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from filed.job.setup import shipped_agents
from tests.esesim.compile import Built, compile_simulator
from tests.native_agents.exchange.server import Exchange, Jobs, make_server
from tests.system_agents.jobs import Place


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return compile_simulator(tmp_path_factory.mktemp("esesim"))


@pytest.fixture
def server(simulator: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Exchange:
    root = tmp_path / "server"
    monkeypatch.setenv("ESESIM_ROOT", os.fspath(root))
    return make_server(simulator, root)


@pytest.fixture
def jobs(server: Exchange, tmp_path: Path) -> Jobs:
    agents = Path(os.environ.get("FILED_TEST_AGENTS", shipped_agents()))
    return Jobs(Place(tmp_path / "volumes", (agents, shipped_agents())), server)
