"""Plays the called side of a recorded conversation on a socket, and notes where the caller says something else.

What a Storage Daemon can do wrong is told by changing the lines before they are played.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass
from typing import Self

from filed.wire.frame import FrameReader, More, Packet, Signal, pack_packet, pack_signal

Line = tuple[bool, Packet]


@dataclass(frozen=True)
class Raw:
    """Bytes to send that are no whole packet."""

    data: bytes


class Player:
    """lines: (does the caller say it?, packet). `near` is the caller's socket.

    differences: (expected, got) of the caller's packets. After the last line the player closes when it has heard TERMINATE; else
    `ending` says what it does: "read" on to the end, into `rest`, "hang up", or be "deaf" and do neither.
    """

    def __init__(self, lines: list[Line] | list[tuple[bool, Packet | Raw]], *, ending: str = "read") -> None:
        self.near, self._far = socket.socketpair()
        self._lines, self._ending = lines, ending
        self.differences: list[tuple[object, object]] = []
        self.rest: list[Packet] = []
        self._reader = FrameReader()
        self._left = False
        self._release = threading.Event()
        self._thread = threading.Thread(target=self._play, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.near.close()
        self._release.set()
        self._thread.join(20)
        assert not self._thread.is_alive()

    def _play(self) -> None:
        with self._far, contextlib.suppress(ConnectionError):
            for caller, packet in self._lines:
                if caller:
                    got = self._receive()
                    if got != packet:
                        self.differences.append((packet, got))
                elif isinstance(packet, Raw):
                    self._far.sendall(packet.data)
                else:
                    self._far.sendall(pack_signal(packet) if isinstance(packet, Signal) else pack_packet(packet))
            if self._left:
                pass
            elif self._ending == "read":
                while (more := self._receive()) is not None:
                    self.rest.append(more)
            elif self._ending == "deaf":
                self._release.wait()

    def _receive(self) -> Packet | None:
        while (packet := self._reader.next_packet()) is More.NEEDED:
            data = self._far.recv(65536)
            if not data:
                return None
            self._reader.receive(data)
        self._left = packet is Signal.TERMINATE
        assert not isinstance(packet, More)
        return packet
