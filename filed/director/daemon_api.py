"""What a session asks of the daemon around it. The daemon keeps the Jobs; a session knows only its own."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from filed.director.status import DaemonStatus, EndedJob, RunningJob
from filed.job.description import JobDescription, OpeningJob
from filed.process.channel import Event
from filed.process.outcome import Outcome


class Ending(StrEnum):
    """Why a session is to end before its time."""

    NO = ""
    CANCEL = "c"
    STOP = "s"  # the Job ends incomplete
    DAEMON = "d"  # the daemon ends


class Teller(Protocol):
    """Says something to the Job in its process."""

    def tell(self, event: Event) -> None: ...


class DaemonApi(Protocol):
    """The daemon, as one session sees it."""

    def greeted(self) -> None:
        """The Director of this session has proved who it is."""

    def may_begin(self) -> bool:
        """Whether this session's Job may begin, now that it was noted. To be asked again until it may."""

    def note(self, job: RunningJob) -> None:
        """What this session is about, as far as it is known; for status and cancel."""

    def ended(self, job: EndedJob) -> None:
        """A Job of this session has ended."""

    def runs(self, group: int) -> None:
        """A program of this session's Job has begun, in a process group of its own; 0: it has ended."""

    def status(self) -> DaemonStatus: ...

    def cancel(self, job: str, *, stop: bool) -> bool:
        """Ask a Job, by its unique name, to end. False when it does not run."""

    def set_bandwidth(self, bytes_per_second: int, job: str) -> bool:
        """Limit a Job, or with "" all that run and all that begin. False when that Job does not run."""

    def expect_storage(self, key: str, protocol: int) -> None:
        """A Storage Daemon that knows this key will call for this session's Job. Each time it is told: one call.

        protocol: the number of the version that is spoken with it.
        """

    def call_storage(
        self, opening: OpeningJob, on_event: Callable[[Event, Teller], None], wanted: Callable[[], bool]
    ) -> Outcome | None:
        """Have a process call the Storage Daemon, for the next Job that uses it. None: it has; else why it could not."""

    def leave_storage(self) -> None:
        """No Job will use the Storage Daemon that was called. Nothing happens when none was."""

    def set_debug(self, level: int, trace: int) -> int:
        """Below 0: as it is. Returns the trace that holds now."""

    @property
    def ending(self) -> Ending:
        """Whether this session was asked to end. Stays once it is set."""

    def run(
        self, description: JobDescription, on_event: Callable[[Event, Teller], None], wanted: Callable[[], bool]
    ) -> Outcome:
        """A Job in a process of its own, to its end. wanted: asked often; a no cancels it."""
