"""The change journal's watcher, seen from outside: is it running, what does it watch, start it, stop it.

The watcher is a program of its own, `native_host/watcher`. Its store is a directory: `watcher.lock` is locked as long as one runs and holds
its process id, `current` names the SQLite file of that one. A file without a lock says nothing.
"""

from __future__ import annotations

import os
import secrets
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

import filed
from filed.daemon.unit import check_unit_path
from filed.errors import ConfigError, FiledError
from filed.process.system import lock_file

STORE: Final = Path("/var/lib/filed/journal")
STOP_S: Final = 30.0
CHECK_S: Final = 30.0
POLL_S: Final = 0.01


class JournalError(FiledError):
    """The watcher cannot do what was asked."""


@dataclass(frozen=True, slots=True)
class WatchedFileSystem:
    """path: as given. watched: false while it is not mounted. gap, why: when events may last have been missed, and why."""

    path: str
    watched: bool
    gap: int
    why: str


@dataclass(frozen=True, slots=True)
class JournalStatus:
    """number: of the last event. names: that were touched and not every reader has seen. readers: FileSets that use it."""

    running: bool
    pid: int = 0
    started: int = 0
    number: int = 0
    names: int = 0
    readers: int = 0
    size: int = 0
    file_systems: tuple[WatchedFileSystem, ...] = ()


def watcher_program() -> Path:
    return Path(filed.__file__).parent / "_native" / "watcher"


def running_pid(store: Path) -> int:
    """Of the watcher that has this store; 0 when none is running."""
    try:
        with (store / "watcher.lock").open("rb") as lock:
            try:
                lock_file(lock.fileno(), wait=False, shared=True)
            except BlockingIOError:
                return int(lock.read() or b"0")
    except FileNotFoundError:
        pass
    except PermissionError as why:
        raise JournalError(f"cannot look at {store}: {why.strerror}") from why
    return 0


def journal_status(store: Path) -> JournalStatus:
    pid = running_pid(store)
    if not pid:
        return JournalStatus(running=False)
    with _events(store) as events:
        about = dict(events.execute("SELECT name, value FROM about"))
        (names,) = events.execute("SELECT count(*) FROM dirty").fetchone()
        (readers,) = events.execute("SELECT count(*) FROM reader").fetchone()
        rows = events.execute("SELECT path, marked, gap_at, why FROM fs ORDER BY id").fetchall()
    size = sum(path.stat().st_size for path in store.glob("events-*"))
    watched = tuple(WatchedFileSystem(path, bool(marked), gap_at, why) for path, marked, gap_at, why in rows)
    return JournalStatus(True, pid, about["started"], about.get("number", 0), names, readers, size, watched)


def start_watcher(store: Path, paths: Sequence[Path]) -> int:
    """Start one in the background; returns its process id once it watches. Its messages go to `watcher.log` in the store."""
    store.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = store / "watcher.log"
    with log.open("ab") as out:
        begun = out.tell()
        command: list[str | Path] = [watcher_program(), "--background", store, *paths]
        started = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=out, check=False)
    if started.returncode:
        said = log.read_bytes()[begun:].decode("utf-8", "replace").strip()
        raise JournalError(said or f"the watcher ended with code {started.returncode}")
    return running_pid(store)


def stop_watcher(store: Path) -> bool:
    """False: none was running."""
    pid = running_pid(store)
    if not pid:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_S
    while running_pid(store) == pid:
        if time.monotonic() > deadline:
            raise JournalError(f"the watcher, process {pid}, did not end within {STOP_S:.0f} seconds")
        time.sleep(POLL_S)
    return True


def check_watcher(store: Path) -> dict[str, float]:
    """Make a file on each watched file system and wait for its event: seconds it took, by path. Raises JournalError."""
    status = journal_status(store)
    if not status.running:
        raise JournalError(f"no watcher is running in {store}")
    took = {}
    for watched in status.file_systems:
        if not watched.watched:
            raise JournalError(f"{watched.path} is not mounted, or not watched")
        name = f".filed-journal-check-{secrets.token_hex(8)}"
        path = Path(watched.path) / name
        begun = time.monotonic()
        try:
            path.touch(exist_ok=False)
        except OSError as why:
            raise JournalError(f"cannot make a file in {watched.path}: {why.strerror}") from why
        try:
            took[watched.path] = _wait_for(store, name, begun)
        finally:
            path.unlink()
    return took


def _wait_for(store: Path, name: str, begun: float) -> float:
    with _events(store) as events:
        while not events.execute("SELECT 1 FROM dirty WHERE name = ?", (name.encode(),)).fetchone():
            if time.monotonic() - begun > CHECK_S:
                raise JournalError(f"the event of a new file did not arrive within {CHECK_S:.0f} seconds")
            time.sleep(POLL_S)
    return time.monotonic() - begun


@contextmanager
def _events(store: Path) -> Iterator[sqlite3.Connection]:
    try:
        name = (store / "current").read_text(encoding="utf-8").strip()
        with closing(sqlite3.connect(f"{(store / name).absolute().as_uri()}?mode=rw", uri=True)) as events:
            yield events
    except (OSError, sqlite3.Error) as why:
        raise JournalError(f"cannot read the journal in {store}: {why}") from why


def journal_unit_text(store: Path, paths: Sequence[Path]) -> str:
    """A systemd unit that runs the watcher of this installation. Raises ConfigError for a path that cannot stand in one."""
    if not paths:
        raise ConfigError("say which file systems to watch: a directory on each")
    for path in (store, *paths):
        check_unit_path(path)
    text = files("filed.daemon").joinpath("filed-journal.service").read_text(encoding="utf-8")
    words = " ".join(str(path) for path in paths)
    return text.replace("@program@", str(watcher_program())).replace("@store@", str(store)).replace("@paths@", words)
