"""What every kind of Job has at hand: its messages, its counters, its cancellation, and the link to its parent process."""

from __future__ import annotations

import contextlib
import re
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, Self

from filed.errors import FiledError, JobCanceled, KeysError, StreamError
from filed.process import status_page as page
from filed.process.channel import RECEIVE_BYTES, Event, Receiver, Sender
from filed.process.outcome import JobStatus, Outcome, Severity, Totals
from filed.process.status_page import Cancel, StatusPage
from filed.process.system import readable
from filed.process.task import receive_request
from filed.transport import Connection

NAMED_OF_A_CAUSE: Final = 3
"""Entries: enough to see what is wrong, few enough for a tree of a million."""
MAX_CAUSES: Final = 1000

_NUMBER: Final = re.compile(r"[0-9][0-9,]*")
_RECORD: Final = re.compile(r" \(stream [0-9]+, FileIndex [0-9]+\)$")


def cause_of(text: str) -> str:
    """What messages have in common that say the same of one entry each: their last clause, behind names and calls."""
    return _RECORD.sub("", text).rpartition(": ")[2]


class Messages:
    """What the Job tells a person: each line goes to the parent, warnings and errors are counted.

    Of what befalls one entry after the other for one cause (a target that is read-only, the wrong keys), the first are named, and the
    rest are counted: each is a debug message, and `counted` says how many they were.

    send: to the parent.  totals: where they are counted.
    """

    def __init__(self, send: Callable[[Event], None], totals: Totals) -> None:
        self._send, self._totals = send, totals
        self._warned: set[str] = set()
        self._causes: dict[tuple[Severity, str], _Cause] = {}

    def message(self, severity: Severity, text: str) -> None:
        self._count(severity)
        self._tell(severity, text)

    def _count(self, severity: Severity) -> None:
        if severity is Severity.WARNING:
            self._totals.warnings += 1
        elif severity is Severity.ERROR:
            self._totals.errors += 1

    def _tell(self, severity: Severity, text: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # the parent is gone; the cancel pipe ends the Job
            self._send({"event": "message", "severity": severity.value, "text": text})

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

    def about_entry(self, severity: Severity, text: str) -> None:
        """A message about one entry, which others may share."""
        if severity not in (Severity.WARNING, Severity.ERROR):
            self.message(severity, text)
            return
        words = cause_of(text)
        key = (severity, _NUMBER.sub("N", words))
        cause = self._causes.get(key)
        if cause is None:
            if len(self._causes) == MAX_CAUSES:
                self.message(severity, text)
                return
            cause = self._causes[key] = _Cause(words)
        cause.count += 1
        self._count(severity)
        self._tell(severity if cause.count <= NAMED_OF_A_CAUSE else Severity.DEBUG, text)

    def entry_error(self, error: FiledError, text: str) -> None:
        """An error of one entry, in a whole sentence. What is damaged is always named: nobody can guess which others are."""
        if isinstance(error, StreamError) and not isinstance(error, KeysError):
            self.error(text)
        else:
            self.about_entry(Severity.ERROR, text)

    def counted(self) -> None:
        """The end: how many entries more each cause had than were named."""
        for (severity, _), cause in self._causes.items():
            if (more := cause.count - NAMED_OF_A_CAUSE) > 0:
                self._tell(severity, f"{more:,} more of the same kind: {cause.words}")
        self._causes.clear()


@dataclass(slots=True)
class _Cause:
    """words: of its first message."""

    words: str
    count: int = 0


class Counters:
    """The only place where the Job's totals change, but for its messages; `show` copies them to the status page.

    expected_bytes: what the Job will probably read; 0 when nobody knows.
    """

    def __init__(self, status_page: StatusPage) -> None:
        self.totals = Totals()
        self.expected_bytes = 0
        self._told: list[tuple[int, int]] = []  # by each agent: entries and bytes that it expects
        self._status_page = status_page

    def files(self, count: int = 1) -> None:
        """So many more were sent, restored or verified."""
        self.totals.files += count

    def read(self, size: int) -> None:
        """So many more plain bytes."""
        self.totals.read_bytes += size

    def encoded(self, size: int) -> None:
        """So many more bytes of file data, as they are sent."""
        self.totals.job_bytes += size

    def stored(self, size: int) -> None:
        """So many more bytes of Volumes."""
        self.totals.stored_bytes += size

    def deleted(self, count: int = 1) -> None:
        self.totals.deleted += count

    def skipped(self, count: int = 1) -> None:
        self.totals.skipped += count

    def failed(self) -> None:
        """One entry more whose message is out already."""
        self.totals.errors += 1

    def sent_lines(self, size: int, compressed: int) -> None:
        """What was sent to a Storage Daemon, before and after the compression of its lines."""
        self.totals.comm_bytes += size
        self.totals.compressed_comm_bytes += compressed

    def expecting(self) -> Callable[[int, int], None]:
        """To be told how many entries and bytes one agent expects; its last word counts."""
        number = len(self._told)
        self._told.append((0, 0))

        def expect(entries: int, size: int) -> None:
            self._told[number] = entries, size

        return expect

    def show(self) -> None:
        now, files, size = self.totals, sum(one for one, _ in self._told), sum(one for _, one in self._told)
        self._status_page.count(
            page.Counters(now.files, now.read_bytes, now.job_bytes, now.errors, files, max(size, self.expected_bytes))
        )


class Cancelable(Protocol):
    """Something that blocks and can be told from another thread to return."""

    def cancel(self) -> None: ...


class Cancellation:
    """Whether somebody asked for the Job's end, and what has to be woken then. pipe: readable, or at its end: a cancel."""

    def __init__(self, status_page: StatusPage, pipe: int) -> None:
        self.pipe = pipe
        self._status_page = status_page
        self._cancelables: list[Cancelable] = []

    def check(self) -> None:
        """Raise JobCanceled when somebody asked for the end."""
        if self._status_page.cancel:
            raise JobCanceled("canceled")

    @property
    def asked(self) -> bool:
        """Whether a person, or the Director, asked for the end: whatever fails from then on fails because of it."""
        return self._status_page.cancel in (Cancel.ASKED, Cancel.BY_DIRECTOR) and not self.reason

    @property
    def by_director(self) -> bool:
        """The Director cancels its Storage Daemon as well."""
        return self._status_page.cancel == Cancel.BY_DIRECTOR

    @property
    def reason(self) -> str:
        """Why our parent asked for the end: what an agent did; "" when a person or the Director did."""
        return self._status_page.backtrace

    def on_cancel(self, target: Cancelable) -> None:
        """Register something whose `cancel` may be called from the cancel pipe's thread, once or twice."""
        self._cancelables.append(target)
        if self._status_page.cancel:
            target.cancel()  # the cancel came before the target was known

    def ended_before(self, target: Cancelable) -> None:
        """The target ended before the Job does: it is forgotten."""
        self._cancelables.remove(target)

    def cancel(self) -> None:
        """Set the cancel word, then wake what blocks. Called on the cancel pipe's thread."""
        self._status_page.ask_cancel(Cancel.ASKED)
        for target in tuple(self._cancelables):
            target.cancel()


class Parent:
    """The Job's link to its parent process.

    calls: where sockets of Storage Daemons that called us come from, see process/handed_socket.py.
    """

    def __init__(self, sender: Sender, cancel_pipe: int, calls: socket.socket | None = None) -> None:
        self.send = sender.send
        self.calls = calls
        self.jobid = 0
        self.level = ""
        self.committed: Outcome | None = None  # what the Job ends as, whatever its agents do from here on
        self._sender, self._cancel_pipe = sender, cancel_pipe
        self._receiver, self._received = Receiver(), deque[Event]()

    def started(self, jobid: int, level: str) -> None:
        """Tell the parent the JobId, so that it can mark the Job failed when this process dies."""
        self.jobid, self.level = jobid, level
        self.send({"event": "started", "jobid": jobid, "level": level})

    def commit(self, outcome: Outcome) -> None:
        """Tell the parent that the Job is good, whatever its agents do from here on."""
        self.committed = outcome
        self.send({**outcome.event(), "event": "sealed"})

    def next_request(self) -> bytes:
        """Wait for what the Job is, where its process began before that was known. Raises JobCanceled, RemoteProtocolError."""
        if self._cancel_pipe in readable(self._sender.sock.fileno(), self._cancel_pipe):
            raise JobCanceled("canceled")
        return receive_request(self._sender.sock)

    def receive(self) -> Event:
        """Wait for the parent's next event. Raises JobCanceled, also when the parent is gone."""
        sock = self._sender.sock
        while not self._received:
            if self._cancel_pipe in readable(sock.fileno(), self._cancel_pipe):
                raise JobCanceled("canceled")
            data = sock.recv(RECEIVE_BYTES)
            if not data:
                raise JobCanceled("nobody waits for the Job any more")
            self._received.extend(self._receiver.feed(data))
        return self._received.popleft()


@dataclass(frozen=True, slots=True)
class JobContext:
    """All of it, for the story of a Job, which gives each function only what that uses.

    storage: to a Storage Daemon that was called before it was known what the Job is.
    """

    status_page: StatusPage
    messages: Messages
    counters: Counters
    cancellation: Cancellation
    parent: Parent
    storage: Connection | None = None

    @classmethod
    def of(cls, sender: Sender, status_page: StatusPage, cancel_pipe: int, calls: socket.socket | None = None) -> Self:
        """calls: see Parent."""
        counters = Counters(status_page)
        return cls(
            status_page,
            Messages(sender.send, counters.totals),
            counters,
            Cancellation(status_page, cancel_pipe),
            Parent(sender, cancel_pipe, calls),
        )

    def ended(self, status: JobStatus, text: str = "", volumes: tuple[str, ...] = ()) -> Outcome:
        return Outcome(status, self.counters.totals, self.parent.jobid, self.parent.level, volumes, text)
