from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from filed.config.keys import Tls
from filed.director.calling import DirectorAddress, introduce, wait_for_hello
from filed.errors import AuthenticationError, ConnectionLost, RemoteProtocolError
from filed.transport import Connection, TlsChannel, psk_server_context
from filed.wire.auth import Challenge, TlsNeed, secret_of
from filed.wire.frame import Packet, Signal
from tests.director.called import HELLO, CalledDirector
from tests.director.talk import SECRET

THEIR_HELLO = b"Hello Director a-dir calling 10002 tlspsk=100\n"


def called(play: Callable[[CalledDirector], object], tls: Tls = Tls(), wait_s: float = 20.0) -> Packet | None:  # noqa: B008  frozen
    """What comes of a call. play: the Director's side."""
    near, far = socket.socketpair()
    address = DirectorAddress("a-dir", "host", 9101, b"a-fd", SECRET, tls)
    connection = Connection(near, address.peer)
    with ThreadPoolExecutor(1) as pool, far:
        playing = pool.submit(play, CalledDirector(far))
        try:
            introduce(connection, address, 4711, 1795428868)
            return wait_for_hello(connection, wait_s)
        finally:
            connection.close()
            playing.result(30)


def test_a_director_that_has_something_to_ask_says_hello() -> None:
    heard: list[Packet] = []

    def play(director: CalledDirector) -> None:
        heard.append(director.greet())
        director.say(Signal.HEARTBEAT, Signal.IS_ALIVE)
        heard.append(director.packet())
        director.say(THEIR_HELLO)

    assert called(play) == THEIR_HELLO
    assert heard == [HELLO, Signal.IS_ALIVE]


def test_tls_by_the_shared_key_ends_where_the_director_comes() -> None:
    def play(director: CalledDirector) -> None:
        assert director.packet() == HELLO.replace(b"=0", b"=100")
        director.say(b"starttls tlspsk=100\n")
        context = psk_server_context(SECRET)
        connection = Connection(director.sock, "a client")
        connection.encrypt(lambda sock: TlsChannel(sock, context, server=True, shared_key=True))
        ours = Challenge.fresh(b"a-dir", 42, 1795428868, TlsNeed.NONE)
        connection.send(ours.format())
        assert ours.accepts(SECRET, connection.receive_text())
        connection.send(b"1000 OK auth\n")
        connection.send(Challenge.parse(connection.receive_text()).response(SECRET))
        assert connection.receive_text() == b"1000 OK auth\n"
        connection.send(b"1000 OK: 10002 a-dir Version: 15.0.3\n", b"OK\n", Signal.IS_ALIVE)
        connection.hears_is_alive = True
        assert connection.receive() is Signal.IS_ALIVE
        connection.go_on_in_clear()
        assert connection.cipher == ""
        connection.send(THEIR_HELLO)
        connection.close()

    assert called(play, Tls(psk=True)) == THEIR_HELLO


def test_a_connection_that_nobody_needs_is_made_anew() -> None:
    assert called(CalledDirector.greet, wait_s=0.01) is None


def test_a_director_that_goes_is_lost() -> None:
    def play(director: CalledDirector) -> None:
        director.greet()
        director.sock.close()

    with pytest.raises(ConnectionLost, match='Director "a-dir" at host:9101 lost during the wait for the Director'):
        called(play)


def test_a_client_that_may_not_call_is_told_what_the_director_needs() -> None:
    def play(director: CalledDirector) -> None:
        director.packet()
        director.say(b"1999 You are not authorized.\n")

    with pytest.raises(AuthenticationError, match='"a-fd" needs "Allow FD Connections = yes"'):
        called(play)


def test_another_password_is_named_on_both_sides() -> None:
    def refuses(director: CalledDirector) -> None:
        CalledDirector(director.sock, secret_of(b"another")).greet()

    with pytest.raises(AuthenticationError, match="does not accept our response"):
        called(refuses)


@pytest.mark.parametrize(
    "packets", [(b"Hello Director a-dir calling 10002\n",), (Signal.EOD,), (Signal.TERMINATE,)], ids=str
)
def test_one_that_says_something_else_is_no_director(packets: tuple[Packet, ...]) -> None:
    def play(director: CalledDirector) -> None:
        director.greet()
        director.say(*packets)

    with pytest.raises(RemoteProtocolError, match="did not ask whether we are alive"):
        called(play)


def test_tls_that_is_required_here_is_not_done_without() -> None:
    def play(director: CalledDirector) -> None:
        director.packet()
        director.say(Challenge.fresh(b"a-dir", 1, 2, TlsNeed.NONE).format())

    with pytest.raises(AuthenticationError, match="does not offer TLS, which is required here"):
        called(play, Tls(psk=True, require=True))
