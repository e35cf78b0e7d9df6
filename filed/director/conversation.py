"""What a session and its commands share: what the Director has said so far, how it is answered, and the way to the Job's process."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from filed.catalog import Level
from filed.config.filedaemon import EVERYWHERE, Directories
from filed.director.connection import EndOfList, Item
from filed.director.daemon_api import DaemonApi, Ending, Teller
from filed.director.dot_status import NO_RESOURCE, Resource
from filed.director.line import Line
from filed.director.lists import AccurateFile
from filed.director.post import Post, ToTheDirector
from filed.director.scripts import Codes, Scripts
from filed.director.status import RunningJob
from filed.errors import ConfigError, ConnectionLost, JobError
from filed.fileset import FileSet
from filed.fileset.unserved import refuse_unserved
from filed.job.description import (
    AgentSetup,
    Changes,
    DirectorJob,
    JobDescription,
    KeyFiles,
    ListMeaning,
    OpeningJob,
    StorageDaemon,
)
from filed.process.channel import Event as JobEvent
from filed.process.outcome import JobStatus, Outcome, Severity, Totals
from filed.wire import director as said
from filed.wire.frame import HEADER, Signal
from filed.wire.reply import PREFIXES, JobMessage, MessageType, message_text
from filed.wire.restore_object import RestoreObject
from filed.wire.stream import Buffer
from filed.wire.verify import is_line
from filed.wire.version import VERSIONS

_STATUS_WORDS = {JobStatus.FATAL: "Fatal Error"}
_TYPE_WORDS = {"": "System or Console", "B": "Backup", "R": "Restore", "V": "Verify"}
log = logging.getLogger("filed")

TURN_S = 0.5  # how often a Job that waits asks whether it may begin

_TYPES = {
    Severity.INFO: MessageType.INFO,
    Severity.WARNING: MessageType.WARNING,
    Severity.ERROR: MessageType.ERROR,
    Severity.FATAL: MessageType.FATAL,
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What holds for all sessions of the daemon. platform: `host,distribution,version`.  agents: "exchange 1.4" each.

    storage: what our conf says of Storage Daemons.  directories: where a Director may reach, by its name.  post: where messages go.
    resource: of the conf, for programs.
    """

    name: str
    platform: str
    work: Path
    setup: AgentSetup
    storage: StorageDaemon
    keys: KeyFiles | None = None
    agents: tuple[str, ...] = ()
    directories: Mapping[str, Directories] = field(default_factory=dict)
    post: Post = field(default_factory=ToTheDirector)
    resource: Resource = NO_RESOURCE


@dataclass(slots=True)
class Asked:
    """What the Director has said about its Job so far."""

    job: said.JobCommand
    level: Level = Level.FULL
    level_word: str = ""  # "Full", "Base"...; "" when the Director named none
    accurate: bool = False
    rerunning: bool = False  # an incomplete Job that is resumed
    sent: int = 0  # entries that its earlier run sent
    since: int = 0
    base_job: str = ""
    fileset: FileSet | None = None
    scripts: Scripts = field(default_factory=Scripts)
    accurate_list: AccurateFile | None = None
    storage: StorageDaemon | None = None
    objects: list[RestoreObject] = field(default_factory=list)

    def forget_list(self) -> None:
        """The accurate list leaves the disk."""
        if self.accurate_list is not None:
            self.accurate_list.remove()
            self.accurate_list = None


