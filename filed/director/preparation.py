"""What a Director says about its Job before it has it done: its name, Level and time, FileSet, accurate list, Storage Daemon."""

from __future__ import annotations

import os
from dataclasses import replace

from filed.catalog import Level
from filed.director.connection import ClockSample
from filed.director.conversation import Asked, Conversation
from filed.director.lists import AccurateFile
from filed.director.programs import forbidden
from filed.errors import JobCanceled, JobError, RemoteProtocolError, printable
from filed.fileset import FileSet
from filed.fileset.expand import stands_for_others
from filed.fileset.model import CompressionKind
from filed.fileset.parse import parse_lines
from filed.fileset.unserved import without_effect
from filed.job.description import StorageDaemon
from filed.process.outcome import JobStatus
from filed.wire import director as said
from filed.wire import reply
from filed.wire.frame import Signal
from filed.wire.reply import MessageType

RUN_COMMANDS = ("Run", "RunBeforeNow", "RunBeforeJob", "RunAfterJob")
CLOCK_SAMPLES = 3  # polls of the Director's clock
CLOCK_INFO_S, CLOCK_WARNING_S = 3, 600  # differences that are reported

_LEVELS = {"full": Level.FULL, "differential": Level.DIFFERENTIAL, "incremental": Level.INCREMENTAL}


def job(visit: Conversation, command: said.JobCommand) -> bool:
    if visit.asked is not None:
        visit.asked.forget_list()
    visit.asked = Asked(command)
    visit.note()
    if command.job_id:
        visit.wait_for_its_turn()
    facts = visit.facts
    agents = ",".join(name.partition(" ")[0] for name in facts.agents)
    return visit.answer(reply.ok_job(visit.version, facts.platform, agents))


def level(visit: Conversation, command: said.LevelCommand) -> bool:
    asked = visit.known
    asked.level, asked.level_word = _LEVELS.get(command.word, Level.FULL), command.word.capitalize()
    asked.accurate, asked.rerunning = command.accurate, command.rerunning
    if command.word not in ("full", "base"):
        return True  # the time follows, and is answered
    asked.since = 0
    return visit.answer(reply.OK_LEVEL)


def since(visit: Conversation, command: said.SinceCommand) -> bool:
    """The Director's time as ours: its clock is asked, and a difference told."""
    asked = visit.known
    ahead = _director_is_ahead(visit)
    visit.line.send(Signal.EOD, reply.OK_LEVEL)
    if abs(ahead) > CLOCK_INFO_S:
        kind = MessageType.WARNING if abs(ahead) > CLOCK_WARNING_S else MessageType.INFO
        direction = "ahead of" if ahead > 0 else "behind"
        visit.say(kind, f"the Director's clock is {abs(ahead)} s {direction} ours; allowed for")
    asked.since = max(command.since - ahead, 1)
    asked.base_job = command.base_job
    return True


def _director_is_ahead(visit: Conversation) -> int:
    """By how many seconds; measured over the shortest way there and back."""
    best: tuple[float, float] | None = None
    for _ in range(CLOCK_SAMPLES):
        sent = visit.now()
        visit.line.send(Signal.BTIME)
        event = visit.line.next_event()
        if not isinstance(event, ClockSample):
            raise RemoteProtocolError("a Director's time was expected")
        way = visit.now() - sent
        ahead = event.microseconds / 1e6 - (sent + way / 2)
        best = min(best, (way, ahead)) if best is not None else (way, ahead)
    return int(best[1]) if best is not None else 0


def fileset(visit: Conversation, command: said.FileSetCommand) -> bool:
    lines = list(visit.items())
    try:
        parsed = parse_lines(lines, command.text)
    except RemoteProtocolError as error:
        raise JobError(f"the FileSet cannot be used: {error}") from error
    _refuse_disabled(visit, parsed.fileset)
    visit.known.fileset = replace(
        parsed.fileset,
        allowed=tuple(map(os.fsencode, visit.directories.backup)),
        barred=tuple(map(os.fsencode, visit.directories.excluded)),
    )
    for complaint in (*parsed.complaints, *without_effect(parsed.fileset)):
        visit.say(MessageType.WARNING, complaint)
    if text := _hard_to_restore(parsed.fileset):
        visit.info(text)
    return visit.answer(reply.OK_FILESET)


def _hard_to_restore(fileset: FileSet) -> str:
    """What a person should know before another program is to restore this; "" for nothing."""
    used = {options.compression.kind for each in fileset.includes for options in each.options if options.compression}
    if CompressionKind.ZSTD not in used:
        return ""
    return "files are compressed by ZSTD: bacula-fd restores them where it is built with it, and Debian's 15.0.3 is not"


def _refuse_disabled(visit: Conversation, fileset: FileSet) -> None:
    """A Director that may run nothing here may not do so by a FileSet, nor read files by its lists. Raises JobError."""
    lines = [line for include in fileset.includes for line in include.files] + list(fileset.excludes)
    for line in filter(stands_for_others, lines):
        if line.startswith(b"|") and (why := forbidden(os.fsdecode(line[1:].strip()), visit.directories.scripts)):
            raise JobError(f"the FileSet names a program of this machine: {why}")
        word = "FileSetPrograms" if line.startswith(b"|") else "FileSetLists"
        if visit.line.disables(word, *RUN_COMMANDS):
            raise JobError(
                f'the FileSet names a list or a program of this machine, "{printable(line)}": Disable Command of the conf forbids it'
            )


def plugin_options(visit: Conversation, command: said.PluginOptionsCommand) -> bool:
    text = (
        f'Plugin Options of the Job, "{printable(command.options.encode("utf-8", "surrogateescape"))}", have no effect'
    )
    visit.say(MessageType.WARNING, f"{text}: agents have their options from the Plugin line of the FileSet")
    return visit.answer(reply.OK_PLUGIN_OPTIONS)


def accurate(visit: Conversation, _command: said.AccurateCommand) -> bool:
    visit.known.forget_list()  # a Director that sends another means that one
    with AccurateFile.create(visit.facts.work) as listed:
        visit.known.accurate_list = listed
        for packets in visit.packed_items():
            listed.append(packets)
    return True


def storage(visit: Conversation, command: said.StorageCommand) -> bool:
    """It is called before the answer; port 0: it calls us, and may have done so already."""
    named = name_storage(visit, command)
    if command.port:
        outcome = visit.call_storage(named)
        if outcome is not None and outcome.status is JobStatus.CANCELED:
            raise JobCanceled(outcome.text)
        if outcome is not None:
            return visit.refuse(outcome.text, reply.BAD_STORAGE)
    return visit.answer(reply.OK_STORAGE)


def name_storage(visit: Conversation, command: said.StorageCommand) -> StorageDaemon:
    """Where the Job's records are, or will be. A console's question waits for no Storage Daemon that is down."""
    asked, ours = visit.known, visit.facts.storage
    asked.storage = named = replace(
        ours,
        address=command.address,
        port=command.port,
        key=command.key or asked.job.key,
        protocol=visit.version.number,
        connect_timeout_s=ours.connect_timeout_s if asked.job.job_id else 0.0,
    )
    if not command.port:
        visit.house.expect_storage(named.key, named.protocol)
    return named
