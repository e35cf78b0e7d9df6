"""Reaching a peer: by number, by name, in vain, and not at all when the Job is canceled."""

from __future__ import annotations

import os
import socket
import time

import pytest

from filed.errors import ConnectionLost, JobCanceled
from filed.transport.connect import connect


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_listener_is_reached_by_number_and_by_name(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, connect(host, listener.getsockname()[1], "peer"):
        listener.accept()[0].close()


def test_a_source_address_is_where_we_come_from() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with connect("127.0.0.1", port, "peer", source="127.0.0.2") as sock:
            assert sock.getsockname()[0] == "127.0.0.2"
        with pytest.raises(ConnectionLost, match="assign"):
            connect("127.0.0.1", port, "peer", source="192.0.2.1")


def test_nobody_there_is_told_with_address_and_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionLost, match=f"Storage Daemon at 127.0.0.1:{port} lost .*refused"):
        connect("127.0.0.1", port, "Storage Daemon")


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b"])
def test_a_name_without_address_is_told(host: str) -> None:
    with pytest.raises(ConnectionLost, match="the search for its address"):
        connect(host, 1, "Storage Daemon")


def test_a_cancel_ends_the_attempt() -> None:
    read, write = os.pipe()
    os.write(write, b"c")
    try:
        with pytest.raises(JobCanceled):
            connect("192.0.2.1", 9103, "Storage Daemon", cancel_pipe=read, clock=time.monotonic)
    finally:
        os.close(read)
        os.close(write)
