"""Our side of one conversation with a Director, as packets in and events out. No sockets, no clock, no Jobs.

    HELLO -> (TLS) -> PROVING -> (TLS) -> COMMANDS <-> LIST -> CLOSED

Before the proof TLS begins where our version has it so (wire/version.py), else behind it.

Answers pile up and are taken with `to_send`. Who the Directors are, a random number and the time come in as arguments.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from filed.errors import AuthenticationError, RemoteProtocolError, printable
from filed.wire import reply
from filed.wire.auth import NO_TLS_OFFER, Challenge, Encryption, MutualProof, Proof, StartTls, wants_tls
from filed.wire.director import (
    AccurateCommand,
    Command,
    ComponentInfoCommand,
    FileSetCommand,
    JobCommand,
    RestoreFileListCommand,
    RestoreObjectCommand,
)
from filed.wire.director_parse import Phase, parse_command, row_of, shown
from filed.wire.frame import Packet, Signal
from filed.wire.version import VERSIONS, Version, spoken_with

MIN_HELLO, MAX_HELLO = 20, 500  # bytes; what is outside is no Director
MAX_FILESET_BYTES = 64 << 20  # a FileSet is a few kilobytes; one of this size is an attack
MAX_COMMANDS_BYTES = 64 << 20  # of all commands of a visit: some are kept until the Job runs
PACKET_BYTES = 64  # about what keeping one costs beside its bytes: there may be millions of empty ones
OBJECT_PACKETS = 2  # name and content

_HELLO = re.compile(
    rb"Hello (?:Director )?(?P<name>\S{1,127}) calling(?: (?P<version>\d{1,9}))?(?: tlspsk=(?P<tls>\d{1,4}))?\s*\0?"
)
_BTIME = re.compile(rb"btime (-?\d{1,19})\s*\0?")


@dataclass(frozen=True, slots=True)
class KnownDirector:
    """A Director resource, as far as a conversation needs it. secret: of the password, see wire/auth.py. tls: what we offer."""

    name: str
    secret: bytes = field(repr=False)
    monitor: bool = False
    tls: StartTls = NO_TLS_OFFER


@dataclass(frozen=True, slots=True)
class Greeted:
    """The Director has proved who it is, and commands follow. number: of its own Hello.  version: what we speak with it."""

    director: KnownDirector
    number: int
    version: Version


@dataclass(frozen=True, slots=True)
class TlsBegins:
    """All that is to be sent goes out, then comes the handshake, in which we are the server, then `tls_is_up`."""

    director: KnownDirector
    by: Encryption


@dataclass(frozen=True, slots=True)
class Item:
    """A packet of the list that the last command announced."""

    packet: bytes


@dataclass(frozen=True, slots=True)
class EndOfList:
    pass


@dataclass(frozen=True, slots=True)
class ClockSample:
    """The Director's time, in microseconds since 1970."""

    microseconds: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that may not be said, or means nothing; the answer is out. ends: so is the conversation."""

    packet: bytes
    ends: bool


@dataclass(frozen=True, slots=True)
class Left:
    """The Director has said that it goes. Nothing may be sent any more."""


Event = Command | Greeted | TlsBegins | Item | EndOfList | ClockSample | Refused | Left


class State(Enum):
    HELLO = auto()
    PROVING = auto()
    TLS = auto()
    COMMANDS = auto()
    LIST = auto()
    CLOSED = auto()


class DirectorConnection:
    """See the module. disabled: commands that the conf forbids, as the first word without `=`.

    versions: those that the conf has us speak; the Director's Hello decides which.
    """

    def __init__(  # noqa: PLR0917  each is one of the facts that a conversation needs
        self,
        name: str,
        directors: Mapping[str, KnownDirector],
        random: int,
        now_s: int,
        disabled: Mapping[str, tuple[str, ...]] | None = None,
        versions: Sequence[Version] = VERSIONS,
    ) -> None:
        self.state = State.HELLO
        self.phase = Phase.GREETED
        self._name, self._directors, self._versions = name, directors, versions
        self._version = versions[0]
        self._random, self._now_s = random, now_s
        self._disabled = disabled or {}
        self._out: list[Packet] = []
        self._director: KnownDirector | None = None
        self._encrypted = False
        self._their_number = 0
        self._proof: MutualProof | None = None
        self._commands_bytes = 0
        self._list_bytes = 0
        self._list_limit = 0  # of bytes; 0: none
        self._counted = 0  # packets left of a list that has no end of data

    # -- packets in and out ---------------------------------------------------------------------------------------

    def to_send(self) -> list[Packet]:
        packets, self._out = self._out, []
        return packets

    def send(self, *packets: Packet) -> None:
        """Queue answers. After the Director left they go nowhere."""
        if self.state is not State.CLOSED:
            self._out += packets

    def receive(self, packet: Packet) -> list[Event]:
        """Take one. Raises RemoteProtocolError, and AuthenticationError when the Director is not who it should be.

        What is queued then is still to be sent.
        """
        events: list[Event] = []
        self._packet(packet, events)
        return events

    def tls_is_up(self) -> Greeted | None:
        """The handshake is done; go on. None when the proof is still to come."""
        assert self.state is State.TLS
        self._encrypted = True
        if self._proof is None:
            self._challenge()
            return None
        return self._greet()

    def _packet(self, packet: Packet, events: list[Event]) -> None:
        if self.state is State.CLOSED:
            return
        if packet is Signal.TERMINATE:
            self.state = State.CLOSED
            events.append(Left())
        elif self.state is State.HELLO:
            self._hello(packet, events)
        elif self.state is State.PROVING:
            self._prove(packet, events)
        elif self.state is State.LIST:
            self._list(packet, events)
        else:
            self._command(packet, events)

    def _hello(self, packet: Packet, events: list[Event]) -> None:
        match = None
        if not isinstance(packet, Signal) and MIN_HELLO <= len(packet) <= MAX_HELLO:
            match = _HELLO.fullmatch(packet)
        if match is None:
            raise RemoteProtocolError("a Director's Hello was expected", b"" if isinstance(packet, Signal) else packet)
        named = match["name"].replace(b"\x01", b" ")
        name = named.decode("utf-8", "surrogateescape")
        self._director = self._directors.get(name)
        if self._director is None:
            raise AuthenticationError(
                f'a Director named "{printable(named)}" called; the conf has no such Director resource'
            )
        self._their_number = int(match["version"] or 0)
        self._version = spoken_with(self._their_number, self._versions)
        if self._version.early_tls:
            theirs = StartTls.from_number(int(match["tls"] or 0))
            by = self._director.tls.agree(theirs, f'Director "{name}"')
            if by is not Encryption.NONE:
                self.send(self._director.tls.format())
                self.state = State.TLS
                events.append(TlsBegins(self._director, by))
                return
        elif self._director.tls.required and not self._director.tls.tls:
            text = f'Director "{name}" is of a release that has TLS with certificates alone, and TLS is required here'
            raise AuthenticationError(f"{text}: give its resource a certificate, or a newer release to its machine")
        self._challenge()

    def _challenge(self) -> None:
        assert self._director is not None
        ours = self._name.encode("utf-8", "surrogateescape").replace(b" ", b"\x01")
        challenge = Challenge.fresh(ours, self._random, self._now_s, self._director.tls.tls)
        peer = f'Director "{self._director.name}"'
        self._proof = MutualProof(challenge, self._director.secret, peer, challenges_first=True)
        self.state = State.PROVING
        self.send(*self._proof.begin())

    def _prove(self, packet: Packet, events: list[Event]) -> None:
        assert self._proof is not None
        assert self._director is not None
        if isinstance(packet, Signal):
            raise RemoteProtocolError(f"signal {packet.name} came in place of a proof")
        self.send(*self._proof.receive(packet))
        if self._proof.state is Proof.FAILED:
            self.send(reply.AUTH_FAILED)
            raise self._proof.refusal
        if self._proof.state is Proof.GIVEN:
            peer = f'Director "{self._director.name}"'
            if not self._encrypted and wants_tls(self._director.tls.tls, self._proof.their_tls, peer):
                self.state = State.TLS
                events.append(TlsBegins(self._director, Encryption.CERTIFICATES))
            else:
                events.append(self._greet())

    def _greet(self) -> Greeted:
        assert self._director is not None
        self.state = State.COMMANDS
        self.send(b"2000 OK Hello %d\n" % self._version.number)
        return Greeted(self._director, self._their_number, self._version)

    def _command(self, packet: Packet, events: list[Event]) -> None:
        assert self._director is not None
        if isinstance(packet, Signal):
            return  # none of them asks for anything here
        self._commands_bytes += len(packet) + PACKET_BYTES
        if self._commands_bytes > MAX_COMMANDS_BYTES:
            raise RemoteProtocolError(f"commands of more than {MAX_COMMANDS_BYTES:,} bytes", shown(packet))
        if (sample := _BTIME.fullmatch(packet)) is not None:
            events.append(ClockSample(int(sample[1])))
            return
        row = row_of(packet)
        if row is None or not row.phase & self.phase or self._is_disabled(packet):
            self._refuse(packet, events, reply.INVALID_COMMAND, ends=True)
        elif self._director.monitor and not row.monitor:
            self._refuse(packet, events, reply.MONITOR_ONLY, Signal.EOD)
        else:
            try:
                command = parse_command(packet)
            except RemoteProtocolError:
                self._refuse(packet, events, row.bad, ends=True)
                return
            if self._director.monitor and isinstance(command, JobCommand) and command.job_id:
                self._refuse(packet, events, reply.MONITOR_ONLY, Signal.EOD)  # only a console's question has JobId 0
                return
            events.append(command)
            self._after(command)

    def _after(self, command: Command) -> None:
        if isinstance(command, JobCommand):
            self.phase = Phase.NAMED
        elif isinstance(command, FileSetCommand | ComponentInfoCommand):
            self.state, self._list_bytes, self._list_limit, self._counted = State.LIST, 0, MAX_FILESET_BYTES, 0
        elif isinstance(command, AccurateCommand | RestoreFileListCommand):
            self.state, self._list_bytes, self._list_limit, self._counted = State.LIST, 0, 0, 0
        elif isinstance(command, RestoreObjectCommand) and not command.end:
            self.state, self._list_bytes, self._list_limit = State.LIST, 0, MAX_FILESET_BYTES
            self._counted = OBJECT_PACKETS

    @property
    def in_long_list(self) -> bool:
        """Is each packet, up to a signal, an item of a list of any length?"""
        return self.state is State.LIST and not self._list_limit and not self._counted

    def _list(self, packet: Packet, events: list[Event]) -> None:
        ended = packet is Signal.EOD
        if isinstance(packet, bytes):
            events.append(Item(packet))
            self._list_bytes += len(packet) + PACKET_BYTES
            if self._list_limit and self._list_bytes > self._list_limit:
                raise RemoteProtocolError(f"a list of more than {self._list_limit:,} bytes", packet)
            if self._counted:
                self._counted -= 1
                ended = not self._counted
        if ended:
            events.append(EndOfList())
            self.state = State.COMMANDS

    def _refuse(self, packet: bytes, events: list[Event], *answer: bytes | Signal, ends: bool = False) -> None:
        self.send(*answer)
        events.append(Refused(packet, ends))

    def _is_disabled(self, packet: bytes) -> bool:
        return self.disables(re.split(rb"[\s=]", packet, maxsplit=1)[0].decode("ascii", "replace"))

    def disables(self, *words: str) -> bool:
        """Whether the conf forbids this Director one of these commands."""
        assert self._director is not None
        return not set(words).isdisjoint(self._disabled.get(self._director.name, ()))
