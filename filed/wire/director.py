"""What a Director says to a File Daemon, as values; `format` writes the packet that `director_parse` reads.

A command is one packet of text. Words that may hold a blank come with byte 1 in its place ("bashed").
Source: docs/formats/director.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from filed.errors import RemoteProtocolError

BLANK = b"\x01"
DUMMY_KEY = "dummy"  # of a connection that will not need a Storage Daemon


class Command:
    """One thing a Director says. `format` is the packet it came in."""

    __slots__ = ()

    def format(self) -> bytes:
        raise RemoteProtocolError(f"{type(self).__name__} is not sent in one packet")


@dataclass(frozen=True, slots=True)
class JobCommand(Command):
    """Always the first. job_id 0: a visit without a Job.  key: for the Storage Daemon."""

    job_id: int
    job: str
    session_id: int = 0
    session_time: int = 0
    key: str = DUMMY_KEY

    def format(self) -> bytes:
        return (
            f"JobId={self.job_id} Job={self.job} SDid={self.session_id} SDtime={self.session_time}"
            f" Authorization={self.key}\n"
        ).encode("utf-8", "surrogateescape")

    @property
    def name(self) -> str:
        """The Job's name: the unique one without date, time and number."""
        return re.sub(r"\.\d{4}-\d\d-\d\d_\d\d\.\d\d\.\d\d_\d+$", "", self.job)


@dataclass(frozen=True, slots=True)
class LevelCommand(Command):
    """word: full, base, incremental, differential. Only full and base are answered: after the others comes a SinceCommand."""

    word: str
    accurate: bool = False
    rerunning: bool = False
    estimate: bool = False

    def format(self) -> bytes:
        prefix = "accurate_" if self.accurate else ""
        rerunning, estimate = " rerunning " if self.rerunning else " ", " estimate " if self.estimate else ""
        return f"level = {prefix}{self.word} {rerunning}mtime_only=0 {estimate}\n".encode()


@dataclass(frozen=True, slots=True)
class SinceCommand(Command):
    """since: epoch seconds by the Director's clock.  base_job: unique name of the Job it builds on, "" when not said."""

    since: int
    base_job: str = ""

    def format(self) -> bytes:
        return f"level = since_utime {self.since} mtime_only=0 prev_job={self.base_job}\n".encode(
            "utf-8", "surrogateescape"
        )


@dataclass(frozen=True, slots=True)
class FileSetCommand(Command):
    """The lines follow, up to the end of data. text: the command, which may say `vss=1` and `snap=1`."""

    text: bytes = b"fileset"

    def format(self) -> bytes:
        return self.text + b"\n"


@dataclass(frozen=True, slots=True)
class AccurateCommand(Command):
    """The list follows, up to the end of data. files: about how many."""

    files: int = 0

    def format(self) -> bytes:
        return b"accurate files=%d\n" % self.files


@dataclass(frozen=True, slots=True)
class StorageCommand(Command):
    """key: "" when it is the one of the JobCommand.  ssl: what the Storage Daemon wants, 0 none, 1 possible, 2 required."""

    address: str
    port: int
    ssl: int = 0
    key: str = ""

    def format(self) -> bytes:
        key = f" Authorization={self.key}" if self.key else ""
        text = f"storage address={self.address} port={self.port} ssl={self.ssl}{key}\n"
        return text.encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class RunScriptCommand(Command):
    """A program to run. kind: `RunBeforeJob` at once, `RunAfterJob` after a good Job, `Run` as the rest says."""

    kind: str
    command: str
    on_success: bool = True
    on_failure: bool = False
    abort_on_error: bool = False
    when: int = 0  # bits: 1 after, 2 before, 4 once the Storage session is open

    def format(self) -> bytes:
        text = self.command.replace(" ", "\x01")
        if self.kind != "Run":
            return f"{self.kind} {text}\n".encode("utf-8", "surrogateescape")
        return (
            f"Run OnSuccess={self.on_success:d} OnFailure={self.on_failure:d} AbortOnError={self.abort_on_error:d}"
            f" When={self.when} Command={text}\n"
        ).encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class RunBeforeNowCommand(Command):
    """Run all `Run` programs that belong before the Job."""

    def format(self) -> bytes:
        return b"RunBeforeNow\n"


@dataclass(frozen=True, slots=True)
class BandwidthCommand(Command):
    """bytes_per_second: 0 = no limit.  job: "" = all Jobs from now on."""

    bytes_per_second: int
    job: str = ""

    def format(self) -> bytes:
        return f"setbandwidth={self.bytes_per_second} Job={self.job}\n".encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class BackupCommand(Command):
    """file_index: how many entries a restarted Job has saved already; else 0."""

    file_index: int = 0

    def format(self) -> bytes:
        return b"backup FileIndex=%d\n" % self.file_index


@dataclass(frozen=True, slots=True)
class EstimateCommand(Command):
    listing: bool = False
    limit: int = 0

    def format(self) -> bytes:
        limit = b" limit=%d" % self.limit if self.limit else b""
        return b"estimate listing=%d%s\n" % (self.listing, limit)


@dataclass(frozen=True, slots=True)
class VerifyCommand(Command):
    """word: init, catalog, disk_to_catalog, volume, data."""

    word: str

    def format(self) -> bytes:
        return f"verify level={self.word}\n".encode()


