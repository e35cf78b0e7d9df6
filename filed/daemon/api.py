"""The daemon as the process of one client sees it, and how the two talk: a `director.daemon_api.DaemonApi`.

They share three descriptors and a page:

    channel      SOCK_SEQPACKET, one JSON object a message: we ask, the daemon answers what has an answer (`send_answer`)
    cancel_pipe  a byte in it (an Ending), or its end, says that this process is to end
    calls        SOCK_SEQPACKET; what the daemon hands to the Job (`process.handed_socket`)
    status_page  the page of the Job, which the daemon reads for a status, and writes a bandwidth to
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any, NamedTuple

from filed.daemon.log import bind
from filed.director.daemon_api import Ending, Teller
from filed.director.status import DaemonStatus, EndedJob, RunningJob
from filed.errors import ConnectionLost, JobError
from filed.job.description import JobDescription, OpeningJob, uses_storage
from filed.job.process import STORAGE_CALLED, dismiss, give, start_job
from filed.process.channel import Event
from filed.process.outcome import JobStatus, Outcome
from filed.process.status_page import Cancel, StatusPage
from filed.process.supervisor import Supervisor
from filed.process.system import memory_file, readable
from filed.wire.auth import TlsNeed

MAX_MESSAGE = 1 << 18  # bytes of one message on the channel

log = logging.getLogger("filed")


class Expected(NamedTuple):
    """Of a Storage Daemon's call for a Job. known: the Job is here. key: "" while nobody is to call. protocol: its number."""

    known: bool
    key: str = ""
    protocol: int = 0


