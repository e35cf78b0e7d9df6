"""Every agent is canceled by another thread while it works, as a host may, under the sanitizer that knows of races.

The cancel word is written and read as one relaxed store or load: that is the contract, and no race.
"""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

import build
from tests.abi.test_drive import WARNINGS, compile_c
from tests.agents.compile import ABI
from tests.esesim.compile import Built, compile_simulator
from tests.native_agents.exchange.conftest import small_store

DRIVER = Path(__file__).parents[1] / "abi" / "cancel.c"
WATCHED = ("-O1", "-fsanitize=thread", "-fno-omit-frame-pointer", "-g")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_driver(tmp_path_factory.mktemp("driver") / "cancel")


def compile_driver(out: Path, *flags: str) -> Path:
    return compile_c(
        out, "gcc", "-std=c11", "-D_GNU_SOURCE", *flags, *WARNINGS, *WATCHED, f"-I{ABI}", DRIVER, "-ldl", "-pthread"
    )


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return compile_simulator(tmp_path_factory.mktemp("esesim"), sanitize=False)


def watched(name: str, directory: Path) -> Path:
    target = build.native(sanitize=True)
    flags = tuple(flag for flag in target.compile_flags if flag not in build.SANITIZED)
    agent = build.read_agent(build.ROOT / "native_agents" / name)
    build.compile_agent(build.ROOT, agent, replace(target, compile_flags=(*flags, *WATCHED)), directory)
    return directory / f"{name}.so"


def canceled(driver: Path, library: Path, *arguments: str) -> tuple[int, str]:
    """How many of the driver's backups ended as canceled, and what the sanitizer said."""
    done = subprocess.run(
        [driver, library, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=os.environ | {"TSAN_OPTIONS": "exitcode=0"},
    )
    found = re.search(r"^canceled (\d+) of \d+$", done.stdout, re.MULTILINE)
    assert found is not None, done.stdout + done.stderr
    return int(found[1]), done.stderr


def planted(tmp_path: Path) -> str:
    tree = tmp_path / "tree"
    tree.mkdir()
    for number in range(100):
        (tree / str(number)).write_bytes(b"x" * 100_000)
    return f"host:path={tree}"


def test_a_race_would_be_found(tmp_path: Path) -> None:
    """A host that writes the word as any other is one."""
    racing = compile_driver(tmp_path / "racing", "-DRACE")
    _, said = canceled(racing, watched("filesystem", tmp_path), planted(tmp_path))
    assert "data race" in said
    assert "bp_cancelled" in said


def test_filesystem(driver: Path, tmp_path: Path) -> None:
    count, said = canceled(driver, watched("filesystem", tmp_path), planted(tmp_path))
    assert said == ""
    assert count > 0


@pytest.mark.parametrize("command", ["cat /dev/zero", "sleep 1000"])
def test_pipe(driver: Path, tmp_path: Path, command: str) -> None:
    count, said = canceled(driver, watched("pipe", tmp_path), f"host:path=pipe:/a:{command}:cat", "allow=**")
    assert said == ""
    assert count == 40  # neither command ever ends


def test_sqlite(driver: Path, tmp_path: Path) -> None:
    for number in range(5):
        with closing(sqlite3.connect(tmp_path / f"{number}.db")) as db:
            db.execute("CREATE TABLE t (a)")
            db.execute("INSERT INTO t VALUES (randomblob(300000))")
            db.commit()
    count, said = canceled(driver, watched("sqlite", tmp_path), f"host:path=/@SQLITE{tmp_path}", f"scratch={tmp_path}")
    assert said == ""
    assert count > 0


def test_exchange(driver: Path, tmp_path: Path, simulator: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESESIM_ROOT", str(tmp_path / "store"))
    small_store(simulator.library, tmp_path / "store")
    library = watched("exchange", tmp_path)
    count, said = canceled(driver, library, "host:path=/@EXCHANGE/", f"library={simulator.library}")
    assert said == ""
    assert count > 0
