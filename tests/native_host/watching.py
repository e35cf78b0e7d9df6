"""Runs the watcher on file systems of its own, as it is or with lines of its source changed."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

import build
from filed.daemon.journal import running_pid

SOURCES = ("native_host/watcher", "native_agents/sqlite")
MAKERS = {"ext4": "mkfs.ext4", "xfs": "mkfs.xfs", "btrfs": "mkfs.btrfs"}
IMAGE_BYTES = 320 << 20
STOP_S = 60

Change = tuple[str, str, str]
"""file, a text that is in it once, and what stands there instead."""


def compile_watcher(into: Path, changes: Sequence[Change] = (), *, sanitize: bool = True) -> Path:
    """The program, from a copy of its source with these changes, under the sanitizers."""
    root = into / "source"
    for part in (*SOURCES, "abi"):
        shutil.copytree(build.ROOT / part, root / part)
    for file, old, new in changes:
        source = root / file
        text = source.read_text()
        assert text.count(old) == 1, f"{file} does not have {old!r} once: adapt the test"
        source.write_text(text.replace(old, new))
    agent = build.read_agent(root / "native_host" / "watcher")
    build.compile_agent(root, agent, build.native_program(sanitize=sanitize), into)
    return into / "watcher"


def eventually(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


@contextmanager
def file_system(kind: str, size: int = IMAGE_BYTES) -> Iterator[FileSystem]:
    """A new one, mounted. kind: tmpfs, or one of MAKERS on a loop device."""
    with tempfile.TemporaryDirectory(prefix="filed-fs-") as name:
        made = FileSystem(kind, Path(name), size)
        try:
            made.mount()
            yield made
        finally:
            made.unmount()


class FileSystem:
    def __init__(self, kind: str, directory: Path, size: int) -> None:
        self.kind, self.size = kind, size
        self.path = directory / "mounted"
        self.path.mkdir()
        self.image = directory / "image"
        if kind != "tmpfs":
            with self.image.open("wb") as image:
                image.truncate(size)
            subprocess.run([MAKERS[kind], "-q", self.image], check=True, capture_output=True)

    def mount(self, at: Path | None = None) -> None:
        what = ["-t", "tmpfs", "-o", f"size={self.size}", "none"]
        if self.kind != "tmpfs":
            what = ["-t", self.kind, "-o", "loop", str(self.image)]
        subprocess.run(["mount", *what, at or self.path], check=True)

    def unmount(self) -> None:
        subprocess.run(["umount", "-R", self.path], check=False, capture_output=True)


class Watcher:
    """One watcher process. store: its directory."""

    def __init__(self, program: Path, store: Path, log: Path, paths: Sequence[Path]) -> None:
        self.program, self.store, self.log, self.paths = program, store, log, paths
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([self.program, self.store, *self.paths], stderr=log)
        eventually(lambda: self._is_current() or self.process.poll() is not None)
        assert self.process.poll() is None, self.said()

    def _is_current(self) -> bool:
        """Whether the store that `current` names is this process's: its identity is new with each."""
        try:
            return running_pid(self.store) == self.process.pid and bool(self.rows("SELECT * FROM fs"))
        except (OSError, sqlite3.Error):
            return False

    def said(self) -> str:
        return self.log.read_text()

    def rows(self, sql: str) -> list[tuple]:
        name = (self.store / "current").read_text().strip()
        place = f"{(self.store / name).as_uri()}?mode=rw"
        with closing(sqlite3.connect(place, uri=True, isolation_level=None)) as events:
            return events.execute(sql).fetchall()

    def names(self) -> set[bytes]:
        return {name for (name,) in self.rows("SELECT name FROM dirty")}

    def gap(self) -> tuple[int, str]:
        """Its number and its cause, of the first file system."""
        return self.rows("SELECT gap, why FROM fs WHERE id = 0")[0]

    def identity(self) -> str:
        return self.rows("SELECT value FROM about WHERE name = 'identity'")[0][0]

    def reader(self) -> int:
        """Its process id; 0 while there is none."""
        if self.process is None:
            return 0
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0]) if children else 0

    def kill_reader(self) -> None:
        pid = self.reader()
        if pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def wait_for(self, path: Path) -> None:
        """Until all that has happened to the file system so far is stored: make a file there, and wait for that."""
        path.touch()
        eventually(lambda: os.fsencode(path.name) in self.names())

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.send_signal(how)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                pytest.fail(f"the watcher did not end within {STOP_S} s of signal {how:d}; it said: {self.said()!r}")
            finally:
                self.process = None
            eventually(lambda: not running_pid(self.store))


def fill(ballast: Path) -> None:
    """Until the disk is full."""
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)) == 4096:
            pass