class Daemon:
    """See the module."""

    def __init__(
        self,
        channel: socket.socket,
        cancel_pipe: int,
        calls: socket.socket,
        status_page: StatusPage,
    ) -> None:
        self.cancel_pipe = cancel_pipe
        self._channel, self._calls, self._status_page = channel, calls, status_page
        self._ending = Ending.NO
        self._begun = False
        self._opened: Supervisor | None = None  # has called a Storage Daemon, for a Job that is to come

    def note(self, job: RunningJob) -> None:
        bind(director=job.director)
        if job.job_id:
            bind(job_id=job.job_id, job=job.job)
        if job.type and not self._begun:
            self._begun = True
            log.info("the Job begins", extra={"job_type": job.type, "job_level": job.level})
        self._send(ask="note", job=asdict(job))

    def ended(self, job: EndedJob) -> None:
        good = JobStatus(job.status).good
        facts = {"status": job.status, "files": job.files, "bytes": job.job_bytes, "errors": job.errors}
        log.log(
            logging.INFO if good else logging.ERROR,
            "the Job has ended",
            extra=facts | ({} if good else {"why": job.text}),
        )
        self._send(ask="ended", job=asdict(job))

    def runs(self, group: int) -> None:
        self._send(ask="runs", group=group)

    def greeted(self) -> None:
        self._send(ask="greeted")

    def may_begin(self) -> bool:
        return bool(self._ask(ask="begin")["may"])

    def status(self) -> DaemonStatus:
        return DaemonStatus.from_dict(self._ask(ask="status"))

    def metrics(self) -> tuple[DaemonStatus, list[list[Any]]]:
        """The status, and what has ended, as `metrics.Tallies.rows`."""
        answer = self._ask(ask="metrics")
        return DaemonStatus.from_dict(answer["status"]), answer["tallies"]

    def cancel(self, job: str, *, stop: bool) -> bool:
        return bool(self._ask(ask="cancel", job=job, stop=stop)["found"])

    def set_bandwidth(self, bytes_per_second: int, job: str) -> bool:
        return bool(self._ask(ask="bandwidth", limit=bytes_per_second, job=job)["found"])

    def expect_storage(self, key: str, protocol: int) -> None:
        self._send(ask="expect storage", key=key, protocol=protocol)

    def expected_storage(self, job: str) -> Expected:
        """What a Storage Daemon that calls for that Job has to know."""
        return Expected(**self._ask(ask="expected storage", job=job))

    def hand_storage(self, job: str, descriptor: int, tls: TlsNeed | None, caller: str) -> None:
        """To the Job that expects it: the socket of a Storage Daemon that has proved that it knows the key.

        tls: what it wants of it; None where it has not been asked for its proof yet.
        """
        self._send(descriptor, ask="hand storage", job=job, tls=tls, caller=caller)

    def set_debug(self, level: int, trace: int) -> int:
        return int(self._ask(ask="debug", level=level, trace=trace)["trace"])

    @property
    def ending(self) -> Ending:
        while readable(self.cancel_pipe, timeout_s=0):
            word = os.read(self.cancel_pipe, 1).decode("ascii", "replace")
            if (
                self._ending is Ending.NO
            ):  # the first reason counts, but each byte is taken: the cancel pipe must fall silent
                self._ending = Ending(word) if word in set(Ending) and word else Ending.DAEMON
            if not word:
                self._silence()
        return self._ending

    def _silence(self) -> None:
        """The daemon is gone, and its end of the cancel pipe is readable for ever: put another in its place."""
        silent, self._kept = os.pipe()
        os.dup2(silent, self.cancel_pipe, inheritable=False)
        os.close(silent)

    def run(
        self, description: JobDescription, on_event: Callable[[Event, Teller], None], wanted: Callable[[], bool]
    ) -> Outcome:
        if uses_storage(description) and self._opened is not None:
            process, self._opened = self._opened, None
            give(process, description)
        else:
            process = self._start(description)
        with process:
            return process.run(
                lambda event: on_event(event, process), lambda: None, lambda: self._still_wanted(process, wanted)
            )

    def call_storage(
        self, opening: OpeningJob, on_event: Callable[[Event, Teller], None], wanted: Callable[[], bool]
    ) -> Outcome | None:
        self.leave_storage()
        self._opened = process = self._start(opening)
        outcome = process.run_until(
            STORAGE_CALLED, lambda event: on_event(event, process), lambda: self._still_wanted(process, wanted)
        )
        if outcome is not None:
            self._drop(process)
        return outcome

    def leave_storage(self) -> None:
        if self._opened is not None:
            process = self._opened
            dismiss(process)
            process.run(lambda _event: None, lambda: None)
            self._drop(process)

    def _drop(self, process: Supervisor) -> None:
        self._opened = None
        with process:
            pass

    def _start(self, description: JobDescription) -> Supervisor:
        try:
            return start_job(description, status_page=self._status_page, calls=self._calls)
        except OSError as error:
            text = f"the Job gets no process: {error.strerror}; look at the memory, and at the daemon's limits of processes and files"
            raise JobError(text) from error

    def _still_wanted(self, process: Supervisor, wanted: Callable[[], bool]) -> bool:
        if self.ending is Ending.CANCEL:
            process.cancel(Cancel.BY_DIRECTOR)
        return wanted()

    def _send(self, *descriptors: int, **message: object) -> None:
        try:
            socket.send_fds(self._channel, [json.dumps(message).encode()], descriptors)
        except OSError as error:
            raise ConnectionLost("the daemon", "a question to it", error.strerror or "gone") from error

    def _ask(self, **message: object) -> dict[str, Any]:
        self._send(**message)
        answer = receive_answer(self._channel)
        if not answer:
            raise ConnectionLost("the daemon", "a question to it", "it is gone")
        return answer


@contextlib.contextmanager
def question_on(channel: socket.socket) -> Iterator[tuple[bytes, int]]:
    """A question, b"" when the process is gone, and the descriptor that came with it, -1 for none. Raises OSError."""
    data, descriptors, _, _ = socket.recv_fds(channel, MAX_MESSAGE, 1)
    try:
        yield data, descriptors[0] if descriptors else -1
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def send_answer(channel: socket.socket, answer: dict[str, Any]) -> None:
    """In a file in memory: a status of many Jobs is longer than any message may be. Raises OSError."""
    with os.fdopen(memory_file("answer"), "wb") as file:
        file.write(json.dumps(answer).encode())
        file.flush()
        socket.send_fds(channel, [b"a"], [file.fileno()])


def receive_answer(channel: socket.socket) -> dict[str, Any]:
    """Empty when the daemon is gone, or had no room for one."""
    try:
        _, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
    except OSError:
        return {}
    if not descriptors:
        return {}
    with os.fdopen(descriptors[0], "rb") as file:
        file.seek(0)
        answer: dict[str, Any] = json.load(file)
        return answer
