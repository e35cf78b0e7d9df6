"""Reaching a peer: name to addresses to a connected socket, in bounded time and with an ear for the cancel pipe."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Final, TypeAlias

from filed.errors import ConnectionLost
from filed.transport.waiting import READ, WRITE, Waiting

PHASE: Final = "the attempt to connect"
LOOKING: Final = "the search for its address"
CONNECT_TIMEOUT_S: Final = 60.0

_Addresses: TypeAlias = list[tuple[socket.AddressFamily, tuple[str | int | bytes, ...]]]


def connect(
    host: str,
    port: int,
    peer: str,
    *,
    cancel_pipe: int | None = None,
    source: str = "",
    timeout_s: float = CONNECT_TIMEOUT_S,
    clock: Callable[[], float] = time.monotonic,
) -> socket.socket:
    """A connected socket, to the first address of `host` that takes it. One attempt: who owns the Job tries again.

    source: address of this machine to come from; "" for any. Raises ConnectionLost, JobCanceled.
    """
    until = clock() + timeout_s
    where = f"{peer} at {host}:{port}"
    why = "its name has no address"

    def wait(sock: socket.socket, events: int, phase: str) -> None:
        Waiting(sock, where, cancel_pipe, clock).wait(events, phase, until)

    for family, address in _resolve(host, port, lambda sock: wait(sock, READ, LOOKING), where):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            if source:
                sock.bind((source, 0))
            with contextlib.suppress(BlockingIOError):
                sock.connect(address)
            wait(sock, WRITE, PHASE)
            if not (code := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)):
                return sock
            why = os.strerror(code)
        except OSError as error:
            why = error.strerror or str(error)
        except BaseException:
            sock.close()
            raise
        sock.close()
    raise ConnectionLost(where, PHASE, why)


def _resolve(host: str, port: int, wait: Callable[[socket.socket], object], where: str) -> _Addresses:
    with contextlib.suppress(socket.gaierror, UnicodeError):
        return _look_up(host, port, socket.AI_NUMERICHOST)
    # The resolver cannot be interrupted, so it gets a thread of its own, and the cancel pipe is listened to meanwhile.
    ours, theirs = socket.socketpair()
    found: list[_Addresses] = []
    failed: list[str] = []

    def resolve() -> None:
        try:
            found.append(_look_up(host, port, 0))
        except OSError as error:
            failed.append(error.strerror or str(error))
        except UnicodeError:
            failed.append("that is no name of a host")
        theirs.close()

    threading.Thread(target=resolve, name="resolver", daemon=True).start()
    with ours:
        wait(ours)
    if failed:
        raise ConnectionLost(where, LOOKING, failed[0])
    return found[0]


def _look_up(host: str, port: int, flags: int) -> _Addresses:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return [(family, address) for family, _, _, _, address in found]
