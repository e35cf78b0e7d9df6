"""A wait ends by the socket, by the cancel pipe or by the clock, and says which."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator

import pytest

from filed.errors import ConnectionLost, JobCanceled
from filed.transport.waiting import READ, WRITE, Waiting


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair()
    with near, far:
        yield near, far


@pytest.fixture
def cancel_pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    yield read, write
    os.close(read)
    os.close(write)


def test_a_readable_socket_ends_a_wait(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    waiting = Waiting(near, "peer", None, time.monotonic)
    assert waiting.now(READ, "x") == 0
    far.send(b"a")
    assert waiting.wait(READ, "x", None) == READ
    assert waiting.now(READ | WRITE, "x") == READ | WRITE


def test_the_bell_ends_every_wait(pair: tuple[socket.socket, socket.socket], cancel_pipe: tuple[int, int]) -> None:
    waiting = Waiting(pair[0], "peer", cancel_pipe[0], time.monotonic)
    os.write(cancel_pipe[1], b"c")
    for wait in (
        lambda: waiting.wait(READ, "the reading", None),
        lambda: waiting.now(READ, "the reading"),
        lambda: waiting.pause(100, "the reading"),
    ):
        with pytest.raises(JobCanceled, match="the reading"):
            wait()


def test_a_peer_that_does_nothing_is_lost_when_the_time_is_up(pair: tuple[socket.socket, socket.socket]) -> None:
    waiting = Waiting(pair[0], "Director d", None, lambda: 10.0)
    with pytest.raises(ConnectionLost, match="Director d lost during x: it did nothing"):
        waiting.wait(READ, "x", 10.0)
