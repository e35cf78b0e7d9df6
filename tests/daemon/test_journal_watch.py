from __future__ import annotations

import os
import signal
import urllib.request
from pathlib import Path

import pytest

from filed.daemon.journal import JournalError, check_watcher, journal_status, running_pid
from filed.daemon.service import check
from filed.errors import ConfigError
from tests.daemon.calling import Daemon
from tests.live.bacula import free_port
from tests.native_host.watching import FileSystem, eventually


def watches(store: Path) -> bool:
    """Whether a watcher runs whose store can be read: a moment after its begin."""
    try:
        return bool(journal_status(store).file_systems)
    except JournalError:
        return False


def plugin(store: Path) -> str:
    return f'plugin filesystem {{\n  journal = auto\n  journal_directory = "{store}"\n}}\n'


@pytest.mark.root
def test_the_daemon_keeps_a_watcher_and_shows_it_to_prometheus(tmp_path: Path, made: FileSystem) -> None:
    store, port = tmp_path / "journal", free_port()
    directives = f'Journal Watch = "{made.path}"; Metrics Port = {port};'
    with Daemon(tmp_path, more=plugin(store), file_daemon=directives) as daemon:
        eventually(lambda: watches(store))
        assert set(check_watcher(store)) == {str(made.path)}
        first = running_pid(store)
        os.kill(first, signal.SIGKILL)
        eventually(lambda: running_pid(store) not in {0, first})
        assert "journal: the watcher ended with code -9" in daemon.log()
        eventually(lambda: watches(store))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
            lines = answer.read().decode().splitlines()
        assert "filed_journal_running 1.0" in lines
        assert f'filed_journal_watched{{path="{made.path}"}} 1.0' in lines
        assert f'filed_journal_gap_time_seconds{{path="{made.path}"}} 0.0' in lines
    assert daemon.process.returncode == 0
    assert not running_pid(store)


@pytest.mark.root
def test_a_daemon_that_is_killed_leaves_no_watcher(tmp_path: Path, made: FileSystem) -> None:
    store = tmp_path / "journal"
    with Daemon(tmp_path, more=plugin(store), file_daemon=f'Journal Watch = "{made.path}"') as daemon:
        eventually(lambda: running_pid(store))
        daemon.end(signal.SIGKILL)
        eventually(lambda: not running_pid(store))


def test_a_watch_that_nothing_uses_is_warned_of(tmp_path: Path) -> None:
    with Daemon(tmp_path, file_daemon=f'Journal Watch = "{tmp_path}"') as daemon:
        assert '"Journal Watch" has no effect' in daemon.log()
        assert daemon.visits() == []


def test_a_directory_that_is_not_there_is_an_error_of_the_conf(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, more=plugin(tmp_path), file_daemon=f'Journal Watch = "{tmp_path}/missing"')
    with pytest.raises(ConfigError, match="there is no directory"):
        check(daemon.conf)
