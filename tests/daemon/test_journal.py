from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from filed.daemon.journal import (
    JournalError,
    check_watcher,
    journal_status,
    journal_unit_text,
    running_pid,
    start_watcher,
    stop_watcher,
)
from filed.errors import ConfigError
from tests.native_host.watching import FileSystem, eventually


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "journal"
    stop_watcher(tmp_path / "journal")


@pytest.mark.root
def test_a_started_watcher_is_seen_and_can_be_stopped(made: FileSystem, store: Path) -> None:
    assert not journal_status(store).running
    pid = start_watcher(store, [made.path])
    assert pid == running_pid(store) == journal_status(store).pid
    assert set(check_watcher(store)) == {str(made.path)}
    assert journal_status(store).number > 0
    with pytest.raises(JournalError, match="running already"):
        start_watcher(store, [made.path])
    assert stop_watcher(store)
    assert not stop_watcher(store)
    assert not journal_status(store).running


@pytest.mark.root
def test_what_cannot_be_watched_is_said_in_the_watchers_own_words(made: FileSystem, store: Path) -> None:
    with pytest.raises(JournalError, match="only ext4, xfs, btrfs and tmpfs"):
        start_watcher(store, [made.path, Path("/proc")])
    assert not running_pid(store)


@pytest.mark.root
def test_an_unmounted_file_system_is_not_watched(made: FileSystem, store: Path) -> None:
    start_watcher(store, [made.path])
    made.unmount()
    eventually(lambda: not journal_status(store).file_systems[0].watched)
    assert journal_status(store).file_systems[0].why == "the file system was unmounted"
    with pytest.raises(JournalError, match="not mounted"):
        check_watcher(store)


def test_without_a_watcher_there_is_nothing_to_check(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no watcher is running"):
        check_watcher(tmp_path)


def test_a_unit_names_what_is_watched() -> None:
    text = journal_unit_text(Path("/var/lib/filed/journal"), [Path("/"), Path("/home")])
    assert "/_native/watcher /var/lib/filed/journal / /home\n" in text
    with pytest.raises(ConfigError, match="say which"):
        journal_unit_text(Path("/var/lib/filed/journal"), [])
    with pytest.raises(ConfigError, match="cannot stand in a unit"):
        journal_unit_text(Path("/var/lib/filed/journal"), [Path("/with blank")])


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd")
def test_systemd_finds_nothing_wrong_with_it(tmp_path: Path) -> None:
    unit = tmp_path / "filed-journal.service"
    unit.write_text(journal_unit_text(tmp_path, [Path("/")]))
    ran = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "filed-journal" not in ran.stderr
