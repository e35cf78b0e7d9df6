"""The parent of a job process: starts it, listens to it, ends it, and says truly how it ended.

No agent code ever runs here. What the job process does at the moment is read from the shared page (`StatusPage`), so that a
crash, a hang or an exit inside an agent is reported with the agent's name, the call and the entry.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Self

from filed.agents import agent_id
from filed.errors import RemoteProtocolError
from filed.job.description import JobDescription, LocalJob, OtherWork
from filed.job.process import KILL_AFTER_S, Ends, serve
from filed.process.backtrace import Backtrace
from filed.process.capture import Capture
from filed.process.channel import RECEIVE_BYTES, Event, Receiver, Sender
from filed.process.exit_report import describe_exit, describe_hang
from filed.process.outcome import JobStatus, Outcome, Severity, Totals
from filed.process.postmortem import write_postmortem
from filed.process.status_page import Cancel, StatusPage
from filed.process.watchdog import Watchdog

TICK_S = 0.2
MAX_PRINTED_LINES = 1000  # of a Job; an agent that prints more is chattering
PRINTED, PRINTED_S = 3, 1.0  # lines printed so shortly before a crash are repeated in its report

OnEvent = Callable[[Event], None]


class JobProcess:
    """One Job in a process of its own. Use as a context manager; `run` returns its Outcome.

    agent_timeout_s: an agent's call without any sign of life for so long cancels the Job.  kill_after_s: what has not ended
    so long after a cancel is killed, with every process that agents started.  status_page: a page that others look at, too.
    calls: where Storage Daemons that called come from (`job.calls`).
    """

    def __init__(
        self,
        description: JobDescription,
        *,
        agent_timeout_s: float,
        kill_after_s: float = KILL_AFTER_S,
        status_page: StatusPage | None = None,
        calls: socket.socket | None = None,
    ) -> None:
        self.status_page = status_page or StatusPage()
        self.jobid = 0
        self._kill_after_s = kill_after_s
        own = {agent_id(line.name): line.limits.timeout_s for line in description.agents.lines if line.limits.timeout_s}
        self._watchdog = Watchdog(self.status_page, agent_timeout_s, time.monotonic(), own)
        self._receiver = Receiver()
        self._capture = Capture()
        self._backtrace = Backtrace()
        self._leave_it_in = (
            description.directory if isinstance(description, LocalJob | OtherWork) else description.who.work
        )
        self._printed = 0
        self._last_printed: deque[tuple[float, str]] = deque(maxlen=PRINTED)
        self._outcome: Outcome | None = None  # the last line
        self._sealed: Outcome | None = None  # the Job is good from here on, whatever comes
        self._hang = ""  # why we cancelled it
        self._killed = ""  # why we killed it
        self._cancel_at: float | None = None
        ours, theirs = socket.socketpair()
        cancel_read, self._cancel_pipe = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            ends = Ends(theirs, cancel_read, self._capture, self._backtrace, calls)
            serve(description, ends, self.status_page, kill_after_s)  # never returns
        with contextlib.suppress(OSError):  # it does so, too; whoever comes first
            os.setpgid(self.pid, self.pid)
        theirs.close()
        os.close(cancel_read)
        self._sock = ours
        self._process = os.pidfd_open(self.pid)  # its end shows here, whoever else still holds the socket open
        self._reaped: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        if self._reaped is None:
            self._kill("its parent left")
            self._wait()
        self._sock.close()
        self._capture.close()
        self._backtrace.close()
        os.close(self._process)
        if self._cancel_pipe >= 0:
            os.close(self._cancel_pipe)
            self._cancel_pipe = -1

    def cancel(self, why: Cancel = Cancel.ASKED) -> None:
        """Ask the Job to end: the cancel word, then the cancel pipe; after `kill_after_s` it is killed."""
        if self._cancel_at is None:
            self._cancel_at = time.monotonic()
            self.status_page.ask_cancel(why)
            with contextlib.suppress(BrokenPipeError):  # it has just ended by itself
                os.write(self._cancel_pipe, b"c")

    def tell(self, event: Event) -> None:
        """Say something to the Job; it reads it when it waits for it. Nothing happens when it has just ended."""
        with contextlib.suppress(OSError):
            Sender(self._sock).send(event)

    def run(self, on_event: OnEvent, on_tick: Callable[[], None], wanted: Callable[[], bool] = lambda: True) -> Outcome:
        """Listen until the Job has ended.

        on_event: each `started` and `message`.  on_tick: about five times a second.
        wanted: asked at each tick; when it says no, the Job is cancelled.
        """
        with selectors.DefaultSelector() as selector:
            selector.register(self._sock, selectors.EVENT_READ)
            selector.register(self._process, selectors.EVENT_READ)
            ended = False
            while not ended:
                for key, _ in selector.select(TICK_S):
                    if key.fileobj is not self._sock:
                        ended = True
                    elif not self._receive(on_event):
                        selector.unregister(self._sock)  # an agent may have closed it; the process is what counts
                self._tell_printed(on_event)
                if not wanted():
                    self.cancel()
                self._watch()
                on_tick()
        status = self._wait()
        self._sock.setblocking(False)
        while self._receive(on_event):
            pass
        self._tell_printed(on_event, final=True)
        return self._judge(status, on_event)

    def _receive(self, on_event: OnEvent) -> bool:
        """Take what has come. False when nothing more will."""
        try:
            data = self._sock.recv(RECEIVE_BYTES)
        except (ConnectionResetError, BlockingIOError):
            return False
        if not data:
            return False
        try:
            for event in self._receiver.feed(data):
                if event["event"] == "outcome":
                    self._outcome = Outcome.from_event(event)
                elif event["event"] == "sealed":
                    self._sealed = Outcome.from_event(event)
                else:
                    if event["event"] == "started":
                        self.jobid = int(str(event["jobid"]))
                    on_event(event)
        except (RemoteProtocolError, ValueError, TypeError, KeyError) as broken:
            on_event(_message(Severity.ERROR, str(broken)))
            self._kill("it sent what no job process sends")
        return True

    def _tell_printed(self, on_event: OnEvent, *, final: bool = False) -> None:
        """Pass on what was printed although nobody should print."""
        for line in self._capture.lines(final=final):
            self._last_printed.append((time.monotonic(), line))
            self._printed += 1
            if self._printed <= MAX_PRINTED_LINES:
                on_event(_message(Severity.INFO, f"printed in the job process: {line}"))
            elif self._printed == MAX_PRINTED_LINES + 1:
                on_event(_message(Severity.WARNING, "an agent prints without end; no more of it is shown"))

    def _watch(self) -> None:
        """Kill what no longer answers: a cancelled Job after a while, a silent agent after its timeout."""
        now = time.monotonic()
        if self._cancel_at is not None:
            if now - self._cancel_at > self._kill_after_s:
                if not self._hang:
                    self._backtrace.ask(self.pid)
                deaf = describe_hang(self.status_page, now - self._cancel_at)
                self._kill(f"{self._hang}; then it was killed" if self._hang else f"canceled; {deaf} and was killed")
        elif self._watchdog.expired(now):
            self._hang = describe_hang(self.status_page, self._watchdog.silent_s(now))
            self._backtrace.ask(self.pid)
            self.status_page.set_reason(self._hang)  # so that the catalog will have it as the reason
            self.cancel()

    def _kill(self, why: str) -> None:
        self._killed = self._killed or why
        if self._reaped is None:
            self._kill_group()
            os.kill(self.pid, signal.SIGKILL)

    def _kill_group(self) -> None:
        """The process with the commands that agents started. Only before it is reaped: the number is its until then."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def _wait(self) -> int:
        """The wait status of the process. Nothing of its group is left."""
        if self._reaped is None:
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
            self._kill_group()
            self._reaped = os.waitpid(self.pid, 0)[1]
        return self._reaped

    def _judge(self, status: int, on_event: OnEvent) -> Outcome:
        """The Job's own words when it had some and ended well, else what the page and the kernel tell."""
        if self._outcome is not None and status == 0 and not self._killed and not self._hang:
            return self._outcome
        text = self._killed or self._hang or describe_exit(self.status_page, status)
        canceled = self._cancel_at is not None and not self._hang
        if canceled and not self._killed:
            if self._outcome is not None and status == 0:
                return self._outcome
            text = f"canceled; {text}"
        now = time.monotonic()
        printed = [line for when, line in self._last_printed if now - when < PRINTED_S]
        found = write_postmortem(self._leave_it_in, self.pid, text, printed, self._backtrace.read())
        if printed and not self._outcome:
            text += f"; its last words: {' | '.join(printed)}"
        if found:
            on_event(_message(Severity.INFO, f"where its code was is in {found}"))
        if self._sealed is not None:
            text += "; what was saved before is good"
            on_event(_message(Severity.ERROR, text))
            totals = replace(self._sealed.totals, errors=self._sealed.totals.errors + 1)
            return replace(self._sealed, status=JobStatus.WARNINGS, totals=totals, text=text)
        return self._failed(JobStatus.CANCELED if canceled else JobStatus.FATAL, text)

    def _failed(self, status: JobStatus, text: str) -> Outcome:
        seen = self.status_page.counters
        totals = Totals(files=seen.files, read_bytes=seen.bytes_read, errors=seen.errors + 1)
        return Outcome(status=status, totals=totals, jobid=self.jobid, text=text)


def _message(severity: Severity, text: str) -> Event:
    return {"event": "message", "severity": severity.value, "text": text}
