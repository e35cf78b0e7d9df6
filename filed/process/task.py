"""What a child process is asked to do: the first message on its channel, before any event; and what it may be asked for behind that.

It goes over the socket alone, as it may hold secrets: never on a command line, never to the disk.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass, field

from filed.errors import RemoteProtocolError
from filed.process.codec import decode, encode

_LENGTH = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class Task:
    """program: the module whose `perform` does it.  request: what `perform` is given, in that module's own form.

    kill_after_s: how long the child may outlive its parent.  new_privileges: may programs that it starts gain rights?
    """

    program: str
    request: bytes = field(repr=False)
    kill_after_s: float
    new_privileges: bool = False


def send_task(sock: socket.socket, task: Task) -> None:
    """Raises OSError when the child is gone."""
    send_request(sock, encode(Task, task))


def receive_task(sock: socket.socket) -> Task:
    """In the child. Raises RemoteProtocolError when the parent is gone before all of it has come."""
    task: Task = decode(Task, receive_request(sock))
    return task


def send_request(sock: socket.socket, request: bytes) -> None:
    """More to do, for a child that waits for it. Raises OSError when it is gone."""
    sock.sendall(_LENGTH.pack(len(request)))
    sock.sendall(request)


def receive_request(sock: socket.socket) -> bytes:
    """In the child. Raises RemoteProtocolError when the parent is gone before all of it has come."""
    (length,) = _LENGTH.unpack(_receive(sock, _LENGTH.size))
    return _receive(sock, length)


def _receive(sock: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        piece = sock.recv(min(length - len(data), 1 << 20))
        if not piece:
            raise RemoteProtocolError("the parent process is gone before it said what to do")
        data += piece
    return bytes(data)
