"""`filed daemon` in the place of bacula-fd, with the conf that the harness wrote for that."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.live.bacula import TIMEOUT_S, Bacula

ROOT = Path(__file__).parents[2]
PROGRAM = "from filed.cli.main import main; main()"


class FiledDaemon:
    """A process of the daemon, started and ended by `with`. by: the command that starts it, with another user or limits."""

    def __init__(self, bacula: Bacula, by: Sequence[str] = ()) -> None:
        self._bacula, self._by = bacula, by
        self._log = bacula.root / "filed.log"

    def __enter__(self) -> Self:
        command = [
            *self._by,
            sys.executable,
            "-W",
            "error",
            "-c",
            PROGRAM,
            "daemon",
            "-f",
            "-c",
            str(self._bacula.conf("fd")),
        ]
        self._began = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=ROOT)
        end = time.monotonic() + TIMEOUT_S
        while time.monotonic() < end and self.process.poll() is None:
            if " is ready, " in self.new_log():
                return self
            time.sleep(0.05)  # it tells nobody but its log
        raise AssertionError(f"filed daemon did not start: {self.log()}")

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.end()

    def end(self) -> int:
        """SIGTERM, and its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(TIMEOUT_S)

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def new_log(self) -> str:
        """Of this process alone, where several had the same conf one after the other."""
        return self._log.read_bytes()[self._began :].decode(errors="replace")

    def expect(self, text: str) -> None:
        """Wait until the log of this process has `text`: a peer may go before its visit has said why."""
        end = time.monotonic() + TIMEOUT_S
        while text not in self.new_log():
            assert time.monotonic() < end, f"no {text!r} in: {self.new_log()}"
            time.sleep(0.05)  # as above

    def children(self) -> list[int]:
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in found]

    def call(self) -> socket.socket:
        """A connection that says nothing yet."""
        return socket.create_connection(("127.0.0.1", self._bacula.ports["fd"]), TIMEOUT_S)
