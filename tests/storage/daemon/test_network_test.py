"""The way to a Storage Daemon, measured for a console."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Callable

import pytest

from filed.errors import ConnectionLost, RemoteProtocolError
from filed.storage.daemon.network_test import measured
from filed.transport import Connection
from filed.wire.frame import Signal


def texts(storage: Callable[[Connection], None], size: int, packets: int) -> list[str]:
    """What is told, with a clock that goes on by a second at each look. storage: the other end."""
    near, far = socket.socketpair()
    ours, theirs = Connection(near, "Storage Daemon at sd:9103"), Connection(far, "the client")
    ours.read_ahead = theirs.read_ahead = True
    thread = threading.Thread(target=storage, args=(theirs,))
    thread.start()
    ticks = itertools.count()
    try:
        return list(measured(ours, size, packets, lambda: float(next(ticks))))
    finally:
        ours.close()
        thread.join(20)
        theirs.close()


def test_bytes_go_there_and_back_and_then_small_packets() -> None:
    heard: list[bytes] = []

    def storage(connection: Connection) -> None:
        heard.append(connection.receive_text())
        while isinstance(packet := connection.receive(), bytes):
            heard.append(packet)
        connection.send(b"\xbb" * 65_536, b"\xbb" * 34_464, Signal.EOD)
        while isinstance(packet := connection.receive(), bytes):
            connection.send(packet)

    assert texts(storage, 100_000, 2) == [
        "2000 OK FD wrote bytes=100000 to SD duration=1000ms write_speed=0.10 MB/s",
        "2000 OK FD read bytes=100000 from SD duration=1000ms read_speed=0.10 MB/s",
        "2000 OK packets=2 duration=2000ms rtt=1000.00ms min=1000.00ms max=1000.00ms",
    ]
    assert heard[0] == b"testnetwork bytes=100000 rtt=2 bw=0\n"
    assert list(map(len, heard[1:])) == [65_536, 34_464]


def test_a_storage_daemon_that_sends_more_than_it_was_asked_for_is_not_read_for_ever() -> None:
    def storage(connection: Connection) -> None:
        while isinstance(connection.receive(), bytes):
            pass
        connection.send(b"x" * 1000, b"x" * 1000)

    with pytest.raises(RemoteProtocolError, match="sd:9103 sent more than the 1,500 bytes of the test"):
        texts(storage, 1500, 1)


def test_one_that_goes_is_a_lost_connection() -> None:
    with pytest.raises(ConnectionLost, match="during the test of the network"):
        texts(lambda connection: connection.close(), 1000, 1)
