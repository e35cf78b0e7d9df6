"""The simulator, compiled once per run, and a small store of one group with two databases."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import pytest

from tests.esesim.compile import Built, compile_simulator
from tests.esesim.simulator import MAILBOX, PUBLIC, Store


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return compile_simulator(tmp_path_factory.mktemp("esesim"), sanitize="FILED_TEST_AGENTS" in os.environ)


@pytest.fixture(scope="session")
def library(built: Built) -> ctypes.CDLL:
    return ctypes.CDLL(str(built.library))


@pytest.fixture
def store(library: ctypes.CDLL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Logs of 1 KiB of records; the checkpoint two generations behind."""
    monkeypatch.setenv("ESESIM_ROOT", str(tmp_path / "store"))
    made = Store(library, tmp_path / "store")
    made.add_group(log_size=5120)
    made.add_database(MAILBOX, "mbx")
    made.add_database(PUBLIC, "pub (öffentlich)")
    return made
