"""What a File Daemon says to a Director: answers, messages of a Job, its end. A Director compares texts byte by byte.

The Version is what we announce ourselves as (version.py): texts and the numbers of message types follow from it.
Source: docs/formats/director.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from filed.errors import RemoteProtocolError
from filed.wire.version import Version

MAX_TEXT = 100_000  # bytes of one message; a packet may have 1,000,000

AUTH_FAILED = b"2999 Authentication failed.\n"
NOT_AUTHORIZED = b"2998 No Authorization\n"
MONITOR_ONLY = b"2997 Invalid command for a Director with Monitor directive enabled.\n"
INVALID_COMMAND = b"2999 Invalid command\n"
OK_LEVEL = b"2000 OK level\n"
OK_FILESET = b"2000 OK include\n"
OK_STORAGE = b"2000 OK storage\n"
BAD_STORAGE = b"2902 Bad storage\n"
OK_RUN_BEFORE = b"2000 OK RunBefore\n"
OK_RUN_AFTER = b"2000 OK RunAfter\n"
OK_RUN_SCRIPT = b"2000 OK RunScript\n"
OK_RUN_BEFORE_NOW = b"2000 OK RunBeforeNow\n"
BAD_RUN_BEFORE_JOB = b"2905 Bad RunBeforeJob command.\n"
BAD_RUN_BEFORE_NOW = b"2905 Bad RunBeforeNow command.\n"
OK_BANDWIDTH = b"2000 OK Bandwidth\n"
OK_VERIFY = b"2000 OK verify\n"
OK_BACKUP = b"2000 OK backup\n"
BAD_BACKUP = b"2902 Bad backup\n"
OK_RESTORE = b"2000 OK restore\n"
BAD_RESTORE_PATH = b"2996 Restore path out of allowed directories.\n"
OK_STORAGE_END = b"2000 OK storage end\n"
OK_OBJECT = b"2000 OK ObjectRestored\n"
OK_COMPONENT_INFO = b"2000 OK ComponentInfo\n"
OK_SESSION = b"2000 OK session\n"
OK_DOT_STATUS = b"2000 OK .status\n"
OK_PLUGIN_OPTIONS = b"2000 OK plugin options\n"
OK_SNAPSHOT_RETENTION = b"2000 Snapshot retention\n"
BAD_SNAPSHOT = b"2999 Snapshot command not found\n"
BAD_DOT_STATUS = b"2900 Bad .status command, wrong argument.\n"


class MessageType(StrEnum):
    """A kind of Job message, by the name that a Messages resource has for it."""

    FATAL = "fatal"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    SAVED = "saved"
    NOTSAVED = "notsaved"
    SKIPPED = "skipped"
    RESTORED = "restored"
    SECURITY = "security"


_BEHIND_FATAL = {
    MessageType.FATAL: 0,
    MessageType.ERROR: 1,
    MessageType.WARNING: 2,
    MessageType.INFO: 3,
    MessageType.SAVED: 4,
    MessageType.NOTSAVED: 5,
    MessageType.SKIPPED: 6,
    MessageType.RESTORED: 10,
    MessageType.SECURITY: 11,
}
"""The order of message types is the same in all versions; where it begins is not."""


def type_number(kind: MessageType, version: Version) -> int:
    return version.fatal_type + _BEHIND_FATAL[kind]


def ok_job(version: Version, platform: str, agents: str = "") -> bytes:
    """The answer to `JobId=`. platform: `host,distribution,its version`.  agents: shown by a Director as plugins."""
    plugins = f";{agents}" if agents else ""
    return f"2000 OK Job {version.program} {platform}{plugins}".encode()


def ok_estimate(files: int, size: int) -> bytes:
    return f"2000 OK estimate files={files:,} bytes={size:,}\n".encode()


def marked(job: str, *, stop: bool) -> bytes:
    """The answer to a cancel or a stop of a Job that runs."""
    return f'2001 Job "{job}" marked to be {"stopped" if stop else "canceled"}.\n'.encode("utf-8", "surrogateescape")


def not_found(job: str) -> bytes:
    return f"2901 Job {job} not found.\n".encode("utf-8", "surrogateescape")


def bad_verify(why: str) -> bytes:
    return f"2994 Bad verify command: {why}\n".encode()


def no_snapshot(answer: str) -> bytes:
    """The answer about one that is asked for by its name."""
    why = "no snapshots are taken here".replace(" ", "\x01")
    return f"2999 Snapshot {answer} ERR={why}\n".encode()


def ok_debug(asked: bytes) -> bytes:
    """asked: the command, which is repeated."""
    return b"2000 OK " + asked


@dataclass(frozen=True, slots=True)
class EndJob:
    """How a Job ended. term_code: the letter of its status; sizes in bytes."""

    term_code: str
    files: int = 0
    read_bytes: int = 0
    job_bytes: int = 0
    errors: int = 0
    vss: int = 0
    encrypt: int = 0
    comm_bytes: int = 0
    compressed_comm_bytes: int = 0

    def format(self) -> bytes:
        return (
            f"2800 End Job TermCode={ord(self.term_code)} JobFiles={self.files} ReadBytes={self.read_bytes}"
            f" JobBytes={self.job_bytes} Errors={self.errors} VSS={self.vss} Encrypt={self.encrypt}"
            f" CommBytes={self.comm_bytes} CompressCommBytes={self.compressed_comm_bytes}\n"
        ).encode()


_END_JOB = re.compile(
    rb"2800 End Job TermCode=(\d{1,3}) JobFiles=(\d+) ReadBytes=(\d+) JobBytes=(\d+) Errors=(\d+)"
    rb"(?: VSS=(\d+) Encrypt=(\d+)(?: CommBytes=(\d+) CompressCommBytes=(\d+))?)?\n?"
)


def parse_end_job(packet: bytes) -> EndJob:
    """The inverse of `EndJob.format`; older daemons leave out the last fields. Raises RemoteProtocolError."""
    match = _END_JOB.fullmatch(packet)
    if match is None:
        raise RemoteProtocolError("this is no end of a Job", packet)
    code, *numbers = (int(group or 0) for group in match.groups())
    return EndJob(chr(code), *numbers)


@dataclass(frozen=True, slots=True)
class JobMessage:
    """One line for the Job's report. time: epoch seconds."""

    job_id: int
    type: MessageType
    time: int
    text: str

    def format(self, version: Version) -> bytes:
        """A line feed within the text stays: a Director shows it so."""
        text = self.text.encode("utf-8", "surrogateescape")[:MAX_TEXT].rstrip(b"\n")
        return b"Jmsg JobId=%d type=%d level=%d %s\n" % (self.job_id, type_number(self.type, version), self.time, text)


_JMSG = re.compile(rb"Jmsg JobId=(\d+) type=(\d+) level=(-?\d+) (.*?)\n?", re.DOTALL)


def parse_job_message(packet: bytes, version: Version) -> JobMessage:
    """The inverse of `JobMessage.format`. Raises RemoteProtocolError."""
    match = _JMSG.fullmatch(packet)
    kinds = {type_number(kind, version): kind for kind in MessageType}
    if match is None or int(match[2]) not in kinds:
        raise RemoteProtocolError("this is no message of a Job", packet)
    return JobMessage(int(match[1]), kinds[int(match[2])], int(match[3]), match[4].decode("utf-8", "surrogateescape"))


PREFIXES = {MessageType.FATAL: "Fatal error: ", MessageType.ERROR: "Error: ", MessageType.WARNING: "Warning: "}


def message_text(daemon: str, job_id: int, kind: MessageType, text: str) -> str:
    """The text as a Job's report has it: who says it, about which Job, how bad it is."""
    return f"{daemon} JobId {job_id}: {PREFIXES.get(kind, '')}{text}"
