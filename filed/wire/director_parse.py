"""A Director's packet as a value: found by how it begins; TABLE has the commands in the order in which they are tried."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Flag, auto

from filed.errors import RemoteProtocolError
from filed.wire.director import (
    BLANK,
    AccurateCommand,
    BackupCommand,
    BandwidthCommand,
    CancelCommand,
    CapabilitiesCommand,
    Command,
    ComponentInfoCommand,
    DotStatusCommand,
    EndRestoreCommand,
    EstimateCommand,
    FileSetCommand,
    JobCommand,
    LevelCommand,
    NetworkTestCommand,
    PluginFeaturesCommand,
    PluginOptionsCommand,
    QueryCommand,
    RestoreCommand,
    RestoreFileListCommand,
    RestoreObjectCommand,
    RunBeforeNowCommand,
    RunScriptCommand,
    SessionCommand,
    SetDebugCommand,
    SinceCommand,
    SnapshotCommand,
    StatisticsCommand,
    StatusCommand,
    StorageCommand,
    VerifyCommand,
)

MAX_NAME = 127  # bytes of a Job's unique name
MAX_TIME = 1 << 40  # epoch seconds; far beyond any clock, and a year of five digits


class Phase(Flag):
    """How far a conversation is. Commands are legal in one or several phases."""

    GREETED = auto()  # authenticated, nothing named yet
    NAMED = auto()  # JobId came


Groups = dict[str, bytes]


def _text(value: bytes | None) -> str:
    return (value or b"").replace(BLANK, b" ").decode("utf-8", "surrogateescape")


def _int(value: bytes | None) -> int:
    return int(value or b"0")


def _below(limit: int, value: bytes | None) -> int:
    """Raises ValueError for a number that is not."""
    number = _int(value)
    if abs(number) >= limit:
        raise ValueError(number)
    return number


def _level(g: Groups) -> Command:
    word = g["word"].decode()
    if word == "since_utime":
        return SinceCommand(_below(MAX_TIME, g["since"]), _text(g["base"]))
    rest = g["rest"] or b""
    return LevelCommand(word, bool(g["accurate"]), b"rerunning" in rest, b"estimate" in rest)


def _run(kind: str) -> Callable[[Groups], Command]:
    return lambda g: RunScriptCommand(kind, _text(g["command"]))


def _run_script(g: Groups) -> Command:
    return RunScriptCommand(
        "Run",
        _text(g["command"]),
        bool(_int(g["success"])),
        bool(_int(g["failure"])),
        bool(_int(g["abort"])),
        _int(g["when"]),
    )


def _statistics(g: Groups) -> Command:
    if g["all"] is None and g["metric"] is None:
        raise ValueError("nothing is asked for")
    return StatisticsCommand(all=g["all"] is not None, json=g["form"] == b"json")


def _restore_object(g: Groups) -> Command:
    if g["numbers"] is None:
        return RestoreObjectCommand(end=True)
    length, full_length, index, kind, compression, file_index = map(int, g["numbers"].split(b","))
    plugin, job_id = _text(g["plugin"]), _int(g["jobid"])
    return RestoreObjectCommand(False, length, full_length, index, kind, compression, file_index, plugin, job_id)


@dataclass(frozen=True, slots=True)
class Row:
    """prefix: how the packet begins.  monitor: whether a monitor may say it.  bad: our answer when the rest makes no sense."""

    prefix: bytes
    pattern: re.Pattern[bytes]
    make: Callable[[Groups], Command]
    phase: Phase
    bad: bytes
    monitor: bool = False


def _row(
    prefix: bytes,
    pattern: bytes,
    make: Callable[[Groups], Command],
    *,
    phase: Phase = Phase.NAMED,
    bad: bytes = b"2999 Invalid command\n",
    monitor: bool = False,
) -> Row:
    return Row(prefix, re.compile(pattern, re.DOTALL), make, phase, bad, monitor)


N = rb"-?\d{1,18}"
NAME = rb"\S{1,%d}" % MAX_NAME
NUMBERS = rb",".join([N] * 6)
TABLE: tuple[Row, ...] = (
    _row(
        b"JobId=",
        rb"JobId=(?P<jobid>\d{1,9}) Job=(?P<job>%s) SDid=(?P<sdid>%s) SDtime=(?P<sdtime>%s) Authorization=(?P<key>\S{1,100})"
        % (NAME, N, N),
        lambda g: JobCommand(_int(g["jobid"]), _text(g["job"]), _int(g["sdid"]), _int(g["sdtime"]), _text(g["key"])),
        phase=Phase.GREETED | Phase.NAMED,
        bad=b"2901 Bad Job\n",
        monitor=True,
    ),
    _row(
        b"level = ",
        rb"level = (?P<accurate>accurate_)?(?:(?P<word>since_utime) (?P<since>%s)(?: mtime_only=\d+)?(?: prev_job=(?P<base>\S*))?"
        rb"|(?P<plain>full|base|incremental|differential)(?P<rest>.*))" % N,
        lambda g: _level({**g, "word": g["word"] or g["plain"]}),
    ),
    _row(b"fileset", rb"(?P<text>fileset.*)", lambda g: FileSetCommand(g["text"])),
    _row(
        b"storage ",
        rb"storage address=(?P<address>[^\x00-\x20\x7f]{1,255}) port=(?P<port>\d{1,5}) ssl=(?P<ssl>\d)(?: Authorization=(?P<key>\S{1,100}))?",
        lambda g: StorageCommand(_text(g["address"]), _below(1 << 16, g["port"]), _int(g["ssl"]), _text(g["key"])),
        bad=b"2902 Bad storage\n",
    ),
    _row(b"accurate", rb"accurate files=(?P<files>\d{0,18})", lambda g: AccurateCommand(_int(g["files"]))),
    _row(b"RunBeforeNow", rb"RunBeforeNow", lambda _g: RunBeforeNowCommand()),
    _row(b"RunBeforeJob", rb"RunBeforeJob (?P<command>.+)", _run("RunBeforeJob")),
    _row(b"RunAfterJob", rb"RunAfterJob (?P<command>.+)", _run("RunAfterJob")),
    _row(
        b"Run",
        rb"Run OnSuccess=(?P<success>\d+) OnFailure=(?P<failure>\d+) AbortOnError=(?P<abort>\d+) When=(?P<when>\d+)"
        rb" Command=(?P<command>.+)",
        _run_script,
    ),
    _row(
        b"setbandwidth=",
        rb"setbandwidth=(?P<rate>%s) Job=(?P<job>\S*)" % N,
        lambda g: BandwidthCommand(max(0, _int(g["rate"])), _text(g["job"])),
        bad=b"2991 Bad setbandwidth command\n",
    ),
    _row(
        b"backup",
        rb"backup(?: FileIndex=(?P<index>\d{1,10}))?",
        lambda g: BackupCommand(_int(g["index"])),
        bad=b"2902 Bad backup\n",
    ),
    _row(
        b"estimate",
        rb"estimate listing=(?P<listing>\d+)(?: limit=(?P<limit>\d{1,18}))?",
        lambda g: EstimateCommand(bool(_int(g["listing"])), _int(g["limit"])),
    ),
    _row(
        b"verify",
        rb"verify level=(?P<word>\w+)",
        lambda g: VerifyCommand(_text(g["word"])),
        bad=b"2994 Bad verify command\n",
    ),
    _row(
        b"restoreobject",
        rb"restoreobject (?:end|(?:JobId=(?P<jobid>\d+) )?(?P<numbers>%s)(?:,(?P<plugin>.*))?)" % NUMBERS,
        _restore_object,
    ),
    _row(
        b"restorefilelist",
        rb"restorefilelist plugin=(?P<plugin>.*)",
        lambda g: RestoreFileListCommand(_text(g["plugin"])),
    ),
    _row(
        b"restore ",
        rb"restore (?:files=(?P<files>\d{1,18}) )?replace=(?P<replace>[awon]) prelinks=(?P<prelinks>\d+)"
        rb" (?:where=(?P<where>.*)|regexwhere=(?P<regex>.*))",
        lambda g: RestoreCommand(
            _text(g["replace"]),
            (g["where"] or b"").replace(BLANK, b" "),
            (g["regex"] or b"").replace(BLANK, b" "),
            _int(g["files"]),
            bool(_int(g["prelinks"])),
        ),
    ),
    _row(b"endrestore", rb"endrestore", lambda _g: EndRestoreCommand()),
    _row(b"component", rb"component_info", lambda _g: ComponentInfoCommand()),
    _row(b"PluginFeatures", rb"PluginFeatures", lambda _g: PluginFeaturesCommand()),
    _row(
        b"testnetwork",
        rb"testnetwork bytes=(?P<size>\d{1,18}) rtt=(?P<packets>\d{1,9})",
        lambda g: NetworkTestCommand(_int(g["size"]), _int(g["packets"])),
    ),
    _row(b"status", rb"status.*", lambda _g: StatusCommand(), phase=Phase.GREETED | Phase.NAMED, monitor=True),
    _row(
        b".status",
        rb"\.status (?P<what>\w+)(?: api=(?P<api>\d+))?(?: api_opts=(?P<options>.*))?",
        lambda g: DotStatusCommand(_text(g["what"]), _int(g["api"]), _text(g["options"])),
        phase=Phase.GREETED | Phase.NAMED,  # a monitor calls us without a Director
        bad=b"2900 Bad .status command, wrong argument.\n",
        monitor=True,
    ),
    _row(b"cancel", rb"cancel Job=(?P<job>%s)" % NAME, lambda g: CancelCommand(_text(g["job"]))),
    _row(b"stop", rb"stop Job=(?P<job>%s)" % NAME, lambda g: CancelCommand(_text(g["job"]), stop=True)),
    _row(
        b"setdebug=",
        rb"setdebug=(?P<level>%s)(?: trace=(?P<trace>%s))?(?: hangup=(?P<hangup>%s))?(?: blowup=(?P<blowup>%s))?"
        rb"(?: options=(?P<options>\S*))?(?: tags=(?P<tags>.*))?" % (N, N, N, N),
        lambda g: SetDebugCommand(
            _int(g["level"]),
            _int(g["trace"]),
            _int(g["hangup"]),
            _int(g["blowup"]),
            _text(g["options"]),
            _text(g["tags"]),
        ),
        bad=b"2991 Bad setdebug command\n",
    ),
    _row(
        b"statistics",
        rb"statistics(?: (?P<all>all))?(?: format=(?P<form>simple|json))?(?P<metric> metric.*)?",
        _statistics,
        bad=b"2900 Bad statistics command, missing argument.\n",
    ),
    _row(
        b"query",
        rb'query parameter="(?P<parameter>[^"]*)" plugin="(?P<plugin>[^"]*)"(?: value="(?P<value>[^"]*)")?',
        lambda g: QueryCommand(_text(g["parameter"]), _text(g["plugin"]), _text(g["value"])),
        bad=b"2992 Bad query command\n",
    ),
    _row(
        b"snapshot",
        rb"snapshot(?: (?P<what>[a-z]{1,20}))?(?P<rest>[ =].*)?",
        lambda g: SnapshotCommand(_text(g["what"]), g["rest"] or b""),
        bad=b"2999 Snapshot command not found\n",
    ),
    _row(b"caps", rb"caps", lambda _g: CapabilitiesCommand()),
    _row(b"pluginoptions=", rb"pluginoptions=(?P<options>.*)", lambda g: PluginOptionsCommand(_text(g["options"]))),
    _row(b"session", rb"session.*", lambda _g: SessionCommand()),
)


_KEY = re.compile(rb"(Authorization *=? *)\S+", re.IGNORECASE)


def row_of(packet: bytes) -> Row | None:
    """The first row whose prefix begins the packet; None for an unknown command."""
    return next((row for row in TABLE if packet.startswith(row.prefix)), None)


def shown(packet: bytes) -> bytes:
    """What a log may have of a packet: its beginning, without a key."""
    return _KEY.sub(rb"\1...", packet)[: RemoteProtocolError.SAMPLE_BYTES]


def parse_command(packet: bytes) -> Command:
    """One packet as a value; line ends, blanks and a NUL at its end do not count.

    Raises RemoteProtocolError for a command nobody knows, or one whose rest makes no sense.
    """
    row = row_of(packet)
    if row is None:
        raise RemoteProtocolError("a Director sent a command nobody knows", packet)
    match = row.pattern.fullmatch(packet.rstrip(b"\0\r\n "))
    if match is None:
        raise RemoteProtocolError("a Director sent a command whose words make no sense", packet)
    try:
        return row.make(match.groupdict())
    except ValueError:
        raise RemoteProtocolError("a Director sent a command whose numbers make no sense", packet) from None
