r"""The File Daemon's side of a conversation with a Storage Daemon, as values.

What we say is a request, and each has one reply that means yes; `REQUESTS` is the table. All else that a Storage Daemon
answers is a `Refusal` ("39xx why", "3000 error") or illegal.

    append: open, data, then streams: StreamHeader, data packets, EOD for each, one more EOD behind the last; end, close
    read:   open, data, then records: RecordHeader, one packet with the data, until an EOD; close

Source: docs/formats/network.md, "Storage Daemon"; tests/wire/*.txt are conversations of the real ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import ClassVar, Final, NamedTuple, Self, TypeAlias

from filed.errors import LocalProtocolError, RemoteProtocolError
from filed.wire.frame import Packet, Signal

MAX_DATA_BYTES: Final = 65_536
"""File data in one packet: what bacula-fd sends if its conf does not say otherwise."""
MAX_RECORD_BYTES: Final = 1_000_000
"""Data of a record, in one packet."""
GOOD_STATUS: Final = frozenset("TW")
"""Letters of an append session that is good: terminated, with warnings."""
GOOD_READ_STATUS: Final = GOOD_STATUS | {"R"}
"""The same of a read session; the real Storage Daemon calls it still running."""

_NUMBER: Final = 10
_RECORD_HEADER: Final = re.compile(
    rb"rechdr ([0-9]{1,10}) ([0-9]{1,10}) (-?[0-9]{1,10}) (-?[0-9]{1,10}) ([0-9]{1,7})[\n\0]*"
).fullmatch
_SPACE, _BASHED = b" ", b"\x01"


class _Line:
    """A line of text with numbers in it. `template` is for `%`; each `%d` is a field, in order."""

    template: ClassVar[bytes]
    __slots__ = ()

    def format(self) -> bytes:
        return self.template % tuple(getattr(self, field.name) for field in fields(self))  # type: ignore[arg-type]

    @classmethod
    def parse(cls, packet: bytes) -> Self | None:
        """None when the packet is something else. A newline or NUL at its end does not matter."""
        match = re.fullmatch(_pattern(cls.template), packet.rstrip(b"\n\0"))
        return cls(*map(int, match.groups())) if match else None


def _pattern(template: bytes) -> bytes:
    return re.escape(template.rstrip(b"\n")).replace(b"%d", b"(-?[0-9]{1,%d})" % _NUMBER)


# Hello


@dataclass(frozen=True, slots=True)
class Hello:
    """job: its unique name. tlspsk: of 15.x, what we want of TLS; None: this version does not say."""

    job: bytes
    version: int
    tlspsk: int | None = None

    def format(self) -> bytes:
        """Raises LocalProtocolError when that is no name of a Job."""
        if not 0 < len(self.job) <= 127 or set(self.job) & set(b"\0\n\r\x01"):
            raise LocalProtocolError(f"not the name of a Job: {self.job[:140]!r}")
        tls = b"" if self.tlspsk is None else b" tlspsk=%d" % self.tlspsk
        return b"Hello Bacula SD: Start Job %b %d%b\n" % (self.job.replace(_SPACE, _BASHED), self.version, tls)

    @classmethod
    def parse(cls, packet: bytes) -> Hello | None:
        match = re.fullmatch(
            rb"Hello Bacula SD: Start Job ([^\s\0]{1,127}) ([0-9]{1,9})(?: tlspsk=([0-9]{1,4}))?",
            packet.rstrip(b"\n\0"),
        )
        if match is None:
            return None
        return cls(match[1].replace(_BASHED, _SPACE), int(match[2]), None if match[3] is None else int(match[3]))


@dataclass(frozen=True, slots=True)
class StorageCall:
    """A Storage Daemon that a Director has call us says this first, and then waits for our Hello. job: its unique name."""

    job: bytes
    version: int

    def format(self) -> bytes:
        return b"Hello FD: Bacula Storage calling Start Job %b %d\n" % (self.job.replace(_SPACE, _BASHED), self.version)

    @classmethod
    def parse(cls, packet: bytes) -> StorageCall | None:
        """None when somebody else says Hello."""
        match = re.fullmatch(
            rb"Hello FD: Bacula Storage calling Start Job ([^\s\0]{1,127}) ([0-9]{1,9})", packet.rstrip(b"\n\0")
        )
        return cls(match[1].replace(_BASHED, _SPACE), int(match[2])) if match else None


@dataclass(frozen=True, slots=True)
class HelloAccepted(_Line):
    template = b"3000 OK Hello %d\n"
    version: int  # 306 of 9.6.7, 30008 of 15.0.3


@dataclass(frozen=True, slots=True)
class StorageCapabilities:
    """15.x: what a Storage Daemon can, as names and numbers."""

    values: dict[bytes, int]

    @classmethod
    def parse(cls, packet: bytes) -> StorageCapabilities | None:
        if not packet.startswith(b"sdcaps:"):
            return None
        pairs = re.findall(rb"([a-z_]{1,40})=([0-9]{1,10})", packet)
        return cls({name: int(value) for name, value in pairs})


NO_CAPABILITIES: Final = b"fdcaps: dedup=0 rehydration=0 proxy=0\n"
"""Our answer to `StorageCapabilities`: no deduplication, no proxy."""


# Append


@dataclass(frozen=True, slots=True)
class AppendOpen(_Line):
    template = b"append open session\n"


@dataclass(frozen=True, slots=True)
class AppendData(_Line):
    template = b"append data %d\n"
    ticket: int


@dataclass(frozen=True, slots=True)
class AppendEnd(_Line):
    template = b"append end session %d\n"
    ticket: int


@dataclass(frozen=True, slots=True)
class AppendClose(_Line):
    template = b"append close session %d\n"
    ticket: int


@dataclass(frozen=True, slots=True)
class StreamHeader(_Line):
    """Ahead of a stream's packets. length: what is expected of file data, 0 for all else; nobody relies on it."""

    template = b"%d %d %d"
    file_index: int
    stream: int
    length: int


