"""The parent of a child process: starts it, gives it its task, listens to it, ends it, and says truly how it ended.

No agent code ever runs here. What the child does at the moment is read from the shared page (`StatusPage`), so that a
crash, a hang or an exit inside an agent is reported with the agent's name, the call and the entry.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from filed.errors import RemoteProtocolError
from filed.process import system
from filed.process.backtrace import Backtrace, thread_that_died
from filed.process.capture import Capture
from filed.process.channel import RECEIVE_BYTES, Event, Receiver, Sender
from filed.process.child import Ends, start
from filed.process.exit_report import describe_exit, describe_hang
from filed.process.outcome import JobStatus, Outcome, Severity, Totals
from filed.process.postmortem import write_postmortem
from filed.process.status_page import Cancel, StatusPage
from filed.process.task import Task, send_request, send_task
from filed.process.watchdog import Watchdog

TICK_S = 0.2
KILL_AFTER_S = 30.0  # an agent that ignores a cancel for so long is killed with its process
MAX_PRINTED_LINES = 1000  # of a child; an agent that prints more is chattering
PRINTED, PRINTED_S = 3, 1.0  # lines printed so shortly before a crash are repeated in its report

OnEvent = Callable[[Event], None]


class Supervisor:
    """One task in a process of its own. Use as a context manager; `run` returns its Outcome.

    silent_s: an agent's call without any sign of life for so long cancels the task.  own_silent_s: of agents, by id, that have their own.
    After a cancel the child has the task's `kill_after_s` to end, then it is killed with every process that it started.
    postmortems: the directory for what a crash leaves.  status_page: a page that others look at, too.
    calls: where the child gets sockets from (`handed_socket`).
    afterwards: what is to be done when it has died; what it says goes to the same listener.
    Raises OSError when there is no room for a process.
    """

    def __init__(
        self,
        task: Task,
        *,
        silent_s: float,
        postmortems: Path,
        own_silent_s: Mapping[str, float] | None = None,
        status_page: StatusPage | None = None,
        calls: socket.socket | None = None,
        afterwards: Callable[[OnEvent], None] = lambda _on_event: None,
    ) -> None:
        self.status_page = status_page or StatusPage()
        self.jobid = 0
        self._kill_after_s = task.kill_after_s
        self._postmortems, self._afterwards = postmortems, afterwards
        self._watchdog = Watchdog(self.status_page, silent_s, time.monotonic(), own_silent_s)
        self._receiver = Receiver()
        self._printed = 0
        self._last_printed: deque[tuple[float, str]] = deque(maxlen=PRINTED)
        self._outcome: Outcome | None = None  # the last line
        self._sealed: Outcome | None = None  # the Job is good from here on, whatever comes
        self._hang = ""  # why we cancelled it
        self._killed = ""  # why we killed it
        self._cancel_at: float | None = None
        with contextlib.ExitStack() as opened:
            self._capture = opened.enter_context(contextlib.closing(Capture()))
            self._backtrace = opened.enter_context(contextlib.closing(Backtrace()))
            self._sock, theirs = map(opened.enter_context, socket.socketpair())
            cancel_pipe, self._cancel_pipe = system.bell()
            opened.callback(system.close_bell, self._cancel_pipe)
            ends = Ends(theirs, cancel_pipe, self._capture, self._backtrace, self.status_page, calls)
            try:
                self._process = start(ends)
            finally:
                theirs.close()
                system.close_bell(cancel_pipe)
            opened.callback(self._process.close)
            self._opened = opened.pop_all()
        self.pid = self._process.pid
        with contextlib.suppress(OSError):  # it has just ended; `run` says how
            send_task(self._sock, task)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self._kill("its parent left")
        self._process.wait()
        self._cancel_pipe = -1
        self._opened.close()

    def cancel(self, why: Cancel = Cancel.ASKED) -> None:
        """Ask it to end: the cancel word, then the cancel pipe; after `kill_after_s` it is killed. Nothing happens when it has ended."""
        if self._cancel_at is None and self._cancel_pipe >= 0:
            self._cancel_at = time.monotonic()
            self.status_page.ask_cancel(why)
            with contextlib.suppress(ConnectionError):  # it has just ended by itself
                system.ring(self._cancel_pipe, b"c")

    def tell(self, event: Event) -> None:
        """Say something to the child; it reads it when it waits for it. Nothing happens when it has just ended."""
        with contextlib.suppress(OSError):
            Sender(self._sock).send(event)

    def ask(self, request: bytes) -> None:
        """Give more to do to a child that waits for it. Nothing happens when it has ended: `run` says how."""
        with contextlib.suppress(OSError):
            send_request(self._sock, request)

    def run(self, on_event: OnEvent, on_tick: Callable[[], None], wanted: Callable[[], bool] = lambda: True) -> Outcome:
        """Listen until the child has ended.

        on_event: each `started` and `message`.  on_tick: about five times a second.
        wanted: asked at each tick; when it says no, the task is canceled.
        """
        self._listen(on_event, on_tick, wanted, lambda: False)
        return self._ended(on_event)

    def run_until(self, said: str, on_event: OnEvent, wanted: Callable[[], bool]) -> Outcome | None:
        """Listen until the child has said this event, and return None; or until it has ended, as `run` does."""
        heard = False

        def listen(event: Event) -> None:
            nonlocal heard
            if event["event"] == said:
                heard = True
            else:
                on_event(event)

        if self._listen(listen, lambda: None, wanted, lambda: heard):
            return self._ended(on_event)
        return None

    def _listen(
        self, on_event: OnEvent, on_tick: Callable[[], None], wanted: Callable[[], bool], enough: Callable[[], bool]
    ) -> bool:
        """Returns whether the child has ended; else there was `enough`."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._sock, selectors.EVENT_READ)
            selector.register(self._process, selectors.EVENT_READ)
            ended = False
            while not ended and not enough():
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
        return ended

    def _ended(self, on_event: OnEvent) -> Outcome:
        """What its end says, and all that it said before."""
        code = self._process.wait()
        self._sock.setblocking(False)
        while self._receive(on_event):
            pass
        self._tell_printed(on_event, final=True)
        outcome = self._judge(code, on_event)
        if code or self._killed:
            self._afterwards(on_event)
        return outcome

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
            self._kill("job process sent an invalid message; killed")
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
        self._process.kill_tree()

    def _judge(self, code: int, on_event: OnEvent) -> Outcome:
        """The child's own words when it had some and ended well, else what the page and the kernel tell."""
        if self._outcome is not None and code == 0 and not self._killed and not self._hang:
            return self._outcome
        backtrace = self._backtrace.read()
        thread = thread_that_died(backtrace) if code < 0 else 0
        fault = self._backtrace.fault_address
        text = self._killed or self._hang or describe_exit(self.status_page, code, fault, thread)
        canceled = self._cancel_at is not None and not self._hang
        if canceled and not self._killed:
            if self._outcome is not None and code == 0:
                return self._outcome
            text = f"canceled; {text}"
        if thread not in (0, self.pid) and self.status_page.read_by(thread) is None:
            text += "; it happened on another thread than the one that makes the calls: what ran there may have begun in an earlier call"
        now = time.monotonic()
        printed = [line for when, line in self._last_printed if now - when < PRINTED_S]
        found = write_postmortem(self._postmortems, self.pid, text, printed, backtrace)
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
