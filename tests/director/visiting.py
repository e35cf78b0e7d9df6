"""A session on a socket pair, in a house that only notes what it is asked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from filed.config.filedaemon import EVERYWHERE, Directories
from filed.director.connection import DirectorConnection
from filed.director.conversation import Facts
from filed.director.daemon_api import Ending, Teller
from filed.director.line import Line
from filed.director.post import Post, ToTheDirector
from filed.director.session import Session
from filed.director.status import DaemonStatus, EndedJob, RunningJob
from filed.job.description import JobDescription, OpeningJob
from filed.job.setup import default_setup
from filed.process.channel import Event
from filed.process.outcome import JobStatus, Outcome, Totals
from filed.transport import Connection
from filed.wire import reply
from filed.wire.frame import Signal
from tests.director.dialogue import Dialogue
from tests.director.talk import DIRECTOR
from tests.job.network import storage_at

FILESET = (b"fileset\n", b"I\n", b"O M\n", b"N\n", b"F /a", b"N\n", b"N\n", Signal.EOD)
STORAGE = b"storage address=192.0.2.5 port=9103 ssl=0\n"
GOOD = Outcome(JobStatus.OK, Totals(files=3, read_bytes=10, job_bytes=5, deleted=1))
OnEvent = Callable[[Event, Teller], None]
Working = Callable[[JobDescription, OnEvent, Callable[[], bool]], Outcome]


class Told:
    """What a session told the Job."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def tell(self, event: Event) -> None:
        self.events.append(event)


class NotingHouse:
    """A House. work: what a Job does."""

    def __init__(self, work: Working) -> None:
        self._work = work
        self.jobs: list[JobDescription] = []
        self.noted: list[RunningJob] = []
        self.over: list[EndedJob] = []
        self.asked: list[object] = []
        self.called: list[object] = []  # Storage Daemons, and "leave"
        self.unreachable: Outcome | None = None
        self.ending = Ending.NO
        self.greetings = 0
        self.programs: list[int] = []  # process groups, and 0 for each end
        self.turns = 0  # how often a Job has to ask for its turn

    def greeted(self) -> None:
        self.greetings += 1

    def may_begin(self) -> bool:
        self.turns -= 1
        return self.turns <= 0

    def note(self, job: RunningJob) -> None:
        self.noted.append(job)

    def ended(self, job: EndedJob) -> None:
        self.over.append(job)

    def runs(self, group: int) -> None:
        self.programs.append(group)

    def status(self) -> DaemonStatus:
        return DaemonStatus("a-fd", 0, 1, "h,d,1", running=tuple(self.noted[-1:]), ended=tuple(self.over))

    def cancel(self, job: str, *, stop: bool) -> bool:
        self.asked.append((job, stop))
        return job != "nobody"

    def set_bandwidth(self, bytes_per_second: int, job: str) -> bool:
        self.asked.append((bytes_per_second, job))
        return job != "nobody"

    def expect_storage(self, key: str, protocol: int) -> None:
        self.asked.append((key, protocol))

    def call_storage(self, opening: OpeningJob, _on_event: OnEvent, _wanted: Callable[[], bool]) -> Outcome | None:
        self.called.append((opening.who.job, opening.storage.key))
        return self.unreachable

    def leave_storage(self) -> None:
        self.called.append("leave")

    def set_debug(self, level: int, trace: int) -> int:
        self.asked.append((level, trace))
        return max(trace, 0)

    def run(
        self, description: JobDescription, on_event: Callable[[Event, Teller], None], wanted: Callable[[], bool]
    ) -> Outcome:
        self.jobs.append(description)
        return self._work(description, on_event, wanted)


class Visiting(Dialogue):
    """The Director's end; the session runs in a thread."""

    def __init__(  # noqa: PLR0917  what a conf and a Director may bring
        self,
        work_directory: Path,
        work: Working = lambda _job, _on_event, _wanted: GOOD,
        post: Post = ToTheDirector(),  # noqa: B008  it keeps nothing
        number: int = 103,
        directories: Directories = EVERYWHERE,
        disabled: tuple[str, ...] = (),
    ) -> None:
        near, far = socket.socketpair()
        super().__init__(near, number=number)
        self.house = NotingHouse(work)
        core = DirectorConnection("a-fd", {DIRECTOR.name: DIRECTOR}, 4711, 1795428868, {DIRECTOR.name: disabled})
        line = Line(Connection(far, "a Director"), core, lambda _connection, _begins: None, lambda: False)
        facts = Facts(
            "a-fd",
            "h,d,1",
            work_directory,
            default_setup(),
            storage_at(1),
            directories={DIRECTOR.name: directories},
            post=post,
        )
        self._thread = threading.Thread(target=self._serve, args=(Session(line, self.house, facts), line), daemon=True)
        self.error: Exception | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return super().__enter__()

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        super().__exit__(kind, value, tb)
        self._thread.join(20)
        assert not self._thread.is_alive()

    def _serve(self, session: Session, line: Line) -> None:
        try:
            session.serve()
        except Exception as error:
            self.error = error
        finally:
            line.close(politely=False)


def prepared(talk: Visiting, level: bytes = b"full") -> None:
    """The Director has said everything that a backup needs."""
    talk.name(7)
    talk.say(b"level = %b  mtime_only=0 \n" % level)
    assert talk.text() == reply.OK_LEVEL
    talk.say(*FILESET)
    assert talk.text() == reply.OK_FILESET
    talk.say(STORAGE)
    assert talk.text() == reply.OK_STORAGE