# Read


@dataclass(frozen=True, slots=True)
class ReadOpen(_Line):
    """VolSessionId and VolSessionTime of the Job that reads; what is read, the Director told the Storage Daemon."""

    template = b"read open session = DummyVolume %d %d 0 0 0 0\n"
    vol_session_id: int
    vol_session_time: int


@dataclass(frozen=True, slots=True)
class ReadData(_Line):
    template = b"read data %d\n"
    ticket: int


@dataclass(frozen=True, slots=True)
class ReadClose(_Line):
    template = b"read close session %d\n"
    ticket: int


class RecordHeader(NamedTuple):
    """Ahead of one record's data, which is one packet of `size` bytes. A NamedTuple, since a restore makes millions."""

    vol_session_id: int
    vol_session_time: int
    file_index: int
    stream: int
    size: int

    def format(self) -> bytes:
        return b"rechdr %d %d %d %d %d" % self

    @classmethod
    def parse(cls, packet: bytes) -> RecordHeader | None:
        """HOT."""
        match = _RECORD_HEADER(packet)
        return tuple.__new__(cls, map(int, match.groups())) if match else None


# Replies


@dataclass(frozen=True, slots=True)
class Opened(_Line):
    template = b"3000 OK open ticket = %d\n"
    ticket: int


@dataclass(frozen=True, slots=True)
class DataReady(_Line):
    template = b"3000 OK data\n"


@dataclass(frozen=True, slots=True)
class Appended(_Line):
    """All data was taken."""

    template = b"3000 OK append data\n"


@dataclass(frozen=True, slots=True)
class Ended(_Line):
    template = b"3000 OK end\n"


@dataclass(frozen=True, slots=True)
class Closed(_Line):
    """status: the code of the letter that the Job's session ended with: 84 for T."""

    template = b"3000 OK close Status = %d\n"
    status: int

    @property
    def letter(self) -> str:
        return chr(self.status) if 0x21 <= self.status < 0x7F else "?"


@dataclass(frozen=True, slots=True)
class Refusal:
    """text: what the Storage Daemon says of it, one line."""

    text: str


Request: TypeAlias = AppendOpen | AppendData | Signal | AppendEnd | AppendClose | ReadOpen | ReadData | ReadClose
Reply: TypeAlias = Opened | DataReady | Appended | Ended | Closed

REQUESTS: Final[dict[object, type[Reply]]] = {
    AppendOpen: Opened,
    AppendData: DataReady,
    Signal.EOD: Appended,  # behind the last stream
    AppendEnd: Ended,
    AppendClose: Closed,
    ReadOpen: Opened,
    ReadData: DataReady,
    ReadClose: Closed,
}
"""What means yes to each request."""


def parse_reply(request: Request, packet: Packet) -> Reply | Refusal:
    """The answer to `request`. Raises RemoteProtocolError for what is none."""
    expected = REQUESTS[request if isinstance(request, Signal) else type(request)]
    if isinstance(packet, Signal):
        raise RemoteProtocolError(f"the signal {packet.name} where {expected.__name__} or a refusal was expected")
    reply = expected.parse(packet)
    if reply is not None:
        return reply
    refusal = parse_refusal(packet)
    if refusal is None:
        raise RemoteProtocolError(f"not an answer to {_name(request)}", packet)
    return refusal


def parse_refusal(packet: bytes) -> Refusal | None:
    """ "39xx why" and "3000 error"; None for all else."""
    if not re.match(rb"39[0-9]{2}\b|3[0-9]{3} error", packet, re.IGNORECASE):
        return None
    text = packet[:500].decode("utf-8", "backslashreplace").rstrip("\n\0 ")
    return Refusal("".join(c if c.isprintable() else " " for c in text))


def _name(request: Request) -> str:
    return request.name if isinstance(request, Signal) else request.format().decode().strip()
