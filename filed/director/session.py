"""One Director's visit, told in order: it greets, names a Job, says what the Job needs, has it run, and is told how it ended.

A visit is one Job, or one question of a console. Answers are exact; what each command means to a Job is gathered in `Asked`.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from filed.catalog import Level
from filed.director.connection import ClockSample, EndOfList, Greeted, Item, Left, Refused
from filed.director.house import Ending, House, Teller
from filed.director.line import Line
from filed.director.lists import AccurateFile
from filed.director.scripts import Codes, Scripts, run_script
from filed.director.status import (
    HEADER,
    RUNNING,
    TERMINATED,
    EndedJob,
    RunningJob,
    dot_status_text,
    job_lines,
    status_text,
)
from filed.errors import ConnectionLost, JobCanceled, JobError, RemoteProtocolError
from filed.fileset import FileSet
from filed.fileset.parse import parse_lines
from filed.job.channel import Event as JobEvent
from filed.job.description import (
    AgentSetup,
    Changes,
    DirectorJob,
    EstimateJob,
    JobDescription,
    KeyFiles,
    NetworkBackup,
    NetworkRestore,
    Replace,
    StorageDaemon,
)
from filed.job.outcome import JobStatus, Outcome, Severity, Totals
from filed.wire import director as said
from filed.wire import reply
from filed.wire.frame import Signal
from filed.wire.reply import EndJob, JobMessage, MessageType, Version, message_text
from filed.wire.restore_object import MAX_OBJECT_BYTES, RestoreObject

CLOCK_SAMPLES = 3  # polls of the Director's clock
CLOCK_INFO_S, CLOCK_WARNING_S = 3, 600  # differences that are told
STATUS_PIECE = 30_000  # bytes of text in one packet

_TYPES = {
    Severity.INFO: MessageType.INFO,
    Severity.WARNING: MessageType.WARNING,
    Severity.ERROR: MessageType.ERROR,
    Severity.FATAL: MessageType.FATAL,
}
_REPLACES = {"a": Replace.ALWAYS, "w": Replace.IFNEWER, "o": Replace.IFOLDER, "n": Replace.NEVER}
_LEVELS = {"full": Level.FULL, "differential": Level.DIFFERENTIAL, "incremental": Level.INCREMENTAL}


@dataclass(frozen=True, slots=True)
class Facts:
    """What holds for all sessions of the daemon. platform: `host,distribution,version`.  agents: "exchange 1.4" each.

    storage: what our conf says of Storage Daemons.  wanted: which types of messages go to a Director of that name.
    """

    name: str
    version: Version
    platform: str
    work: Path
    setup: AgentSetup
    storage: StorageDaemon
    keys: KeyFiles | None = None
    agents: tuple[str, ...] = ()
    wanted: Callable[[str, MessageType], bool] = lambda _director, _kind: True


@dataclass(slots=True)
class Asked:
    """What the Director has said about its Job so far."""

    job: said.JobCommand
    level: Level = Level.FULL
    accurate: bool = False
    since: int = 0
    base_job: str = ""
    fileset: FileSet | None = None
    scripts: Scripts = field(default_factory=Scripts)
    accurate_list: AccurateFile | None = None
    storage: StorageDaemon | None = None
    objects: list[RestoreObject] = field(default_factory=list)


class Session:
    """See the module. now: epoch seconds."""

    def __init__(self, line: Line, house: House, facts: Facts, now: Callable[[], float] = time.time) -> None:
        self._line, self._house, self._facts, self._now = line, house, facts, now
        self._director = ""
        self._asked: Asked | None = None
        self._outcome: Outcome | None = None
        self._started = now()
        self._kind = ""
        self._failed = ""  # why the visit ended before its Job could run
        self._commands: dict[type, Callable[[Any], bool]] = {
            said.JobCommand: self._job,
            said.LevelCommand: self._level,
            said.SinceCommand: self._since,
            said.FileSetCommand: self._fileset,
            said.AccurateCommand: self._accurate,
            said.RunScriptCommand: self._run_script,
            said.RunBeforeNowCommand: self._run_before_now,
            said.BandwidthCommand: self._bandwidth,
            said.StorageCommand: self._storage,
            said.BackupCommand: self._backup,
            said.RestoreCommand: self._restore,
            said.EndRestoreCommand: lambda _command: False,
            said.RestoreObjectCommand: self._restore_object,
            said.ComponentInfoCommand: self._component_info,
            said.PluginFeaturesCommand: lambda _command: self._answer(Signal.EOD),
            said.EstimateCommand: self._estimate,
            said.VerifyCommand: self._verify,
            said.StatusCommand: self._status,
            said.DotStatusCommand: self._dot_status,
            said.CancelCommand: self._cancel,
            said.SetDebugCommand: self._set_debug,
            said.SessionCommand: lambda _command: self._answer(reply.OK_SESSION),
        }

    # -- the visit ------------------------------------------------------------------------------------------------

    def serve(self) -> None:
        """From the greeting to the end. Raises ConnectionLost, RemoteProtocolError, AuthenticationError for the log."""
        greeted = self._line.greet()
        if not isinstance(greeted, Greeted):
            raise RemoteProtocolError("a Director left during its greeting")
        self._director = greeted.director.name
        try:
            self._commands_until_the_end()
        except JobCanceled:
            self._failed = "canceled"
        except JobError as error:
            self._failed = str(error)
            self._say(MessageType.FATAL, str(error))
        finally:
            self._end()

    def _commands_until_the_end(self) -> None:
        while True:
            event = self._line.next_event()
            if isinstance(event, Left):
                return
            if isinstance(event, Refused):
                if event.ends:
                    self._failed = f"the Director said what means nothing here: {event.packet[:80]!r}"
                    return
                continue
            handler = self._commands.get(type(event))
            if handler is None:
                self._line.send(reply.INVALID_COMMAND)
                self._failed = f"{type(event).__name__} is not served"
                return
            if not handler(event):
                return

    def _end(self) -> None:
        """What belongs after a Job, and its end; whatever came before."""
        asked = self._asked
        if asked is not None and asked.accurate_list is not None:
            asked.accurate_list.remove()
        if asked is not None and asked.job.job_id:
            outcome = self._outcome_of_all()
            errors = self._run_all(asked.scripts.after(good=outcome.status.good), "ClientAfterJob", wanted=lambda: True)
            if errors:
                totals = replace(outcome.totals, errors=outcome.totals.errors + errors)
                outcome = replace(outcome, totals=totals)
            self._line.send(self._end_job(outcome).format())
            self._tell_house(asked, outcome)
        self._line.close(politely=True)

    def _outcome_of_all(self) -> Outcome:
        if self._outcome is not None:
            outcome = self._outcome
        else:
            canceled = self._house.ending is not Ending.NO
            status = JobStatus.CANCELED if canceled else JobStatus.ERROR
            outcome = Outcome(status, Totals(errors=1), text=self._failed)
        return outcome

    def _end_job(self, outcome: Outcome) -> EndJob:
        totals, status = outcome.totals, outcome.status
        letter = "T" if status is JobStatus.WARNINGS else status.value  # warnings show as the number of errors
        if status is JobStatus.CANCELED and self._house.ending is Ending.STOP:
            letter = "I"
        return EndJob(
            letter,
            totals.files + totals.deleted,
            totals.read_bytes,
            totals.read_bytes if self._kind == "R" else totals.job_bytes,
            totals.errors,
            encrypt=int(self._facts.keys is not None and self._facts.keys.encrypt),
        )

    def _tell_house(self, asked: Asked, outcome: Outcome) -> None:
        totals = outcome.totals
        self._house.ended(
            EndedJob(
                asked.job.job_id,
                asked.job.name,
                asked.level.value,
                self._kind,
                totals.files + totals.deleted,
                totals.read_bytes if self._kind == "R" else totals.job_bytes,
                totals.errors,
                outcome.status.value,
                self._now(),
            )
        )

    # -- what the Job is ------------------------------------------------------------------------------------------

    def _job(self, command: said.JobCommand) -> bool:
        self._asked = Asked(command)
        self._note()
        agents = ",".join(name.partition(" ")[0] for name in self._facts.agents)
        return self._answer(reply.ok_job(self._facts.version, self._facts.platform, agents))

    def _level(self, command: said.LevelCommand) -> bool:
        asked = self._known
        asked.level = _LEVELS.get(command.word, Level.FULL)
        asked.accurate = command.accurate
        if command.word not in ("full", "base"):
            return True  # the time follows, and is answered
        asked.since = 0
        return self._answer(reply.OK_LEVEL)

    def _since(self, command: said.SinceCommand) -> bool:
        """The Director's time as ours: its clock is asked, and a difference told."""
        asked = self._known
        ahead = self._director_is_ahead()
        self._line.send(Signal.EOD, reply.OK_LEVEL)
        if abs(ahead) > CLOCK_INFO_S:
            kind = MessageType.WARNING if abs(ahead) > CLOCK_WARNING_S else MessageType.INFO
            self._say(
                kind,
                f"the Director's clock is {abs(ahead)} s {'ahead of' if ahead > 0 else 'behind'} ours; allowed for",
            )
        asked.since = max(command.since - ahead, 1)
        asked.base_job = command.base_job
        return True

    def _director_is_ahead(self) -> int:
        """By how many seconds; measured over the shortest way there and back."""
        best: tuple[float, float] | None = None
        for _ in range(CLOCK_SAMPLES):
            sent = self._now()
            self._line.send(Signal.BTIME)
            event = self._line.next_event()
            if not isinstance(event, ClockSample):
                raise RemoteProtocolError("a Director's time was expected")
            way = self._now() - sent
            ahead = event.microseconds / 1e6 - (sent + way / 2)
            best = min(best, (way, ahead)) if best is not None else (way, ahead)
        return int(best[1]) if best is not None else 0

    def _fileset(self, command: said.FileSetCommand) -> bool:
        lines = list(self._items())
        try:
            parsed = parse_lines(lines, command.text)
        except RemoteProtocolError as error:
            raise JobError(f"the FileSet cannot be used: {error}") from error
        self._known.fileset = parsed.fileset
        for complaint in parsed.complaints:
            self._say(MessageType.WARNING, complaint)
        return self._answer(reply.OK_FILESET)

    def _accurate(self, _command: said.AccurateCommand) -> bool:
        with AccurateFile.create(self._facts.work) as listed:
            self._known.accurate_list = listed
            for packet in self._items():
                listed.append(packet)
        return True

    def _items(self) -> Iterator[bytes]:
        while not isinstance(event := self._line.next_event(), EndOfList):
            if not isinstance(event, Item):
                raise ConnectionLost(f'Director "{self._director}"', "a list", "it left")
            yield event.packet

    def _bandwidth(self, command: said.BandwidthCommand) -> bool:
        known = self._house.set_bandwidth(command.bytes_per_second, command.job)
        return self._answer(reply.OK_BANDWIDTH if known else reply.not_found(command.job))

    # -- programs -------------------------------------------------------------------------------------------------

    def _run_script(self, command: said.RunScriptCommand) -> bool:
        if command.kind == "RunBeforeJob":
            if self._run_all([command], "ClientRunBeforeJob", self._wanted):
                self._failed = "ClientRunBeforeJob failed"
                return self._answer(reply.BAD_RUN_BEFORE_JOB, goes_on=False)
            return self._answer(reply.OK_RUN_BEFORE)
        self._known.scripts.named.append(command)
        return self._answer(reply.OK_RUN_AFTER if command.kind == "RunAfterJob" else reply.OK_RUN_SCRIPT)

    def _run_before_now(self, _command: said.RunBeforeNowCommand) -> bool:
        if self._run_all(self._known.scripts.before(), "ClientBeforeJob", self._wanted):
            self._failed = "ClientBeforeJob failed"
            return self._answer(reply.BAD_RUN_BEFORE_NOW, goes_on=False)
        return self._answer(reply.OK_RUN_BEFORE_NOW)

    def _run_all(self, scripts: list[said.RunScriptCommand], label: str, wanted: Callable[[], bool]) -> int:
        """How many failed that count. One that fails without counting is told as a warning."""
        failed = 0
        for script in scripts:
            counts = script.kind == "RunBeforeJob" or script.abort_on_error
            why = run_script(label, self._codes.expand(script.command), self._info, wanted)
            if why:
                failed += counts
                self._say(MessageType.ERROR if counts else MessageType.WARNING, why)
        return failed

    @property
    def _codes(self) -> Codes:
        asked = self._known
        outcome = self._outcome
        totals = outcome.totals if outcome is not None else Totals()
        return Codes(
            {
                "c": self._facts.name,
                "d": self._facts.name,
                "D": self._director,
                "e": outcome.status.words if outcome is not None else "Running",
                "E": str(totals.errors),
                "F": str(totals.files),
                "b": str(totals.job_bytes),
                "R": str(totals.read_bytes),
                "i": str(asked.job.job_id),
                "j": asked.job.job,
                "l": asked.level.name.capitalize(),
                "n": asked.job.name,
                "s": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(asked.since)),
                "t": self._kind or "B",
            }
        )

    # -- Jobs -----------------------------------------------------------------------------------------------------

    def _estimate(self, command: said.EstimateCommand) -> bool:
        asked = self._known
        job = EstimateJob(
            self._who,
            asked.level,
            self._needed_fileset,
            self._facts.setup,
            self._changes,
            command.listing,
            command.limit,
        )
        outcome = self._run(job)
        if not outcome.status.good:
            self._say(MessageType.ERROR, outcome.text)
        answer = reply.ok_estimate(outcome.totals.files, outcome.totals.job_bytes)
        return self._answer(answer, Signal.EOD)

    def _storage(self, command: said.StorageCommand) -> bool:
        """The job process connects when it begins, so that it alone owns the connection from the first byte."""
        asked = self._known
        asked.storage = replace(
            self._facts.storage,
            address=command.address,
            port=command.port,
            key=command.key or asked.job.key,
        )
        if not command.port:
            self._say(MessageType.FATAL, "a Storage Daemon that calls us (port 0) is not served")
            return self._answer(reply.BAD_STORAGE, goes_on=False)
        return self._answer(reply.OK_STORAGE)

    def _backup(self, command: said.BackupCommand) -> bool:
        asked = self._known
        if asked.fileset is None or asked.storage is None or command.file_index:
            self._failed = "the Director wants a backup without having said what, or where to"
            if command.file_index:
                self._failed = "an incomplete Job cannot be gone on with; run it again from its beginning"
            self._say(MessageType.FATAL, self._failed)
            return self._answer(reply.BAD_BACKUP, goes_on=False)
        self._note(type="B")
        self._line.send(reply.OK_BACKUP)
        if self._run_all(asked.scripts.once_open(), "ClientAfterVSS", self._wanted):
            self._failed = "ClientAfterVSS failed"
            return False
        job = NetworkBackup(
            self._who,
            asked.level,
            asked.fileset,
            self._facts.setup,
            self._changes,
            asked.storage,
            self._facts.keys,
        )
        self._do(job)
        return False

    def _restore(self, command: said.RestoreCommand) -> bool:
        asked = self._known
        if asked.storage is None:
            raise JobError("the Director wants a restore without having said where from")
        self._note(type="R")
        self._line.send(reply.OK_RESTORE)
        job = NetworkRestore(
            self._who,
            self._facts.setup,
            asked.storage,
            command.where,
            command.regexwhere,
            command.prelinks,
            _REPLACES[command.replace],
            tuple(asked.objects),
            self._facts.keys,
        )
        self._do(job)
        return False

    def _round_done(self, teller: Teller) -> None:
        """All records of a round came: the Director says whether that was all. When it leaves, `wanted` ends the Job."""
        self._line.send(reply.OK_STORAGE_END)
        try:
            while True:
                event = self._line.next_event()
                if isinstance(event, said.StorageCommand):
                    self._storage(event)
                elif isinstance(event, said.PluginFeaturesCommand):
                    self._line.send(Signal.EOD)
                elif isinstance(event, said.RestoreCommand):
                    self._line.send(reply.OK_RESTORE)
                    storage = self._known.storage
                    assert storage is not None
                    teller.tell(
                        {"event": "again", "address": storage.address, "port": storage.port, "key": storage.key}
                    )
                    return
                else:
                    teller.tell({"event": "done" if isinstance(event, said.EndRestoreCommand) else "broken off"})
                    return
        except (JobCanceled, ConnectionLost):
            return

    def _restore_object(self, command: said.RestoreObjectCommand) -> bool:
        if command.end:
            return self._answer(reply.OK_OBJECT)
        name, content = self._items()
        if command.compression:
            unpacked = zlib.decompressobj()
            try:
                content = unpacked.decompress(content, MAX_OBJECT_BYTES)
            except zlib.error as error:
                raise JobError(f"a restore object cannot be unpacked: {error}") from error
        plugin = command.plugin.encode("utf-8", "surrogateescape")
        self._known.objects.append(
            RestoreObject(command.file_index, command.type, command.index, plugin, name.rstrip(b"\0"), content)
        )
        return True

    def _component_info(self, _command: said.ComponentInfoCommand) -> bool:
        for _line in self._items():
            pass  # about volume shadow copies, which are not made here
        return self._answer(reply.OK_COMPONENT_INFO)

    def _do(self, job: JobDescription) -> None:
        """Have a Job run, and tell why it is not good."""
        self._outcome = outcome = self._run(job)
        if not outcome.status.good and outcome.text:
            kind = MessageType.INFO if outcome.status is JobStatus.CANCELED else MessageType.FATAL
            if outcome.status is JobStatus.ERROR:
                kind = MessageType.ERROR
            self._say(kind, outcome.text)

    def _verify(self, command: said.VerifyCommand) -> bool:
        why = f"level {command.word} is not served by this File Daemon"
        self._failed = f"verify: {why}"
        self._say(MessageType.FATAL, self._failed)
        return self._answer(reply.bad_verify(why), goes_on=False)

    def _run(self, job: JobDescription) -> Outcome:
        return self._house.run(job, self._on_event, self._wanted)

    def _on_event(self, event: JobEvent, teller: Teller) -> None:
        if event["event"] == "message":
            kind = _TYPES.get(Severity(str(event["severity"])))
            if kind is not None:
                self._say(kind, str(event["text"]))
        elif event["event"] == "round":
            self._round_done(teller)
        elif event["event"] == "listing":
            lines = event["lines"]
            if isinstance(lines, list):
                self._line.send(*(f"{line}\n".encode("utf-8", "surrogateescape") for line in lines))

    def _wanted(self) -> bool:
        return self._line.still_there() and self._house.ending is Ending.NO

    @property
    def _who(self) -> DirectorJob:
        job = self._known.job
        return DirectorJob(
            job.job_id,
            job.job,
            job.name,
            self._director,
            self._facts.name,
            self._facts.work,
            job.session_id,
            job.session_time,
        )

    @property
    def _changes(self) -> Changes:
        asked = self._known
        path = asked.accurate_list.path if asked.accurate_list is not None else None
        return Changes(asked.since if asked.level is not Level.FULL else 0, asked.base_job, path)

    @property
    def _needed_fileset(self) -> FileSet:
        fileset = self._known.fileset
        if fileset is None:
            raise JobError("the Director wants a Job without having sent its FileSet")
        return fileset

    # -- questions ------------------------------------------------------------------------------------------------

    def _status(self, _command: said.StatusCommand) -> bool:
        return self._text(status_text(self._house.status(), self._facts.version, self._now()))

    def _dot_status(self, command: said.DotStatusCommand) -> bool:
        status, what = self._house.status(), command.what
        if what in ("current", "last"):
            running = [(job.job_id, "R", job.errors) for job in status.running if job.job_id]
            last = [(job.job_id, job.status, job.errors) for job in status.ended[-1:]]
            self._line.send(reply.OK_DOT_STATUS)
            return self._text(job_lines(running if what == "current" else last))
        if what in (HEADER, RUNNING, TERMINATED, "statistics", "resources"):
            return self._text(dot_status_text(status, self._facts.version, what, self._now()))
        return self._answer(reply.BAD_DOT_STATUS, Signal.EOD)

    def _cancel(self, command: said.CancelCommand) -> bool:
        found = self._house.cancel(command.job, stop=command.stop)
        answer = reply.marked(command.job, stop=command.stop) if found else reply.not_found(command.job)
        return self._answer(answer, Signal.EOD)

    def _set_debug(self, command: said.SetDebugCommand) -> bool:
        self._house.set_debug(command.level, command.trace)
        return self._answer(reply.ok_debug(command.format()))

    # -- small things ---------------------------------------------------------------------------------------------

    @property
    def _known(self) -> Asked:
        assert self._asked is not None  # the connection lets nothing through before the JobCommand
        return self._asked

    def _answer(self, *packets: bytes | Signal, goes_on: bool = True) -> bool:
        self._line.send(*packets)
        return goes_on

    def _text(self, lines: Iterator[str]) -> bool:
        self._line.send(*(line.encode("utf-8", "surrogateescape") for line in lines), Signal.EOD)
        return True

    def _info(self, text: str) -> None:
        self._say(MessageType.INFO, text)

    def _say(self, kind: MessageType, text: str) -> None:
        """A line for the Job's report, if the conf has it go there."""
        job_id = self._asked.job.job_id if self._asked is not None else 0
        if self._facts.wanted(self._director, kind):
            text = message_text(self._facts.name, job_id, kind, text)
            self._line.send(JobMessage(job_id, kind, int(self._now()), text).format(self._facts.version))

    def _note(self, **changes: str) -> None:
        asked = self._known
        self._kind = changes.get("type", self._kind)
        level = asked.level.value if self._kind else ""
        self._house.note(RunningJob(asked.job.job_id, asked.job.job, self._director, self._started, level, self._kind))
