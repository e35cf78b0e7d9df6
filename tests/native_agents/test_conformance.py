"""`filed agent check` over the agents that come with `filed`."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from filed.cli.agents import shipped_agents
from filed.cli.main import run


def checked(capfd: pytest.CaptureFixture[str], name: str, *arguments: str) -> str:
    """What is said of an agent without a fault."""
    code = run(["agent", "check", str(shipped_agents() / f"{name}.so"), *arguments])
    said = capfd.readouterr().out
    assert code == 0, said
    return said


def test_pipe_keeps_the_contract(capfd: pytest.CaptureFixture[str]) -> None:
    plugin = "pipe:/dump/a:seq 1 200000:mkdir -p %w; cat > %w/out"
    said = checked(
        capfd, "pipe", "--plugin", plugin, "--option", "allow=seq * *", "--option", "allow=mkdir -p %w; cat > %w/out"
    )
    for check in ("estimate", "cancel", "guest", "restore", "given-up-restore", "leaks", "leaks-restore"):
        assert f"passed   {check} " in said


def test_sqlite_keeps_the_contract(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for number in range(3):
        with closing(sqlite3.connect(tmp_path / f"{number}.db")) as db:
            db.execute("CREATE TABLE t (a)")
            db.execute("INSERT INTO t VALUES (randomblob(300000))")
            db.commit()
    said = checked(capfd, "sqlite", "--path", f"/@SQLITE{tmp_path}", "--option", f"scratch={tmp_path}")
    for check in ("verify", "cancel", "guest", "restore", "corrupt", "links", "leaks", "leaks-restore"):
        assert f"passed   {check} " in said
