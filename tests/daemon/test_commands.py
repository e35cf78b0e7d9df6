from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from filed.daemon.commands import MOST_WAITING, Commands
from tests.system.program import wait_until

CAT_TO = 'cat >>"$0"'
Told = list[tuple[str, str]]


def sh(script: str, *words: str | Path) -> list[str]:
    return ["/bin/sh", "-c", script, *map(str, words)]


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Path]:
    """Who reads it waits until the test has written to it, or is over."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    kept = os.open(path, os.O_RDWR)
    yield path
    os.close(kept)


def test_each_gets_its_text_and_nobody_waits_for_it(tmp_path: Path, gate: Path) -> None:
    told: Told = []
    commands = Commands(lambda name, why: told.append((name, why)))
    commands.run("a", sh('read line <"$1"; ' + CAT_TO, tmp_path / "out", gate), b"text\n")
    assert not (tmp_path / "out").exists(), "it waits, and we do not"
    gate.write_text("go\n")
    commands.finish()
    assert (tmp_path / "out").read_text() == "text\n"
    assert told == []


def test_a_destination_has_its_messages_in_order_and_waits_for_no_other(tmp_path: Path, gate: Path) -> None:
    commands = Commands(lambda _name, why: pytest.fail(why))
    commands.run("slow", sh('read line <"$1"; ' + CAT_TO, tmp_path / "slow", gate), b"0")
    for number in range(1, 10):
        commands.run("slow", sh(CAT_TO, tmp_path / "slow"), b"%d" % number)
    commands.run("fast", sh(CAT_TO, tmp_path / "fast"), b"text")
    wait_until(lambda: (tmp_path / "fast").exists() and (tmp_path / "fast").read_text() == "text")
    assert not (tmp_path / "slow").exists()
    gate.write_text("go\n")
    commands.finish()
    assert (tmp_path / "slow").read_text() == "0123456789"


def test_one_that_hangs_is_ended_with_its_children_and_gets_no_further_text(tmp_path: Path) -> None:
    told: Told = []
    commands = Commands(lambda name, why: told.append((name, why)), patience_s=0.2)
    for _ in range(3):
        commands.run("hangs", sh('sleep 600 & echo $! >>"$0"; wait', tmp_path / "pids"), b"")
    commands.run("works", sh(CAT_TO, tmp_path / "out"), b"text")
    begun = time.monotonic()
    commands.finish()
    assert time.monotonic() - begun < 60
    assert told == [("hangs", "it had not ended after 0.2 s")]
    assert (tmp_path / "out").read_text() == "text"
    assert len((tmp_path / "pids").read_text().split()) == 1
    for pid in (tmp_path / "pids").read_text().split():
        wait_until(lambda child=pid: not Path(f"/proc/{child}").exists())


def test_a_failure_is_told_once_with_what_it_said() -> None:
    told: Told = []
    commands = Commands(lambda name, why: told.append((name, why)))
    for _ in range(3):
        commands.run("bad", sh("echo 'no\nroute' >&2; exit 7"), b"")
        commands.finish()
    commands.run("none", ["/nonexistent"], b"")
    commands.run("empty", [], b"")
    assert told[0] == ("bad", "code 7 no\\nroute")
    assert told[1][0] == "none"
    assert "No such file" in told[1][1]
    assert told[2][0] == "empty"
    assert len(told) == 3


def test_a_flood_does_not_fill_memory(gate: Path) -> None:
    told: Told = []
    commands = Commands(lambda name, why: told.append((name, why)))
    commands.run("slow", sh('read line <"$0"', gate), b"text")
    for _ in range(MOST_WAITING + 10):
        commands.run("slow", ["/nonexistent"], b"text")
    assert told == [("slow", f"{MOST_WAITING:,} messages wait for their turn already")]
    gate.write_text("go\n")
    commands.finish()
