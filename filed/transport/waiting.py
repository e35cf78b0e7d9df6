"""Waiting for a socket, and for the Job's cancel pipe at the same time."""

from __future__ import annotations

import socket
from collections.abc import Callable

from filed.errors import ConnectionLost, JobCanceled
from filed.process.system import READ, WRITE, Poll

__all__ = ["READ", "WRITE", "Waiting"]


class Waiting:
    """The waits of one connection. cancel_pipe: a descriptor that is readable, or at its end, when the Job is canceled.

    peer: for messages. clock: monotonic seconds.
    """

    def __init__(self, sock: socket.socket, peer: str, cancel_pipe: int | None, clock: Callable[[], float]) -> None:
        self._fd = sock.fileno()
        self.peer, self._cancel_pipe, self._clock = peer, cancel_pipe, clock
        self._poll = Poll()
        self._poll.register(self._fd, 0)
        self._pause = Poll()
        if cancel_pipe is not None:
            self._poll.register(cancel_pipe, READ)
            self._pause.register(cancel_pipe, READ)

    def wait(self, events: int, phase: str, until: float | None) -> int:
        """Returns those of `events` that are there, with POLLHUP and POLLERR as they come.

        until: by the clock, None for ever. Raises JobCanceled, and ConnectionLost when the time is up.
        """
        self._poll.modify(self._fd, events)
        timeout_ms = None if until is None else max(0.0, until - self._clock()) * 1000
        ready = dict(self._poll.poll(timeout_ms))
        if self._cancel_pipe is not None and self._cancel_pipe in ready:
            raise JobCanceled(f"canceled during {phase}")
        if not ready:
            raise ConnectionLost(self.peer, phase, "it did nothing for too long")
        return ready[self._fd]

    def now(self, events: int, phase: str) -> int:
        """The same without waiting; 0 when nothing is there, which is the rule while data is sent: HOT."""
        self._poll.modify(self._fd, events)
        found = self._poll.poll(0)
        if not found:
            return 0
        ready = dict(found)
        if self._cancel_pipe is not None and self._cancel_pipe in ready:
            raise JobCanceled(f"canceled during {phase}")
        return ready.get(self._fd, 0)

    def for_more(self, seconds: float) -> bool:
        """Whether something comes, or the end, in that time; the cancel pipe is not heard."""
        alone = Poll()
        alone.register(self._fd, READ)
        return bool(alone.poll(max(seconds, 0.0) * 1000))

    def pause(self, seconds: float, phase: str) -> None:
        """Let time pass. Raises JobCanceled."""
        if self._pause.poll(seconds * 1000):
            raise JobCanceled(f"canceled during {phase}")
