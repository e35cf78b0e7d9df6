"""`filed daemon` as a process, with a conf of its own, called by the Director of tests/director."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.director.dialogue import Dialogue
from tests.live.bacula import free_port

ROOT = Path(__file__).parents[2]
PROGRAM = "from filed.cli.main import main; main()"
TIMEOUT_S = 60


class Daemon:
    """password: of the Director "a dir".  more: further resources.  file_daemon: further directives."""

    def __init__(self, tmp_path: Path, more: str = "", file_daemon: str = "") -> None:
        self._file_daemon = file_daemon
        self.work, self.conf, self._log = tmp_path / "work", tmp_path / "fd.conf", tmp_path / "log"
        self.work.mkdir()
        self.port = free_port()
        self.write_conf(more)

    def write_conf(self, more: str = "", password: str = "password") -> None:
        self.conf.write_text(
            f'FileDaemon {{ Name = a-fd; FDAddress = 127.0.0.1; FDPort = {self.port}; WorkingDirectory = "{self.work}"; '
            f"{self._file_daemon} }}\n"
            f'Director {{ Name = "a dir"; Password = "{password}" }}\n{more}\n'
        )
        self.conf.chmod(0o600)

    def __enter__(self) -> Self:
        command = [sys.executable, "-W", "error", "-c", PROGRAM, "daemon", "-f", "-c", str(self.conf)]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=ROOT)
        self.wait_for(" is ready, ")
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.end()

    def end(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(TIMEOUT_S)

    def wait_for(self, text: str) -> None:
        self.wait_until(lambda: text in self.log())

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Until something shows that it tells nobody."""
        end = time.monotonic() + TIMEOUT_S
        while not condition():
            assert time.monotonic() < end, self.log()
            assert self.process.poll() is None, self.log()
            time.sleep(0.02)

    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def call(self, **how: Any) -> Dialogue:
        return Dialogue(socket.create_connection(("127.0.0.1", self.port), TIMEOUT_S), **how)

    def visits(self) -> list[int]:
        """The processes of visits, and not of what they started."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]
