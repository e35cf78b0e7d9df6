"""A Storage Daemon that calls, where a Director has it do so: greeted in a client process of its own, and handed to the Job it names.

What it says first proves nothing. The Job hears of it when it has proved that it knows the key which the Director gave both.
"""

from __future__ import annotations

import socket
from typing import Final

from filed.config.filedaemon import FileDaemon
from filed.daemon.api import Daemon, Expected
from filed.errors import AuthenticationError, printable
from filed.storage.daemon.session import StorageAddress, introduce
from filed.transport import Connection
from filed.volume import Session
from filed.wire.auth import TlsNeed
from filed.wire.storage import StorageCall
from filed.wire.version import numbered

LOOK_AGAIN_S: Final = 0.1
"""It is mostly faster than the Director, which first has it call and then tells us of that."""


def answer_call(  # noqa: PLR0917  who calls, and who is called
    connection: Connection, sock: socket.socket, caller: str, call: StorageCall, conf: FileDaemon, daemon: Daemon
) -> None:
    """connection: on `sock`, with a limit. Raises AuthenticationError when the call is for no Job, or from an unauthenticated client."""
    connection.rename(f"a Storage Daemon calling from {caller}")
    job = call.job.decode("utf-8", "surrogateescape")
    expected = _expected(connection, job, daemon)
    if not expected.known:
        raise AuthenticationError(f"{connection.peer} names Job {printable(call.job)}, which does not run here")
    address = StorageAddress(
        "",
        0,
        call.job,
        expected.key.encode("utf-8", "surrogateescape"),
        Session(0, 0),
        conf.name.encode("utf-8", "surrogateescape"),
        conf.tls,
        numbered(expected.protocol),
        caller=caller,
    )
    if address.version.early_tls:  # what TLS knows after the proof cannot be handed on, so the Job has it proved
        daemon.hand_storage(job, sock.fileno(), None, caller)
        return
    theirs = introduce(connection, address)
    daemon.hand_storage(job, sock.fileno(), theirs or TlsNeed.NONE, caller)


def _expected(connection: Connection, job: str, daemon: Daemon) -> Expected:
    """When the Job is told of it, and not before: a key of the Director's last `storage` may be another one."""
    while (expected := daemon.expected_storage(job)).known and not expected.key:
        connection.pause(LOOK_AGAIN_S)
    return expected
