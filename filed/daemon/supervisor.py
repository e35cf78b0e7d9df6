"""The parent of a job process: starts it, listens to it, ends it, and says truly how it ended.

No agent code ever runs here. What the job process does at the moment is read from the shared page (`Pulse`), so that a
crash, a hang or an exit inside an agent is reported with the agent's name, the call and the entry.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from filed.agents.pulse import Cancel, Pulse
from filed.agents.report import describe_exit, describe_hang
from filed.agents.watchdog import Watchdog
from filed.errors import RemoteProtocolError
from filed.job.channel import RECEIVE_BYTES, Event, Receiver
from filed.job.description import JobDescription
from filed.job.outcome import JobStatus, Outcome, Severity, Totals
from filed.job.process import serve

KILL_AFTER_S = 30.0  # an agent that ignores a cancel for so long is killed with its process
TICK_S = 0.2


class JobProcess:
    """One Job in a process of its own. Use as a context manager; `run` returns its Outcome."""

    def __init__(self, description: JobDescription, *, agent_timeout_s: float) -> None:
        self.pulse = Pulse()
        self.jobid = 0
        self._watchdog = Watchdog(self.pulse, agent_timeout_s, time.monotonic())
        self._receiver = Receiver()
        self._outcome: Outcome | None = None
        self._killed = ""
        self._cancel_at: float | None = None
        ours, theirs = socket.socketpair()
        bell_read, self._bell = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            ours.close()
            os.close(self._bell)
            serve(description, theirs, self.pulse, bell_read)  # never returns
        theirs.close()
        os.close(bell_read)
        self._sock = ours
        self._reaped: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        if self._reaped is None:
            self._kill("its parent left")
            self._wait()
        self._sock.close()
        if self._bell >= 0:
            os.close(self._bell)
            self._bell = -1

    def cancel(self) -> None:
        """Ask the Job to end: the cancel word, then the doorbell; after KILL_AFTER_S it is killed."""
        if self._cancel_at is None:
            self._cancel_at = time.monotonic()
            self.pulse.ask_cancel(Cancel.ASKED)
            with contextlib.suppress(BrokenPipeError):  # it has just ended by itself
                os.write(self._bell, b"c")

    def run(
        self, on_event: Callable[[Event], None], on_tick: Callable[[], None], wanted: Callable[[], bool] = lambda: True
    ) -> Outcome:
        """Listen until the Job has ended.

        on_event: each `started` and `message`.  on_tick: about five times a second.
        wanted: asked at each tick; when it says no, the Job is cancelled.
        """
        with selectors.DefaultSelector() as selector:
            selector.register(self._sock, selectors.EVENT_READ)
            while True:
                ready = selector.select(TICK_S)
                if ready and not self._receive(on_event):
                    break
                if not wanted():
                    self.cancel()
                self._watch()
                on_tick()
        status = self._wait()
        return self._judge(status)

    def _receive(self, on_event: Callable[[Event], None]) -> bool:
        """Take what has come. False at the end."""
        try:
            data = self._sock.recv(RECEIVE_BYTES)
        except ConnectionResetError:
            return False
        if not data:
            return False
        try:
            for event in self._receiver.feed(data):
                if event["event"] == "outcome":
                    self._outcome = Outcome.from_event(event)
                else:
                    if event["event"] == "started":
                        self.jobid = int(str(event["jobid"]))
                    on_event(event)
        except (RemoteProtocolError, ValueError, TypeError, KeyError) as broken:
            on_event({"event": "message", "severity": Severity.ERROR.value, "text": str(broken)})
            self._kill("it sent what no job process sends")
        return True

    def _watch(self) -> None:
        """Kill what no longer answers: a cancelled Job after a while, a silent agent after its timeout."""
        now = time.monotonic()
        if self._cancel_at is not None:
            if now - self._cancel_at > KILL_AFTER_S:
                self._kill("")
            return
        if self._watchdog.expired(now):
            self._killed = describe_hang(self.pulse, self._watchdog.silent_s(now))
            self.cancel()

    def _kill(self, why: str) -> None:
        self._killed = self._killed or why
        if self._reaped is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)  # with the commands that agents started
            os.kill(self.pid, signal.SIGKILL)

    def _wait(self) -> int:
        """The wait status of the process."""
        if self._reaped is None:
            self._reaped = os.waitpid(self.pid, 0)[1]
        return self._reaped

    def _judge(self, status: int) -> Outcome:
        """The Job's own words when it had some and ended well, else what the page and the kernel tell."""
        if self._killed:
            return self._failed(JobStatus.FATAL, self._killed)
        if self._outcome is not None and status == 0:
            return self._outcome
        if self._cancel_at is not None:
            return self._failed(JobStatus.CANCELED, "canceled; " + describe_exit(self.pulse, status))
        return self._failed(JobStatus.FATAL, describe_exit(self.pulse, status))

    def _failed(self, status: JobStatus, text: str) -> Outcome:
        seen = self.pulse.counters
        totals = Totals(files=seen.files, read_bytes=seen.bytes_read, errors=seen.errors + 1)
        return Outcome(status=status, totals=totals, jobid=self.jobid, text=text)
