"""Meeting a Storage Daemon: connect, say who we are, prove it to each other, begin TLS; then ask and be answered.

What follows is an append session (`append.py`) or a read session (`read.py`).
"""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from filed.config.keys import NO_TLS, Tls
from filed.errors import AuthenticationError, ConnectionLost, RemoteProtocolError, VolumeError
from filed.transport import (
    CONNECT_TIMEOUT_S,
    DIALOGUE_TIMEOUT_S,
    Bandwidth,
    Connection,
    TlsChannel,
    check_names,
    client_context,
    connect,
    prove,
    psk_client_context,
    tls_need,
    tls_offer,
)
from filed.volume import Session
from filed.wire.auth import NO_TLS_OFFER, Challenge, Encryption, StartTls, TlsNeed, wants_tls
from filed.wire.frame import Signal
from filed.wire.storage import (
    NO_CAPABILITIES,
    Hello,
    HelloAccepted,
    Refusal,
    Reply,
    Request,
    StorageCapabilities,
    parse_reply,
)
from filed.wire.version import STORAGE_EXPANDS_FROM, V9_6_7, Version

STALL_S: Final = 6 * 24 * 3600.0
"""A Storage Daemon may be silent, and take nothing, until a person has mounted a Volume: a long week-end and more."""

STRANGER_S: Final = 15.0
"""A caller that has not proved to be the Storage Daemon gets so long, while the true one may be waiting behind it."""


@dataclass(frozen=True, slots=True)
class StorageAddress:
    """Where a Director sends a Job's records, and what lets us in.

    job: its unique name. key: as the Director gave it. session: VolSessionId and VolSessionTime of the Job.
    client: our name. compress: what we send, if the Storage Daemon can take it. keepalive_s: see transport.Connection.
    caller: where a Storage Daemon called from that was told to call us; port is 0 then.
    """

    host: str
    port: int
    job: bytes
    key: bytes = field(repr=False)
    session: Session
    client: bytes
    tls: Tls = NO_TLS
    version: Version = V9_6_7
    source: str = ""
    compress: bool = False
    keepalive_s: int = 0
    caller: str = ""

    @property
    def peer(self) -> str:
        return (
            f"Storage Daemon at {self.host}:{self.port}" if self.port else f"Storage Daemon calling from {self.caller}"
        )