@dataclass(frozen=True, slots=True)
class RestoreCommand(Command):
    """replace: a, w, o or n.  where: b"" or b"/" = as saved.  regexwhere: instead of where."""

    replace: str
    where: bytes = b""
    regexwhere: bytes = b""
    files: int = 0
    prelinks: bool = False

    def format(self) -> bytes:
        name, value = (b"regexwhere", self.regexwhere) if self.regexwhere else (b"where", self.where)
        head = f"restore files={self.files} replace={self.replace} prelinks={self.prelinks:d} ".encode()
        return head + name + b"=" + value.replace(b" ", BLANK) + b"\n"


@dataclass(frozen=True, slots=True)
class EndRestoreCommand(Command):
    def format(self) -> bytes:
        return b"endrestore"


@dataclass(frozen=True, slots=True)
class RestoreObjectCommand(Command):
    """Two packets follow: the object's name, and its bytes. end: none follow, that was the last."""

    end: bool = False
    length: int = 0
    full_length: int = 0
    index: int = 0
    type: int = 0
    compression: int = 0  # 1: zlib
    file_index: int = 0
    plugin: str = ""
    job_id: int = 0

    def format(self) -> bytes:
        if self.end:
            return b"restoreobject end\n"
        numbers = (self.length, self.full_length, self.index, self.type, self.compression, self.file_index)
        text = f"restoreobject JobId={self.job_id} {','.join(map(str, numbers))},{self.plugin}\n"
        return text.encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class ComponentInfoCommand(Command):
    """Lines about a volume shadow copy follow, up to the end of data."""

    def format(self) -> bytes:
        return b"component_info\n"


@dataclass(frozen=True, slots=True)
class PluginFeaturesCommand(Command):
    """A 15.x Director asks what agents can do beyond saving and restoring."""

    def format(self) -> bytes:
        return b"PluginFeatures\n"


@dataclass(frozen=True, slots=True)
class NetworkTestCommand(Command):
    """A 15.x console asks how fast the way to a Storage Daemon is. packets: small ones, there and back."""

    size: int
    packets: int

    def format(self) -> bytes:
        return b"testnetwork bytes=%d rtt=%d\n" % (self.size, self.packets)


@dataclass(frozen=True, slots=True)
class StatusCommand(Command):
    def format(self) -> bytes:
        return b"status"


@dataclass(frozen=True, slots=True)
class DotStatusCommand(Command):
    """For programs. what: header, running, terminated, statistics, resources, current, last."""

    what: str
    api: int = 0
    options: str = ""

    def format(self) -> bytes:
        return f".status {self.what} api={self.api} api_opts={self.options}".encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class CancelCommand(Command):
    """stop: end it incomplete instead of canceled."""

    job: str
    stop: bool = False

    def format(self) -> bytes:
        return f"{'stop' if self.stop else 'cancel'} Job={self.job}\n".encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class SetDebugCommand(Command):
    level: int
    trace: int = 0
    hangup: int = 0
    blowup: int = 0
    options: str = ""
    tags: str = ""

    def format(self) -> bytes:
        return (
            f"setdebug={self.level} trace={self.trace} hangup={self.hangup} blowup={self.blowup}"
            f" options={self.options} tags={self.tags}\n"
        ).encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class StatisticsCommand(Command):
    """15.x. all: every number there is; else one is named, in a way that no console was seen to use. json: in that form."""

    all: bool = True
    json: bool = False

    def format(self) -> bytes:
        form = "json" if self.json else "simple"
        return f"statistics all format={form}\n".encode() if self.all else f"statistics format={form} metric\n".encode()


@dataclass(frozen=True, slots=True)
class QueryCommand(Command):
    """15.x: what a plugin says of one of its parameters."""

    parameter: str
    plugin: str
    value: str = ""

    def format(self) -> bytes:
        text = f'query parameter="{self.parameter}" plugin="{self.plugin}" value="{self.value}"\n'
        return text.encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class SnapshotCommand(Command):
    """what: list, retention, del, query; others are not known. rest: which one."""

    what: str
    rest: bytes = b""

    def format(self) -> bytes:
        what = f" {self.what}" if self.what else ""
        return b"snapshot" + what.encode() + self.rest + b"\n"


@dataclass(frozen=True, slots=True)
class CapabilitiesCommand(Command):
    """15.x: what we can beyond the protocol, as we say it to a Storage Daemon."""

    def format(self) -> bytes:
        return b"caps\n"


@dataclass(frozen=True, slots=True)
class PluginOptionsCommand(Command):
    """15.x: options of the Job's conf for a plugin."""

    options: str

    def format(self) -> bytes:
        return b"pluginoptions=" + self.options.replace(" ", "\x01").encode("utf-8", "surrogateescape") + b"\n"


@dataclass(frozen=True, slots=True)
class RestoreFileListCommand(Command):
    """15.x: what will be restored by a plugin, up to the end of data, as in an accurate list."""

    plugin: str

    def format(self) -> bytes:
        return b"restorefilelist plugin=" + self.plugin.replace(" ", "\x01").encode("utf-8", "surrogateescape") + b"\n"


@dataclass(frozen=True, slots=True)
class SessionCommand(Command):
    """Obsolete; answered and forgotten."""

    def format(self) -> bytes:
        return b"session\n"
