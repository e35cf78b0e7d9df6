"""Between a Director and a File Daemon: passes everything on, and notes when each Job began and ended.

Little passes here: a Job's data goes to the Storage Daemon, its attributes from there to the Director.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from types import TracebackType
from typing import Self

END_OF_JOB = b"2800 End Job"  # begins the File Daemon's last line


class Relay:
    """Listens on `port` for a Director whose File Daemon listens on another port of this machine. Use with `with`."""

    def __init__(self, to_port: int) -> None:
        self._to = ("127.0.0.1", to_port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._spans: list[tuple[float, float]] = []
        self._ended = threading.Condition()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self._listener.close()

    def jobs(self, count: int, timeout_s: float) -> list[tuple[float, float]]:
        """Wait for the end of `count` Jobs. Begin and end of each, by the monotonic clock; then they are forgotten."""
        with self._ended:
            assert self._ended.wait_for(lambda: len(self._spans) >= count, timeout_s), "the Jobs did not end in time"
            spans, self._spans = self._spans, []
        return spans

    def _accept(self) -> None:
        while True:
            try:
                director, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass, args=(director, time.monotonic()), daemon=True).start()

    def _pass(self, director: socket.socket, begun: float) -> None:
        """One conversation, to its end."""
        with director, socket.create_connection(self._to) as daemon, selectors.DefaultSelector() as selector:
            selector.register(director, selectors.EVENT_READ, daemon)
            selector.register(daemon, selectors.EVENT_READ, director)
            tail = b""
            while True:
                for key, _ in selector.select():
                    data = key.fileobj.recv(1 << 16)  # type: ignore[union-attr]
                    if not data:
                        return
                    key.data.sendall(data)
                    if key.fileobj is daemon:
                        tail = tail[-len(END_OF_JOB) :] + data
                        if END_OF_JOB in tail:
                            tail = b""
                            with self._ended:
                                self._spans.append((begun, time.monotonic()))
                                self._ended.notify()
