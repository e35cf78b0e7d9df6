"""The bytes below a connection: one connected socket that does not block, plain or encrypted.

A Connection knows packets, deadlines and cancels, and does not know what carries them. To add a kind of encryption, write a class with
these members and give `Connection.encrypt` a function that makes one of the plain socket; tests/transport/test_channel.py runs its
contract over every kind. The kinds that are here: PlainChannel and TlsChannel (tls_channel.py).
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence
from typing import Final, Protocol

from filed.process.system import send_parts
from filed.transport.waiting import READ, WRITE
from filed.wire.stream import Buffer

NOTHING: Final = -1
"""What `recv_into` returns when no byte is here: 0 is the end."""


class HandshakeRefused(OSError):
    """The handshake came to its end, and the answer is no. `strerror` says why."""


class Channel(Protocol):
    """One thread uses it. Every call returns at once; OSErrors carry a text for a person in `strerror`."""

    @property
    def want(self) -> int:
        """What to wait for before a call that moved nothing is repeated: READ or WRITE."""

    @property
    def names(self) -> Sequence[str]:
        """Whom the peer has proved to be by a certificate; empty where none was shown."""

    @property
    def cipher(self) -> str:
        """How it is encrypted, for a person; "" when it is not."""

    def send(self, parts: Sequence[Buffer]) -> int:
        """Take bytes from the front of `parts`, which are not empty. Returns how many; 0: wait for `want`, then offer the same bytes."""

    def recv_into(self, space: memoryview) -> int:
        """Returns how many bytes came, 0 at the peer's end, NOTHING when none is here: then wait for `want`."""

    def pending(self) -> int:
        """How many bytes are here that no wait for the socket would show."""

    def handshake(self) -> bool:
        """Go on with it; False: wait for `want`, then call again. Raises HandshakeRefused, OSError when the peer went."""

    def plain(self) -> socket.socket:
        """The socket, for a conversation that goes on in clear: nothing is said to the peer, which does the same. After it the channel is of no use."""

    def interrupt(self) -> None:
        """From any thread: whoever waits for this socket wakes and finds its end. Never raises."""

    def close(self) -> None:
        """Tell the peer that this was the end, where the kind has such a word, and let go. Never raises, never waits."""


class PlainChannel:
    """The socket itself."""

    names: Sequence[str] = ()
    cipher = ""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.want = READ

    def send(self, parts: Sequence[Buffer]) -> int:
        try:
            return send_parts(self._sock, parts)
        except BlockingIOError:
            self.want = WRITE
            return 0

    def recv_into(self, space: memoryview) -> int:
        try:
            return self._sock.recv_into(space)
        except BlockingIOError:
            self.want = READ
            return NOTHING

    def pending(self) -> int:
        return 0

    def handshake(self) -> bool:
        return True

    def plain(self) -> socket.socket:
        return self._sock

    def interrupt(self) -> None:
        shut_down(self._sock)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.close()


def shut_down(sock: socket.socket) -> None:
    """Of the socket, not of TLS, which another thread may be in."""
    with contextlib.suppress(OSError, ValueError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
