"""A connection: packets over a channel, with deadlines, an ear for the Job's cancel pipe, and encryption when its moment comes.

The channel does not block; each wait is a poll that the cancel pipe ends at once. What keeps a connection alive (heartbeats,
polls) is dealt with here and seen by nobody. Only what comes in is ever read ahead, and not before `read_ahead` says that
no TLS will begin in between.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from filed.errors import AuthenticationError, ConnectionLost, FiledError, RemoteProtocolError
from filed.transport.bandwidth import Bandwidth
from filed.transport.channel import NOTHING, Channel, HandshakeRefused, PlainChannel
from filed.transport.waiting import READ, Waiting
from filed.wire.frame import HEADER, POLL_ANSWER, FrameReader, More, Packet, Signal, pack_packet, pack_signal
from filed.wire.stream import Buffer

DIALOGUE_TIMEOUT_S: Final = 180.0
"""A peer that owes an answer to something simple; the real daemons give a response to a challenge as long."""
LEAVE_TIMEOUT_S: Final = 2.0
RECEIVE_BYTES: Final = 1 << 20  # each look at the socket costs as much as 64 KiB of a restore
LOST_BYTES: Final = 1 << 16  # read at a time, of what nobody wants any more
KEEPALIVE_S: Final = 60
MAX_KEEPALIVE_S: Final = 32_767  # of Linux
KEEPALIVE: Final = {"TCP_KEEPINTVL": 30, "TCP_KEEPCNT": 5}
"""A machine that is gone without a trace is noticed after about three minutes, also where nothing is due for days."""
_LIMIT_LOOK_S: Final = 0.25  # how soon a changed limit is obeyed
_SILENT: Final = frozenset({Signal.HEARTBEAT, Signal.HEARTBEAT_RESPONSE, Signal.IS_ALIVE})

Timeout: TypeAlias = float | None
"""Seconds without any progress; None for ever."""


class Connection:
    """One peer. One thread uses it; the cancel pipe is how others end its waits.

    sock: connected; ours from now on. peer: as messages shall call it. cancel_pipe: see Waiting.
    bandwidth: limits both directions together. compress: packets that we send, where it saves something.
    keepalive_s: how long nothing may pass before the system asks the peer's for a sign of life; 0 for KEEPALIVE_S.
    Every method may raise JobCanceled, and ConnectionLost naming peer and phase; after those only `close` is left.
    """

    def __init__(
        self,
        sock: socket.socket,
        peer: str,
        *,
        cancel_pipe: int | None = None,
        bandwidth: Bandwidth | None = None,
        compress: bool = False,
        keepalive_s: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        prepare(sock, keepalive_s or KEEPALIVE_S)
        self.peer = peer
        self.phase = "the greeting"
        """What goes on, for messages; whoever talks sets it."""
        self.compress = compress
        self.read_ahead = False
        self.hears_is_alive = False
        """Is the peer's IS_ALIVE more than a sign of life?"""
        self.sent_bytes = 0  # on the wire, without TLS
        self.saved_bytes = 0  # by compression of what was sent; together with the former: what there was to send
        self.on_this_machine = _on_this_machine(sock)
        """Is the peer here, and does it use the same processors?"""
        self._sock = sock
        self._channel: Channel = PlainChannel(sock)
        self._reader = FrameReader()
        self._waiting = Waiting(sock, peer, cancel_pipe, clock)
        self._bandwidth = bandwidth
        self._clock = clock
        self._limit: float | None = None

    def rename(self, peer: str) -> None:
        """For one that said who it is, or who it says it is."""
        self.peer = self._waiting.peer = peer

    def limit(self, seconds: float | None) -> None:
        """All that follows has to be done within so many seconds together, however lively the peer is; None: no more."""
        self._limit = None if seconds is None else self._clock() + seconds

    # -- sending --------------------------------------------------------------------------------------------------

    def send(self, *packets: Packet, timeout_s: Timeout = DIALOGUE_TIMEOUT_S) -> None:
        """These packets in one go. On return the system has them all."""
        frames = [
            pack_signal(packet) if isinstance(packet, Signal) else pack_packet(packet, compress=self.compress)
            for packet in packets
        ]
        if self.compress:
            plain = sum(HEADER.size + (0 if isinstance(packet, Signal) else len(packet)) for packet in packets)
            self.saved_bytes += plain - sum(map(len, frames))
        self.send_frames(b"".join(frames), timeout_s=timeout_s)

    def send_frames(self, *parts: Buffer, timeout_s: Timeout = DIALOGUE_TIMEOUT_S) -> None:
        """Bytes that are whole packets together, one part right behind the other. HOT: none is copied without need.

        A peer that says something meanwhile is listened to, since one that cannot send may stop to receive.
        """
        if self._waiting.now(READ if self._room() else 0, self.phase):
            self._fill()
        if self._bandwidth is None or not self._bandwidth.limited:
            self._push(parts, timeout_s)
            return
        for part in parts:
            left = memoryview(part)
            while left:
                portion = self._portion(len(left))
                self._push([left[:portion]], timeout_s)
                self._spend(portion)
                left = left[portion:]

    def _push(self, parts: Sequence[Buffer], timeout_s: Timeout) -> None:
        """All of it, however long the limit is; HOT."""
        left, waiting, until = _behind(parts, 0), False, None
        while left:
            try:
                done = self._channel.send(left)
            except OSError as error:
                raise self._lost(error) from error
            if done:
                self.sent_bytes += done
                left, waiting = _behind(left, done), False
            else:
                if not waiting:  # the time counts from the last progress
                    waiting, until = True, self._until(timeout_s)
                self._wait_to_send(until)

    def _wait_to_send(self, until: float | None) -> None:
        """Until the channel takes more, or the peer has said something, which is read."""
        want = self._channel.want
        if self._waiting.wait(want | READ if self._room() else want, self.phase, until) & ~want:
            self._fill()

    # -- receiving ------------------------------------------------------------------------------------------------

    def receive(self, timeout_s: Timeout = DIALOGUE_TIMEOUT_S) -> Packet:
        """The next packet that means something. Raises RemoteProtocolError."""
        try:
            waiting = self._reader.next_packet()
        except RemoteProtocolError as error:
            raise self.blame(error) from error.__cause__
        if type(waiting) is bytes:  # HOT, and the rule
            return waiting
        packet = self._meant(waiting)
        until = self._until(timeout_s)
        while packet is None:
            while not self._fill():
                self._waiting.wait(READ, self.phase, until)
            until = self._until(timeout_s)
            packet = self.next_packet()
        return packet

    def next_packet(self) -> Packet | None:
        """The next packet that means something, of those that were read. Raises RemoteProtocolError."""
        return self._meant(self._cut())

    def take_plain(self) -> memoryview:
        """As of `FrameReader`: many packets of a list at once, of those that were read."""
        return self._reader.take_plain()

    def held(self) -> memoryview:
        """Of what was read, all that nobody has taken: see FrameReader's look, and `taken`."""
        return self._reader.look()

    def taken(self, count: int) -> None:
        """So many bytes of `held`, which are whole packets."""
        self._reader.taken(count)

    def look(self) -> Packet | None:
        """The next packet that means something, of those that are here. Does not wait. Raises RemoteProtocolError."""
        while (packet := self.next_packet()) is None and self._fill():
            pass
        return packet

    def _cut(self) -> Packet | More:
        try:
            return self._reader.next_packet()
        except RemoteProtocolError as error:
            raise self.blame(error) from error.__cause__

    def blame(self, error: RemoteProtocolError) -> RemoteProtocolError:
        """The same error, with the peer's name and what went on."""
        if self.peer in str(error):
            return error
        blamed = RemoteProtocolError(f"{self.peer}, {self.phase}: {error}")
        blamed.sample = error.sample
        return blamed

    def _meant(self, packet: Packet | More) -> Packet | None:
        """The packet, or the first behind it, that is more than a sign of life."""
        while packet is not More.NEEDED:
            if isinstance(packet, bytes):
                return packet
            if packet is Signal.POLL:
                self.send(POLL_ANSWER)
            elif packet not in _SILENT or (packet is Signal.IS_ALIVE and self.hears_is_alive):
                return packet
            packet = self._cut()
        return None

    def receive_text(self, timeout_s: Timeout = DIALOGUE_TIMEOUT_S) -> bytes:
        """The next packet, where only a text is legal. TERMINATE is ConnectionLost; other signals RemoteProtocolError."""
        packet = self.receive(timeout_s)
        if packet is Signal.TERMINATE:
            raise ConnectionLost(self.peer, self.phase, "it ended the conversation")
        if isinstance(packet, Signal):
            raise RemoteProtocolError(f"{self.peer} sent the signal {packet.name} during {self.phase}")
        return packet

    def last_words(self) -> Packet | None:
        """After ConnectionLost: what the peer said before it went, and nobody has taken yet. Often that is why."""
        with contextlib.suppress(FiledError):
            while self._fill():
                pass
        with contextlib.suppress(FiledError):
            return self.next_packet()
        return None

    @property
    def heard(self) -> bool:
        """Has the peer said something that nobody has taken yet?"""
        return self._reader.held > 0

    def _fill(self) -> bool:
        """Read what is there, at least one byte; False when nothing is."""
        self._waiting.now(0, self.phase)  # a cancel is obeyed also when there is always something to read
        size = self._room()
        if not size:
            return False
        try:
            count = self._channel.recv_into(self._reader.space(self._portion(size)))
        except OSError as error:
            raise self._lost(error) from error
        if count == NOTHING:
            if self._channel.want != READ:
                self._waiting.wait(self._channel.want, self.phase, self._until(DIALOGUE_TIMEOUT_S))
            return False
        if not count:
            raise ConnectionLost(self.peer, self.phase, "it closed the connection")
        self._spend(count)
        self._reader.arrived(count)
        return True

    def _room(self) -> int:
        """How much may be read now: little while nobody takes it, and nothing beyond a packet that TLS may follow."""
        if self.read_ahead and self._reader.held < RECEIVE_BYTES:
            return RECEIVE_BYTES
        try:
            missing = self._reader.missing
        except RemoteProtocolError as error:
            raise self.blame(error) from error.__cause__
        return min(missing, RECEIVE_BYTES)

    def pause(self, seconds: float) -> None:
        """Let time pass. Raises JobCanceled."""
        self._until(None)
        self._waiting.pause(seconds, self.phase)

    # -- encryption -----------------------------------------------------------------------------------------------

    def encrypt(self, wrap: Callable[[socket.socket], Channel], timeout_s: Timeout = DIALOGUE_TIMEOUT_S) -> None:
        """The handshake, now. wrap: makes a channel of the plain socket. Then `names` and `cipher` say what came of it.

        Raises AuthenticationError when the peer does not accept us, or we do not accept it.
        """
        if self._reader.held:
            raise RemoteProtocolError(f"{self.peer} sent more in clear where TLS begins")
        self.phase = "the start of TLS"
        until = self._until(timeout_s)
        try:
            self._channel = wrap(self._sock)
            while not self._channel.handshake():
                self._waiting.wait(self._channel.want, self.phase, until)
        except HandshakeRefused as error:
            raise AuthenticationError(f"TLS with {self.peer} could not begin: {error.strerror}") from error
        except OSError as error:
            raise self._lost(error) from error

    def go_on_in_clear(self) -> None:
        """TLS is over by agreement, and the conversation is not."""
        if self._reader.held:
            raise RemoteProtocolError(f"{self.peer} sent more where TLS ends")
        self._sock = self._channel.plain()
        self._channel = PlainChannel(self._sock)

    @property
    def names(self) -> Sequence[str]:
        """Whom the peer has proved to be by a certificate."""
        return self._channel.names

    @property
    def cipher(self) -> str:
        """How the conversation is encrypted, for a person; "" when it is not."""
        return self._channel.cipher

    # -- the end --------------------------------------------------------------------------------------------------

    def interrupt(self) -> None:
        """From any thread: whoever waits here gets ConnectionLost. The descriptor stays until `close`. Never raises."""
        self._channel.interrupt()

    def close(self) -> None:
        """Let it go, whatever state it is in. Never raises, never waits."""
        self._channel.close()

    def outwait(self, timeout_s: float) -> None:
        """Let the peer be the one who hangs up. What it says goes nowhere, the cancel pipe is not heard. Never raises."""
        until = self._clock() + timeout_s
        lost = memoryview(bytearray(LOST_BYTES))
        with contextlib.suppress(OSError, ValueError):
            while self._channel.pending() or self._waiting.for_more(until - self._clock()):
                count = self._channel.recv_into(lost)
                if not count or (count == NOTHING and self._clock() >= until):
                    return

    def take_leave(self, last: Signal = Signal.TERMINATE, timeout_s: float = LEAVE_TIMEOUT_S) -> None:
        """TERMINATE, then wait a moment for the peer's `last` word or its closing: one that still writes takes a cut for a fault.

        Never raises.
        """
        self.phase = "the end of the conversation"
        with contextlib.suppress(FiledError, OSError, ValueError):
            self.send(Signal.TERMINATE, timeout_s=timeout_s)
            until = self._clock() + timeout_s
            while self.receive(max(until - self._clock(), 0.0)) not in (last, Signal.TERMINATE):
                pass
        self.close()

    # -- small things ---------------------------------------------------------------------------------------------

    def _until(self, timeout_s: Timeout) -> float | None:
        if self._limit is None:
            return None if timeout_s is None else self._clock() + timeout_s
        now = self._clock()
        if now >= self._limit:
            raise ConnectionLost(self.peer, self.phase, "it took too long")
        return self._limit if timeout_s is None else min(now + timeout_s, self._limit)

    def _portion(self, most: int) -> int:
        """Wait for the limit, then say how much may be moved now."""
        if self._bandwidth is None:
            return most
        while (seconds := self._bandwidth.wait_s()) > 0:
            self._waiting.pause(min(seconds, _LIMIT_LOOK_S), self.phase)
        return self._bandwidth.portion(most)

    def _spend(self, count: int) -> None:
        if self._bandwidth is not None:
            self._bandwidth.spend(count)

    def _lost(self, error: OSError) -> ConnectionLost:
        return ConnectionLost(self.peer, self.phase, error.strerror or type(error).__name__)


def _behind(parts: Sequence[Buffer], done: int) -> Sequence[Buffer]:
    """What is left of parts when the first `done` bytes of them are gone."""
    for number, part in enumerate(parts):
        if done < len(part):
            return [memoryview(part)[done:], *parts[number + 1 :]]
        done -= len(part)
    return ()


def prepare(sock: socket.socket, keepalive_s: int = KEEPALIVE_S) -> None:
    """What every socket of ours is: not blocking, without delay for small packets, alive or noticed to be dead."""
    sock.setblocking(False)
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in {"TCP_KEEPIDLE": min(keepalive_s, MAX_KEEPALIVE_S), **KEEPALIVE}.items():
            if option := getattr(socket, name, None):
                sock.setsockopt(socket.IPPROTO_TCP, option, value)


def _on_this_machine(sock: socket.socket) -> bool:
    with contextlib.suppress(OSError):
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            return bool(sock.getpeername()[0] == sock.getsockname()[0])
        return True
    return False
