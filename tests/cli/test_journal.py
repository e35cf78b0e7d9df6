"""`filed journal` starts, shows, checks and stops the watcher."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from filed.cli.exit import Exit
from filed.cli.main import run
from filed.daemon.journal import stop_watcher
from tests.native_host.watching import file_system


@pytest.fixture
def watched() -> Iterator[Path]:
    if os.geteuid():
        pytest.skip("only root may watch a file system")
    with file_system("tmpfs") as made:
        yield made.path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "journal"
    stop_watcher(tmp_path / "journal")


@pytest.mark.root
def test_from_start_to_stop(watched: Path, store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--store", str(store)]
    assert run(["journal", "status", *where]) == Exit.USAGE
    assert "no watcher is running" in capsys.readouterr().out
    assert run(["journal", "start", *where, str(watched)]) == Exit.GOOD
    assert run(["journal", "check", *where, "--json"]) == Exit.GOOD
    out = capsys.readouterr().out
    assert 0 < json.loads(out.splitlines()[-1])[str(watched)] < 30
    assert run(["journal", "status", *where, "--json"]) == Exit.GOOD
    said = json.loads(capsys.readouterr().out)
    assert said["running"]
    assert said["number"] > 0
    (file_system_,) = said["file_systems"]
    assert file_system_ == {"path": str(watched), "watched": True, "gap": 0, "why": ""}
    assert run(["journal", "status", *where]) == Exit.GOOD
    assert f"file system  {watched}: watched" in capsys.readouterr().out
    assert run(["journal", "start", *where, str(watched)]) == Exit.USAGE
    assert "running already" in capsys.readouterr().err
    assert run(["journal", "stop", *where]) == Exit.GOOD
    assert run(["journal", "stop", *where]) == Exit.USAGE


@pytest.mark.root
def test_check_says_what_is_not_watched(watched: Path, store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["journal", "check", "--store", str(store)]) == Exit.USAGE
    assert "no watcher is running" in capsys.readouterr().err
    assert run(["journal", "start", "--store", str(store), "/proc"]) == Exit.USAGE
    assert "only ext4, xfs, btrfs and tmpfs" in capsys.readouterr().err


def test_a_unit_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["journal", "start", "--unit", "--store", str(tmp_path), "/"]) == Exit.GOOD
    assert "[Service]" in capsys.readouterr().out