def open_storage(
    address: StorageAddress,
    *,
    cancel_pipe: int | None = None,
    bandwidth: Bandwidth | None = None,
    timeout_s: float = CONNECT_TIMEOUT_S,
    limit_s: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Connection:
    """A connection on which a session can be asked for. One attempt.

    cancel_pipe: readable when the Job is canceled. bandwidth: what limits the Job, None for nothing.
    timeout_s: for the connection alone. limit_s: for all that follows.
    Raises ConnectionLost, AuthenticationError, RemoteProtocolError, ConfigError (certificates), JobCanceled.
    """
    sock = connect(
        address.host,
        address.port,
        "Storage Daemon",
        cancel_pipe=cancel_pipe,
        source=address.source,
        timeout_s=timeout_s,
        clock=clock,
    )
    connection = Connection(
        sock, address.peer, cancel_pipe=cancel_pipe, bandwidth=bandwidth, keepalive_s=address.keepalive_s, clock=clock
    )
    try:
        connection.limit(limit_s)
        greet(connection, address, secrets.randbits(64), int(time.time()))
    except BaseException:
        connection.close()
        raise
    return connection


def greet(connection: Connection, address: StorageAddress, random: int, now_s: int) -> int:
    """From our Hello to that of the Storage Daemon; returns its version. random: 64 bits that nobody can guess."""
    with _blaming(connection):
        return _be_accepted(connection, address, _introduce(connection, address, random, now_s))


def introduce(connection: Connection, address: StorageAddress) -> TlsNeed | None:
    """The greeting of a Storage Daemon that called, up to the proof of both; returns what it wants of TLS.

    Nothing that follows is read. Anyone who has the socket then goes on with `take_over`.
    """
    assert not address.version.early_tls  # what TLS knows by then could not be handed on
    with _blaming(connection):
        return _introduce(connection, address, secrets.randbits(64), int(time.time())).tls


def take_over(
    sock: socket.socket, address: StorageAddress, theirs: TlsNeed | None, cancel_pipe: int, bandwidth: Bandwidth
) -> Connection:
    """The same as `open_storage`, on a socket where `introduce` has been done.

    theirs: what the Storage Daemon wants of TLS; None where nothing has been said yet, and nobody knows who it is.
    """
    connection = Connection(
        sock, address.peer, cancel_pipe=cancel_pipe, bandwidth=bandwidth, keepalive_s=address.keepalive_s
    )
    try:
        if theirs is not None:
            with _blaming(connection):
                _be_accepted(connection, address, _Introduced(theirs))
        else:
            connection.limit(STRANGER_S)
            greet(connection, address, secrets.randbits(64), int(time.time()))
            connection.limit(None)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _blaming(connection: Connection) -> Iterator[None]:
    try:
        yield
    except RemoteProtocolError as error:
        raise connection.blame(error) from error.__cause__


@dataclass(frozen=True, slots=True)
class _Introduced:
    """tls: what they want of it. encrypted: it has begun already."""

    tls: TlsNeed | None
    encrypted: bool = False


def _introduce(connection: Connection, address: StorageAddress, random: int, now_s: int) -> _Introduced:
    version, offer = address.version, tls_offer(address.tls)
    connection.phase = "the greeting"
    if offer.required and not offer.tls and not version.early_tls:
        raise AuthenticationError(
            f"{connection.peer} is of a release without TLS by a shared key, and TLS is required here"
        )
    connection.send(Hello(address.job, version.number, offer.number if version.early_tls else None).format())
    try:
        packet = connection.receive_text()
    except ConnectionLost as error:  # not worth another attempt, unlike a connection that was not even made
        job = address.job.decode("utf-8", "backslashreplace")
        text = f"{connection.peer} said nothing to our Hello: it may not know Job {job}, or no longer"
        raise AuthenticationError(text) from error
    if version.storage_caps:
        if StorageCapabilities.parse(packet) is None:
            raise RemoteProtocolError(f"{connection.peer} did not say what it can", packet)
        connection.send(NO_CAPABILITIES)
        packet = connection.receive_text()
    encrypted = False
    if version.early_tls:
        start = StartTls.parse(packet)
        by = offer.agree(start or NO_TLS_OFFER, connection.peer)
        if start is not None:
            _start_tls(connection, address, by)
            encrypted = True
            packet = _first_in_tls(connection)
    theirs = prove(connection, Challenge.fresh(address.client, random, now_s, offer.tls), address.key, packet)
    return _Introduced(theirs, encrypted)


def _be_accepted(connection: Connection, address: StorageAddress, introduced: _Introduced) -> int:
    if not introduced.encrypted and wants_tls(tls_need(address.tls), introduced.tls, connection.peer):
        _start_tls(connection, address, Encryption.CERTIFICATES)
        packet = _first_in_tls(connection)
    else:
        connection.phase = "the greeting"
        packet = connection.receive_text()
    accepted = HelloAccepted.parse(packet)
    if accepted is None:
        raise RemoteProtocolError(f"{connection.peer} did not accept us", packet)
    connection.read_ahead = True
    compress = address.compress and address.version.line_compression
    connection.compress = compress and accepted.version >= STORAGE_EXPANDS_FROM
    return accepted.version


def _start_tls(connection: Connection, address: StorageAddress, by: Encryption) -> None:
    if by is Encryption.NONE:
        raise AuthenticationError(f"{connection.peer} begins TLS of a kind that was not offered")
    by_key = by is Encryption.SHARED_KEY
    context = psk_client_context(address.key) if by_key else client_context(address.tls)
    connection.encrypt(lambda sock: TlsChannel(sock, context, server=False, shared_key=by_key))
    if by_key:
        return
    check_names(connection.names, address.tls, connection.peer, address.host, address.caller)


def _first_in_tls(connection: Connection) -> bytes:
    """The packet behind the handshake. In TLS 1.3 ours is done before the peer has looked at our certificate."""
    connection.phase = "the greeting"
    try:
        return connection.receive_text()
    except ConnectionLost as error:  # not worth another attempt, either
        raise AuthenticationError(f"{error}; it may not accept our certificate, or its name") from error


def ask(
    connection: Connection,
    request: Request,
    phase: str,
    timeout_s: float = DIALOGUE_TIMEOUT_S,
) -> Reply:
    """Send a request, return the reply that means yes. Raises VolumeError with what was said when it means no."""
    connection.phase = phase
    connection.send(request if isinstance(request, int) else request.format())
    return answer(connection, request, timeout_s)


def answer(connection: Connection, request: Request, timeout_s: float = DIALOGUE_TIMEOUT_S) -> Reply:
    """The reply to a request that was sent already."""
    try:
        reply = parse_reply(request, connection.receive(timeout_s))
    except RemoteProtocolError as error:
        raise connection.blame(error) from error.__cause__
    if isinstance(reply, Refusal):
        raise refused(connection, reply)
    return reply


def leave(connection: Connection) -> None:
    """The end of a closed session. The Storage Daemon's last word is an EOD; then it waits for us to go."""
    connection.take_leave(last=Signal.EOD)


def refused(connection: Connection, refusal: Refusal) -> VolumeError:
    return VolumeError(f"{connection.peer} gave up during {connection.phase}: {refusal.text}")
