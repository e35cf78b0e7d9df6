"""A Director that we call (`Connect To Director`): greeted on its own port, and then waited for until it has something to ask.

    FD > Hello NAME fdcallsdir 1 tlspsk=100\\n
    DIR> starttls tlspsk=100\\n                 the Director is the server of TLS; the key is that of the password
    DIR> auth cram-md5 ...                      and so on: it challenges first
    DIR> 1000 OK: NUMBER NAME Version: ...\\n
    DIR> OK\\n
         perhaps long after that:
    DIR> IS_ALIVE
    FD > IS_ALIVE                               the last of this TLS, which nobody ends in words
    DIR> Hello Director NAME calling ...        in clear; from here on as if it had called us, with TLS of its own

Seen with 15.0.3. One connection is for one Job, or for one question.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from filed.config.keys import NO_TLS, Tls
from filed.errors import AuthenticationError, ConnectionLost, RemoteProtocolError
from filed.transport import (
    Connection,
    TlsChannel,
    check_names,
    client_context,
    prove,
    psk_client_context,
    tls_offer,
)
from filed.wire.auth import NO_TLS_OFFER, Challenge, Encryption, StartTls
from filed.wire.director import BLANK
from filed.wire.frame import Packet, Signal

NOT_LET_IN = b"1999"


@dataclass(frozen=True, slots=True)
class DirectorAddress:
    """Where a Director listens, and what lets us in. client: our own name.  secret: of the password, see wire/auth.py."""

    name: str
    host: str
    port: int
    client: bytes
    secret: bytes = field(repr=False)
    tls: Tls = NO_TLS

    @property
    def peer(self) -> str:
        return f'Director "{self.name}" at {self.host}:{self.port}'


def introduce(connection: Connection, address: DirectorAddress, random: int, now_s: int) -> None:
    """From our Hello to its OK. random: 64 bits that nobody can guess. Raises AuthenticationError, ConnectionLost, RemoteProtocolError."""
    offer = tls_offer(address.tls)
    connection.phase = "the greeting"
    connection.send(b"Hello %b fdcallsdir 1 tlspsk=%d\n" % (address.client.replace(b" ", BLANK), offer.number))
    packet = connection.receive_text()
    _refuse_refusal(packet, address)
    start = StartTls.parse(packet)
    by = offer.agree(start or NO_TLS_OFFER, connection.peer)
    if start is not None:
        _start_tls(connection, address, by)
        packet = connection.receive_text()
    prove(connection, Challenge.fresh(address.client, random, now_s, offer.tls), address.secret, packet)
    for expected in (b"1000 OK", b"OK"):
        packet = connection.receive_text()
        if not packet.startswith(expected):
            raise RemoteProtocolError(f"{connection.peer} did not accept us", packet)


def wait_for_hello(
    connection: Connection, timeout_s: float, clock: Callable[[], float] = time.monotonic
) -> Packet | None:
    """What it says first, once it needs us: in clear, and TLS begins anew behind it. None when that did not come in time."""
    connection.phase = "the wait for the Director"
    connection.hears_is_alive = True
    until = clock() + timeout_s
    try:
        packet = connection.receive(timeout_s)
    except ConnectionLost:
        if clock() >= until:
            return None
        raise
    if packet is not Signal.IS_ALIVE:
        raise RemoteProtocolError(f"{connection.peer} did not ask whether we are alive", _shown(packet))
    connection.send(Signal.IS_ALIVE)
    connection.hears_is_alive = False
    connection.go_on_in_clear()
    connection.phase = "the greeting"
    return connection.receive()


def _shown(packet: Packet) -> bytes:
    return packet.name.encode() if isinstance(packet, Signal) else packet


def _refuse_refusal(packet: bytes, address: DirectorAddress) -> None:
    if packet.startswith(NOT_LET_IN):
        why = f'its Client resource for "{address.client.decode("utf-8", "backslashreplace")}" needs "Allow FD Connections = yes"'
        raise AuthenticationError(f"{address.peer} does not let us in: {why}")


def _start_tls(connection: Connection, address: DirectorAddress, by: Encryption) -> None:
    if by is Encryption.NONE:
        raise AuthenticationError(f"{connection.peer} begins TLS of a kind that was not offered")
    by_key = by is Encryption.SHARED_KEY
    context = psk_client_context(address.secret) if by_key else client_context(address.tls)
    connection.encrypt(lambda sock: TlsChannel(sock, context, server=False, shared_key=by_key))
    if not by_key:
        check_names(connection.names, address.tls, connection.peer, address.host)
