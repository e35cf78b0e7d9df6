"""How fast the way to a Storage Daemon is, for the console's `status network`: bytes there, bytes back, small packets there and back.

    FD > testnetwork bytes=B rtt=N bw=0\\n    then B bytes, and EOD
    SD > B bytes, and EOD
    FD > a packet of 8 bytes, N times; the Storage Daemon sends each back
    FD > EOD

Seen with 15.0.3. Each line that is yielded is for the Director, as bacula-fd words it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

from filed.errors import RemoteProtocolError
from filed.transport import Connection
from filed.wire.frame import Signal, pack_packet

MAX_BYTES: Final = 1 << 36
MAX_PACKETS: Final = 10_000
PACKET_BYTES: Final = 65_536
_PING: Final = bytes(8)


def measured(
    connection: Connection, size: int, packets: int, clock: Callable[[], float] = time.monotonic
) -> Iterator[str]:
    """connection: greeted; still open behind the last text. Raises ConnectionLost, RemoteProtocolError."""
    size, packets = min(size, MAX_BYTES), min(packets, MAX_PACKETS)
    connection.phase = "the test of the network"
    connection.send(b"testnetwork bytes=%d rtt=%d bw=0\n" % (size, packets))
    began = clock()
    block, left = pack_packet(b"\xaa" * PACKET_BYTES), size
    while left >= PACKET_BYTES:
        connection.send_frames(block)
        left -= PACKET_BYTES
    connection.send(*([b"\xaa" * left] if left else []), Signal.EOD)
    yield f"2000 OK FD wrote bytes={size} to SD {_speed('write', size, clock() - began)}"
    began, got = clock(), 0
    while isinstance(packet := connection.receive(), bytes):
        got += len(packet)
        if got > size:
            raise RemoteProtocolError(f"{connection.peer} sent more than the {size:,} bytes of the test", packet)
    yield f"2000 OK FD read bytes={got} from SD {_speed('read', got, clock() - began)}"
    times = []
    for _ in range(packets):
        sent = clock()
        connection.send(_PING)
        connection.receive_text()
        times.append(clock() - sent)
    connection.send(Signal.EOD)
    if times:
        least, most, all_of_them = min(times), max(times), sum(times)
        yield (
            f"2000 OK packets={packets} duration={int(all_of_them * 1000)}ms rtt={_ms(all_of_them / packets)}"
            f" min={_ms(least)} max={_ms(most)}"
        )


def _speed(word: str, size: int, seconds: float) -> str:
    return f"duration={int(seconds * 1000)}ms {word}_speed={size / max(seconds, 1e-6) / 1e6:.2f} MB/s"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f}ms"