class Conversation:
    """One Director's visit after its greeting, as its commands see it. now: epoch seconds.

    started: epoch seconds.  kind: the letter of the Job's type, "" until it is known.  failed: why the visit ended before its Job could run.
    """

    def __init__(self, line: Line, house: DaemonApi, facts: Facts, now: Callable[[], float] = time.time) -> None:
        self.line, self.house, self.facts, self.now = line, house, facts, now
        self.director, self.version = "", VERSIONS[0]  # until it has greeted
        self.asked: Asked | None = None
        self.outcome: Outcome | None = None
        self.kind = ""
        self.failed = ""
        self._for_console: list[bytes] | None = []  # what waits for the listing; None: that has begun
        self.errors_beside = 0  # programs that failed, restore objects that were damaged
        self.started = now()

    # -- what was said --------------------------------------------------------------------------------------------

    @property
    def known(self) -> Asked:
        assert self.asked is not None  # the connection lets nothing through before the JobCommand
        return self.asked

    @property
    def directories(self) -> Directories:
        """Where this Director may reach."""
        return self.facts.directories.get(self.director, EVERYWHERE)

    def items(self) -> Iterator[bytes]:
        """The packets of the list that the last command announced."""
        while not isinstance(event := self.line.next_event(), EndOfList):
            if not isinstance(event, Item):
                raise ConnectionLost(f'Director "{self.director}"', "a list", "it left")
            yield event.packet

    def packed_items(self) -> Iterator[Buffer]:
        """The same of a list without a limit, each packet behind its length and many at a time; lent until the next."""
        while not isinstance(event := self.line.next_event(), EndOfList):
            if not isinstance(event, Item):
                raise ConnectionLost(f'Director "{self.director}"', "a list", "it left")
            yield HEADER.pack(len(event.packet)) + event.packet
            if len(more := self.line.take_plain()):
                yield more

    @property
    def who(self) -> DirectorJob:
        job = self.known.job
        return DirectorJob(
            job.job_id,
            job.job,
            job.name,
            self.director,
            self.facts.name,
            self.facts.work,
            job.session_id,
            job.session_time,
        )

    @property
    def changes(self) -> Changes:
        asked = self.known
        path = asked.accurate_list.path if asked.accurate_list is not None else None
        if asked.level is not Level.FULL:
            updates = self.version.attribute_updates
            return Changes(asked.since, asked.base_job, path, sent=asked.sent, attribute_updates=updates)
        meaning = ListMeaning.SENT if asked.rerunning else ListMeaning.BASE
        return Changes(0, asked.base_job, path, meaning, asked.sent)

    @property
    def needed_fileset(self) -> FileSet:
        fileset = self.known.fileset
        if fileset is None:
            raise JobError("the Director wants a Job without having sent its FileSet")
        try:
            refuse_unserved(fileset)
        except ConfigError as error:
            raise JobError(f"the FileSet cannot be used: {error}") from error
        return fileset

    @property
    def codes(self) -> Codes:
        """What is known of the Job by now, for commands. The words are those of bacula-fd 9.6.7."""
        asked = self.known
        totals = self.outcome.totals if self.outcome is not None else Totals()
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(asked.since)) if asked.since else "*none*"
        return Codes(
            {
                "c": self.facts.name,
                "d": self.facts.name,
                "D": self.director,
                "e": self._status_words,
                "E": str(totals.errors),
                "F": str(totals.files),
                "b": str(self.job_bytes(totals)),
                "R": str(totals.read_bytes),
                "i": str(asked.job.job_id),
                "j": asked.job.job,
                "l": asked.level_word,
                "n": asked.job.name,
                "P": str(os.getpid()),
                "S": asked.base_job,
                "s": since,
                "t": _TYPE_WORDS[self.kind],
                "v": "",  # a Storage Daemon keeps that to itself
            }
        )

    @property
    def _status_words(self) -> str:
        outcome = self.outcome
        if outcome is None:
            return "Created"
        if outcome.status.good:
            return "OK -- with warnings" if outcome.totals.errors + self.errors_beside else "OK"
        return _STATUS_WORDS.get(outcome.status, outcome.status.words)

    # -- what is answered -----------------------------------------------------------------------------------------

    def answer(self, *packets: bytes | Signal, goes_on: bool = True) -> bool:
        """Send them; returns whether the visit goes on, as each command does."""
        self.line.send(*packets)
        return goes_on

    def text(self, lines: Iterator[str]) -> bool:
        return self.answer(*(line.encode("utf-8", "surrogateescape") for line in lines), Signal.EOD)

    def info(self, text: str) -> None:
        self.say(MessageType.INFO, text)

    def say(self, kind: MessageType, text: str) -> None:
        """A line for the Job's report, and for whom else the conf has it go to."""
        job_id = self.asked.job.job_id if self.asked is not None else 0
        if self.asked is not None and not job_id:
            self._tell_console(kind, text)
            return
        text = message_text(self.facts.name, job_id, kind, text)
        if self.asked is not None:
            self.facts.post.deliver(kind, text, self.codes)
        if self.facts.post.goes_to(self.director, kind):
            self.line.send(JobMessage(job_id, kind, int(self.now()), text).format(self.version))

    def _tell_console(self, kind: MessageType, text: str) -> None:
        """A question has no Job's report; its Director shows each packet of a listing as it is. As bacula-fd: what is no trouble is not said.

        Ahead of the listing its Director takes any packet for the answer to its command.
        """
        if prefix := PREFIXES.get(kind):
            line = f"{prefix}{text}\n".encode("utf-8", "surrogateescape")
            if self._for_console is None:
                self.line.send(line)
            else:
                self._for_console.append(line)

    def begin_listing(self) -> None:
        """From here on its Director shows a console what comes."""
        waiting, self._for_console = self._for_console, None
        self.line.send(*(waiting or ()))

    def refuse(self, why: str, bad: bytes) -> bool:
        """The Job cannot be done: its report says why, and the visit ends."""
        self.fail(why)
        return self.answer(bad, goes_on=False)

    def fail(self, why: str) -> None:
        self.outcome = Outcome(JobStatus.FATAL, Totals(errors=1), text=why)
        self.say(MessageType.FATAL, why)

    def note(self, **changes: str) -> None:
        """Tell the daemon what this visit is about. type: the letter of the Job's type."""
        asked = self.known
        self.kind = changes.get("type", self.kind)
        level = asked.level.value if self.kind else ""
        job, cipher = asked.job, self.line.cipher
        self.house.note(RunningJob(job.job_id, job.job, self.director, self.started, level, self.kind, cipher=cipher))

    def wait_for_its_turn(self) -> None:
        """While as many Jobs run as may; the Director waits for its answer. Raises JobCanceled, ConnectionLost when it left."""
        while not self.house.may_begin():
            if not self.line.still_there():
                raise ConnectionLost(f'Director "{self.director}"', "the wait for other Jobs to end", "it left")
            self.line.pause(TURN_S)

    def job_bytes(self, totals: Totals) -> int:
        """What counts as the size of the Job: of a backup what was sent."""
        return totals.job_bytes if self.kind == "B" else totals.read_bytes

    # -- the Job --------------------------------------------------------------------------------------------------

    def do(self, job: JobDescription, on_round: Callable[[Teller], None] | None = None) -> None:
        """Have a Job run, and tell why it is not good. on_round: called after each round of a restore."""

        def wanted() -> bool:
            self.line.beat()
            return self.wanted()

        self.outcome = outcome = self._as_asked(self._run(job, on_round, wanted))
        if not outcome.status.good and outcome.text:
            kind = MessageType.INFO if outcome.status is JobStatus.CANCELED else MessageType.FATAL
            if outcome.status is JobStatus.ERROR:
                kind = MessageType.ERROR
            stopped = outcome.status is JobStatus.CANCELED and self.house.ending is Ending.STOP
            self.say(kind, f"stopped, and can be restarted ({outcome.text})" if stopped else outcome.text)

    def _as_asked(self, outcome: Outcome) -> Outcome:
        """A Director that cancels or stops a Job tells the Storage Daemon as well, which may hang up before we have heard of it."""
        if outcome.status is JobStatus.FATAL and self.house.ending in (Ending.CANCEL, Ending.STOP):
            return replace(outcome, status=JobStatus.CANCELED, text=f"canceled; {outcome.text}")
        return outcome

    def call_storage(self, storage: StorageDaemon) -> Outcome | None:
        """Before the Director is answered, as bacula-fd does it: both wait for that. None when it was called; else why not."""
        opening = OpeningJob(self.who, self.facts.setup, storage)
        return self.house.call_storage(opening, lambda event, _teller: self._pass_on(event), self.wanted)

    def run(self, job: JobDescription) -> Outcome:
        """Have a Job run that is only a question."""
        return self._run(job, None, self.wanted)

    def _run(
        self, job: JobDescription, on_round: Callable[[Teller], None] | None, wanted: Callable[[], bool]
    ) -> Outcome:
        def on_event(event: JobEvent, teller: Teller) -> None:
            if event["event"] == "round" and on_round is not None:
                on_round(teller)
            else:
                self._pass_on(event)

        return self.house.run(job, on_event, wanted)

    def wanted(self) -> bool:
        """Whether somebody still wants the Job."""
        return self.line.still_there() and self.house.ending is Ending.NO

    def _pass_on(self, event: JobEvent) -> None:
        if event["event"] == "message":
            kind = _TYPES.get(Severity(str(event["severity"])))
            if kind is not None:
                self.say(kind, str(event["text"]))
            else:  # debug: every entry of a cause of which the Director gets the number
                log.debug("%s", event["text"])
        elif event["event"] == "listing":
            self.line.send(*(line + b"\n" for line in _lines(event)))
        elif event["event"] == "verify lines":
            self.line.send(*filter(is_line, _lines(event)))


def _lines(event: JobEvent) -> Iterator[bytes]:
    """What a job process wants told, which is not to be trusted."""
    lines = event["lines"]
    return (str(line).encode("utf-8", "surrogateescape") for line in lines) if isinstance(lines, list) else iter(())
