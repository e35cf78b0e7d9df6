"""A Director over a socket, packet by packet, for tests of whole visits."""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Self

from filed.wire.auth import AUTH_OK, Base64, Challenge, TlsNeed
from filed.wire.frame import FrameReader, More, Packet, Signal, pack_packet, pack_signal
from filed.wire.version import spoken_with
from tests.director.talk import SECRET

TIMEOUT_S = 30
JOB = b"JobId=%d Job=Save.2026-11-23_10.14.28_03 SDid=1 SDtime=17 Authorization=KEY\n"


class PacketEnd:
    """One end of a connection, for whole packets."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(TIMEOUT_S)
        self.sock, self._reader = sock, FrameReader()

    def say(self, *packets: Packet) -> None:
        for packet in packets:
            self.sock.sendall(pack_signal(packet) if isinstance(packet, Signal) else pack_packet(packet))

    def packet(self) -> Packet:
        """The next one; TERMINATE also when the connection was closed."""
        while isinstance(packet := self._reader.next_packet(), More):
            data = self.sock.recv(65536)
            if not data:
                return Signal.TERMINATE
            self._reader.receive(data)
        return packet


class Dialogue(PacketEnd):
    """Greets on entering; leaves, if it has not, on the way out."""

    def __init__(
        self,
        sock: socket.socket,
        name: bytes = b"a\x01dir",
        secret: bytes = SECRET,
        flavour: Base64 = Base64.OLD,
        number: int = 103,
    ) -> None:
        super().__init__(sock)
        self._name, self._secret = name, secret
        self._flavour, self._number = flavour, number

    def __enter__(self) -> Self:
        try:
            self.greet()
        except BaseException:
            self.sock.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.sock.close()

    def greet(self) -> None:
        self.say(b"Hello Director %b calling %d\n" % (self._name, self._number))
        self.say(Challenge.parse(self.text()).response(self._secret))
        assert self.text() == AUTH_OK
        theirs = Challenge.fresh(b"a-dir", 42, 1795428868, TlsNeed.NONE, self._flavour)
        self.say(theirs.format())
        assert theirs.accepts(self._secret, self.text())
        self.say(AUTH_OK)
        assert self.text() == b"2000 OK Hello %d\n" % spoken_with(self._number).number

    def name(self, job_id: int = 0) -> None:
        self.say(JOB % job_id)
        assert self.text().startswith(f"2000 OK Job {spoken_with(self._number).text} (".encode())

    def text(self) -> bytes:
        packet = self.packet()
        assert isinstance(packet, bytes), packet
        return packet

    def until(self, end: Packet) -> list[Packet]:
        """What comes before it. Fails at the end of the conversation."""
        found: list[Packet] = []
        while (packet := self.packet()) != end:
            assert packet is not Signal.TERMINATE, found
            found.append(packet)
        return found

    def rest(self) -> list[Packet]:
        """Everything up to its TERMINATE, or the end."""
        found: list[Packet] = []
        while (packet := self.packet()) is not Signal.TERMINATE:
            found.append(packet)
        return found
