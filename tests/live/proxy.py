"""A proxy between two daemons that at one packet cuts, stalls or corrupts the connection.

    with Proxy(port) as proxy:                       # listens on 127.0.0.2, passes on to 127.0.0.1, the same port
        proxy.strike(Fault("cut", at=17))            # counted from now, over all connections and both directions
        ...
        assert proxy.struck.is_set()

A packet is one of Bacula's, or a record of TLS.
"""

from __future__ import annotations

import contextlib
import random
import select
import socket
import struct
import threading
from dataclasses import dataclass
from typing import Literal, Self

HERE, THERE = "127.0.0.2", "127.0.0.1"
TLS_KINDS = range(0x14, 0x18)  # the first byte of a record; no packet of Bacula's is so long as to begin like that
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Fault:
    """at: the packet, from 1. seed: which byte a corruption changes, and whether a cut is a reset."""

    how: Literal["cut", "stall", "corrupt"]
    at: int
    seed: int = 0


class Proxy:
    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server((HERE, port))
        self._wake, self._ring = socket.socketpair()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._fault: Fault | None = None
        self._stalled: list[socket.socket] = []
        self.struck = threading.Event()
        self.packets = 0  # since the last `strike`

    def __enter__(self) -> Self:
        self._start(self._listen)
        return self

    def __exit__(self, *_: object) -> None:
        self._ring.close()
        self.release()
        for thread in self._threads:
            thread.join(20)
            assert not thread.is_alive()
        self._listener.close()
        self._wake.close()

    def strike(self, fault: Fault | None) -> None:
        """None: count only."""
        self.release()
        with self._lock:
            self._fault, self.packets = fault, 0
            self.struck.clear()

    def disarm(self) -> None:
        """Strike nothing more; what stalls goes on stalling."""
        with self._lock:
            self._fault = None

    def release(self) -> None:
        """Let the connections that stall come to their end."""
        with self._lock:
            stalled, self._stalled = self._stalled, []
        for sock in stalled:
            _end(sock)

    def _start(self, act: object, *arguments: object) -> None:
        thread = threading.Thread(target=act, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads = [each for each in self._threads if each.is_alive()] + [thread]
        thread.start()

    def _listen(self) -> None:
        while self._listener in select.select([self._listener, self._wake], [], [])[0]:
            near, _ = self._listener.accept()
            try:
                far = socket.create_connection((THERE, self._port), 20)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            self._start(self._pass, near, far)

    def _pass(self, near: socket.socket, far: socket.socket) -> None:
        """One connection, to its end. One thread, so that nobody closes what another one reads."""
        pending = {near: bytearray(), far: bytearray()}
        other = {near: far, far: near}
        with near, far:
            while True:
                ready = select.select([near, far, self._wake], [], [])[0]
                if self._wake in ready:
                    return
                for sock in ready:
                    try:
                        data = sock.recv(65536)
                    except OSError:
                        data = b""
                    if not data:
                        with contextlib.suppress(OSError):
                            other[sock].sendall(pending[sock])
                        return
                    pending[sock] += data
                    if not self._pass_packets(pending[sock], other[sock], near, far):
                        return

    def _pass_packets(self, data: bytearray, to: socket.socket, near: socket.socket, far: socket.socket) -> bool:
        """Every whole packet. False at the end of the connection."""
        while (length := _length(data)) and len(data) >= length:
            packet, data[:length] = bytes(data[:length]), b""
            with self._lock:
                self.packets += 1
                fault = self._fault if self._fault is not None and self.packets == self._fault.at else None
            try:
                if fault is None:
                    to.sendall(packet)
                elif fault.how == "corrupt":
                    to.sendall(_corrupted(packet, fault.seed))
                    self.struck.set()
                elif fault.how == "cut":
                    to.sendall(packet[: random.Random(fault.seed).randrange(length)])
                    if fault.seed % 2:
                        for sock in (near, far):
                            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    self.struck.set()
                    return False
                else:
                    with self._lock:
                        self._stalled += [near, far]
                    self.struck.set()
                    _until_ended(near, far, self._wake)
                    return False
            except OSError:
                return False
        return True


def _length(data: bytearray) -> int:
    """Of the packet that begins there; 0 when that is not known yet."""
    if data and data[0] in TLS_KINDS:
        return 5 + int.from_bytes(data[3:5], "big") if len(data) >= 5 else 0
    if len(data) < 4:
        return 0
    header = int.from_bytes(data[:4], "big", signed=True)
    return 4 + max(header & ~(1 << 30), 0) if header > 0 else 4


def _corrupted(packet: bytes, seed: int) -> bytes:
    rng = random.Random(seed)
    at = rng.randrange(len(packet))
    return packet[:at] + bytes([packet[at] ^ (1 << rng.randrange(8))]) + packet[at + 1 :]


def _until_ended(near: socket.socket, far: socket.socket, wake: socket.socket) -> None:
    """Read nothing, until `release` or the end of the proxy."""
    poll = select.poll()
    poll.register(near, select.POLLHUP)
    poll.register(far, select.POLLHUP)
    poll.register(wake, select.POLLIN)
    poll.poll()


def _end(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
