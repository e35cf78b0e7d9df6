"""The simulator, compiled once, and a server with two databases in one storage group for each test."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

import pytest

from filed.job.setup import shipped_agents
from tests import windows_libraries
from tests.esesim.compile import Built, compile_simulator
from tests.esesim.simulator import MAILBOX, PUBLIC, Store
from tests.native_agents.exchange.jobs import Jobs
from tests.system_agents.jobs import Place


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Built:
    if sys.platform == "win32":
        return windows_libraries.simulator()
    return compile_simulator(tmp_path_factory.mktemp("esesim"), sanitize="FILED_TEST_AGENTS" in os.environ)


def small_store(library: Path, root: Path) -> Store:
    """One group, two databases, small logs; what mailboxes did has closed some."""
    made = Store(ctypes.CDLL(os.fspath(library)), root)
    made.add_group(log_size=5120)
    made.add_database(MAILBOX, "mbx")
    made.add_database(PUBLIC, "pub (öffentlich)")
    made.write(60)
    return made


@pytest.fixture
def store(simulator: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("ESESIM_ROOT", os.fspath(tmp_path / "store"))
    return small_store(simulator.library, tmp_path / "store")


@pytest.fixture
def jobs(store: Store, simulator: Built, tmp_path: Path) -> Jobs:
    agents = Path(os.environ.get("FILED_TEST_AGENTS", shipped_agents()))
    return Jobs(Place(tmp_path / "volumes", (agents, shipped_agents())), store, simulator.library)
