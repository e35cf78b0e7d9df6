"""A Storage Daemon that called, on its way to the Job that waits for it: its socket, over a socket pair of whole messages.

Who sends it here has greeted it (`storage.daemon.session.introduce`), unless TLS comes ahead of the proof.
"""

from __future__ import annotations

import json
import socket
from array import array
from typing import NamedTuple

from filed.wire.auth import TlsNeed

MAX_MESSAGE = 1000


class Call(NamedTuple):
    """sock: behind the proof of both, nothing more read. tls: what the Storage Daemon wants of it. caller: its address.

    tls None: it has said for which Job it calls, and proved nothing.
    """

    sock: socket.socket
    tls: TlsNeed | None
    caller: str


def hand_on(calls: socket.socket, descriptor: int, tls: TlsNeed | None, caller: str) -> None:
    """Never waits. Raises OSError where nobody takes it."""
    message = json.dumps({"tls": None if tls is None else tls.value, "caller": caller}).encode()
    along = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [descriptor]))
    calls.sendmsg([message], [along], socket.MSG_DONTWAIT)  # Python 3.11's send_fds forgets the flag


def take_call(calls: socket.socket) -> Call | None:
    """The next one, which is there or waited for. None when no more can come."""
    data, descriptors, _, _ = socket.recv_fds(calls, MAX_MESSAGE, 1)
    if not descriptors:
        return None
    sock = socket.socket(fileno=descriptors[0])
    sock.set_inheritable(False)  # Python 3.11 loses the flag that would have it so from the beginning
    about = json.loads(data)
    return Call(sock, None if about["tls"] is None else TlsNeed(about["tls"]), about["caller"])
