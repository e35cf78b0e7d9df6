"""Packets: how Bacula's daemons cut a connection into messages.

    0  i32  header     > 0: that many bytes of payload follow     0: an empty packet     < 0: a Signal, no payload
    4       payload

The header is big-endian. In a positive one bit 30 says that the payload is an LZ4 block and is no part of the length.
A `FrameReader` turns bytes into packets and knows no meanings; a packet is its payload, uncompressed.

Source: docs/formats/network.md, "Packets".
"""

from __future__ import annotations

import struct
from enum import Enum, IntEnum, IntFlag
from typing import Final, TypeAlias

from filed.errors import LocalProtocolError, RemoteProtocolError
from filed.wire.line_compression import compress_line, expand_line
from filed.wire.stream import Buffer

HEADER: Final = struct.Struct(">i")
MAX_PACKET_BYTES: Final = 1_000_000
"""The real daemons hang up on a longer one, compressed or not; and so it bounds our memory."""


class FrameFlag(IntFlag):
    """Bits of a positive header that are not length."""

    EXTENDED = 1 << 29  # a word of flags follows; only deduplication uses it, which is never offered here
    COMPRESSED = 1 << 30


class Signal(IntEnum):
    """Headers that are messages of their own. The console's, -11 to -28, never come to a File Daemon but for four."""

    EOD = -1  # end of data, or of a list; the conversation goes on
    EOD_POLL = -2  # the same, and please answer POLL_ANSWER
    STATUS = -3
    TERMINATE = -4  # the sender closes; nothing follows, nothing is to be sent any more
    POLL = -5  # are you there? POLL_ANSWER says yes
    HEARTBEAT = -6  # nothing but a sign of life
    HEARTBEAT_RESPONSE = -7
    BTIME = -9  # what time is it with you?
    BREAK = -10
    COMMAND_FAILED = -14
    COMMAND_OK = -15
    PROXY = -18
    PROXY_END = -21
    EXTENDED_TERMINATE = -29
    FD_CALLED = -30  # 15.x, a File Daemon that calls its Director
    IS_ALIVE = -31  # 15.x


POLL_ANSWER: Final = b"2000 OK\n"


class More(Enum):
    """What a reader says when it has no whole packet."""

    NEEDED = "more bytes are needed"


Packet: TypeAlias = bytes | Signal
"""A payload (b"" for the empty packet) or a signal."""

_SIGNALS: Final = {signal.value: signal for signal in Signal}
_COMPRESSED: Final = FrameFlag.COMPRESSED.value
_EXTENDED: Final = FrameFlag.EXTENDED.value


def pack_packet(payload: Buffer, *, compress: bool = False) -> bytes:
    """One message as it goes on the wire. compress: when that saves something.

    Raises LocalProtocolError when it is too long; the caller splits.
    """
    if len(payload) > MAX_PACKET_BYTES:
        raise LocalProtocolError(f"a packet of {len(payload):,} bytes; at most {MAX_PACKET_BYTES:,} are possible")
    if compress and (block := compress_line(payload)) is not None:
        return HEADER.pack(len(block) | _COMPRESSED) + block
    return HEADER.pack(len(payload)) + payload


def pack_signal(signal: Signal) -> bytes:
    return HEADER.pack(signal)


class FrameReader:
    """Cuts what arrives into packets. Holds at most one packet beside what arrived last, if drained each time.

    After a RemoteProtocolError it is of no more use: nobody knows where the next packet begins.
    """

    def __init__(self) -> None:
        self._view = memoryview(bytearray())
        self._at = self._end = 0  # what is held lies between

    def receive(self, data: Buffer) -> None:
        """Bytes as they came, in pieces of any size."""
        self.space(len(data))[:] = data
        self.arrived(len(data))

    def space(self, size: int) -> memoryview:
        """Where to put `size` bytes, or fewer: then say with `arrived` how many. Good until the next call of anything here."""
        held = self._end - self._at
        if self._end + size > len(self._view):
            rest = self._view[self._at : self._end]
            if held + size > len(self._view):
                self._view = memoryview(bytearray(held + size))
            self._view[:held] = rest
            self._at, self._end = 0, held
        return self._view[self._end : self._end + size]

    def arrived(self, count: int) -> None:
        self._end += count

    def next_packet(self) -> Packet | More:
        """The next packet, or More.NEEDED; HOT. Raises RemoteProtocolError."""
        begin = self._at + HEADER.size
        if self._end < begin:
            return More.NEEDED
        (header,) = HEADER.unpack_from(self._view, self._at)
        if header < 0:
            self._at = begin
            return _signal(header)
        end = begin + (header if header <= MAX_PACKET_BYTES else _length(header))
        if self._end < end:
            return More.NEEDED
        self._at = end
        payload = self._view[begin:end].tobytes()
        return expand_line(payload) if header & _COMPRESSED else payload

    def take_plain(self) -> memoryview:
        """Packets that are here whole, each behind its header, up to the first that is a signal, compressed or empty. Lent until the next call."""
        begin = at = self._at
        view, end, unpack, size = self._view, self._end - HEADER.size, HEADER.unpack_from, HEADER.size
        while at <= end:
            (length,) = unpack(view, at)
            if not 0 < length <= MAX_PACKET_BYTES or at + length > end:
                break
            at += size + length
        self._at = at
        return view[begin:at]

    def look(self) -> memoryview:
        """What is held, to be read only. Lent until the next call; then say with `taken` how much of it was whole packets."""
        return self._view[self._at : self._end]

    def taken(self, count: int) -> None:
        self._at += count

    @property
    def missing(self) -> int:
        """How many bytes may be read without reading beyond the packet in work: 0 when one is whole.

        For a peer whose next bytes may be none of ours, because TLS begins there. Raises RemoteProtocolError.
        """
        held = self.held
        if held < HEADER.size:
            return HEADER.size - held
        (header,) = HEADER.unpack_from(self._view, self._at)
        length = _length(header) if header >= 0 else 0
        return max(HEADER.size + length - held, 0)

    @property
    def held(self) -> int:
        """Bytes received and not yet given out."""
        return self._end - self._at


def _length(header: int) -> int:
    if header & _EXTENDED:
        raise RemoteProtocolError("a packet with an extended header, which was never offered", HEADER.pack(header))
    length = header & ~_COMPRESSED
    if length > MAX_PACKET_BYTES:
        text = f"a packet of {length:,} bytes is announced; at most {MAX_PACKET_BYTES:,} are possible"
        raise RemoteProtocolError(text, HEADER.pack(header))
    return length


def _signal(header: int) -> Signal:
    signal = _SIGNALS.get(header)
    if signal is None:
        raise RemoteProtocolError(f"there is no signal {header}", HEADER.pack(header))
    return signal
