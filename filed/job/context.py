"""What every kind of Job has at hand: its messages, its counters, its cancel word."""

from __future__ import annotations

import contextlib
import socket
from collections import deque
from collections.abc import Callable
from typing import Protocol

from filed.errors import JobCanceled
from filed.process.cancel_pipe import readable
from filed.process.channel import RECEIVE_BYTES, Event, Receiver, Sender
from filed.process.outcome import JobStatus, Outcome, Severity, Totals
from filed.process.status_page import Cancel, Counters, StatusPage


class Cancelable(Protocol):
    """Something that blocks and can be told from another thread to return."""

    def cancel(self) -> None: ...


class Workplace:
    """The job process' link to its parent, and the totals that both look at."""

    def __init__(
        self, sender: Sender, status_page: StatusPage, cancel_pipe: int, calls: socket.socket | None = None
    ) -> None:
        self.sender = sender
        self.calls = calls  # see process/handed_socket.py
        self.cancel_pipe = cancel_pipe  # readable, or at its end: a cancel
        self.status_page = status_page
        self.totals = Totals()
        self.expected = 0  # bytes the Job is thought to read; 0: nobody knows
        self.jobid = 0
        self.level = ""
        self.made_good: Outcome | None = None  # what the Job ends as, once it is sealed
        self._hearing, self._heard = Receiver(), deque[Event]()
        self._warned: set[str] = set()
        self._cancelables: list[Cancelable] = []
        self.at_close: list[Callable[[], None]] = []

    # -- messages -------------------------------------------------------------------------------------------------

    def message(self, severity: Severity, text: str) -> None:
        """Hand one line to the parent, and count it."""
        if severity is Severity.WARNING:
            self.totals.warnings += 1
        elif severity is Severity.ERROR:
            self.totals.errors += 1
        with contextlib.suppress(
            BrokenPipeError
        ):  # nobody is there to read it; the cancel pipe has rung, and ends the Job
            self.sender.send({"event": "message", "severity": severity.value, "text": text})

    def debug(self, text: str) -> None:
        self.message(Severity.DEBUG, text)

    def info(self, text: str) -> None:
        self.message(Severity.INFO, text)

    def warning(self, text: str) -> None:
        self.message(Severity.WARNING, text)

    def warn_once(self, text: str) -> None:
        """A warning that would be the same for each file of a Job. Nothing for an empty text."""
        if text and text not in self._warned:
            self._warned.add(text)
            self.warning(text)

    def error(self, text: str) -> None:
        self.message(Severity.ERROR, text)

    def started(self, jobid: int, level: str) -> None:
        """Tell the parent the JobId, so that it can mark the Job failed when this process dies."""
        self.jobid, self.level = jobid, level
        self.sender.send({"event": "started", "jobid": jobid, "level": level})

    def sealed(self, outcome: Outcome) -> None:
        """Tell the parent that the Job is good, whatever its agents do from here on."""
        self.made_good = outcome
        self.sender.send({**outcome.event(), "event": "sealed"})

    def hear(self) -> Event:
        """Wait for what the parent says next. Raises JobCanceled, also when the parent is gone."""
        while not self._heard:
            if self.cancel_pipe in readable(self.sender.sock.fileno(), self.cancel_pipe):
                raise JobCanceled("canceled")
            data = self.sender.sock.recv(RECEIVE_BYTES)
            if not data:
                raise JobCanceled("nobody waits for the Job any more")
            self._heard.extend(self._hearing.feed(data))
        return self._heard.popleft()

    def show_progress(self) -> None:
        """Copy the counters to the shared page, where the parent reads them."""
        totals = self.totals
        expected = self.expected
        self.status_page.count(Counters(totals.files, totals.read_bytes, totals.job_bytes, totals.errors, 0, expected))

    # -- ends -----------------------------------------------------------------------------------------------------

    def ended(self, status: JobStatus, text: str = "", volumes: tuple[str, ...] = ()) -> Outcome:
        return Outcome(status, self.totals, self.jobid, self.level, volumes, text)

    def check_canceled(self) -> None:
        """Raise JobCanceled when somebody asked for the end."""
        if self.status_page.cancel:
            raise JobCanceled("canceled")

    def on_cancel(self, target: Cancelable) -> None:
        """Register something whose `cancel` may be called from the cancel pipe's thread, once or twice."""
        self._cancelables.append(target)
        if self.status_page.cancel:
            target.cancel()  # the cancel pipe rang before it was known

    def ended_before(self, target: Cancelable) -> None:
        """It is over, before the Job is: nothing of it is kept."""
        self._cancelables.remove(target)

    def cancel(self) -> None:
        """Set the cancel word, then wake what blocks. Called on the cancel pipe's thread."""
        self.status_page.ask_cancel(Cancel.ASKED)
        for target in tuple(self._cancelables):
            target.cancel()

    def close(self) -> None:
        for action in self.at_close:
            action()
