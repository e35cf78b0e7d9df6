"""What every kind of channel keeps to, whatever carries the bytes: one contract, run over each kind."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from filed.transport import TlsChannel, client_context, psk_client_context, psk_server_context, server_context
from filed.transport.channel import NOTHING, Channel, PlainChannel
from filed.transport.waiting import READ, WRITE, Waiting
from tests.transport.certificates import Authority

Wrap = Callable[[socket.socket], Channel]
KEY = b"0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Wrap, Wrap]]:
    """By name: what makes a channel of the socket of the side that calls, and of the side that is called."""
    authority = Authority(tmp_path_factory.mktemp("certificates"))
    called, calls = server_context(authority.tls("called")), client_context(authority.tls("caller"))
    return {
        "plain": (PlainChannel, PlainChannel),
        "certificates": (
            lambda sock: TlsChannel(sock, calls, server=False),
            lambda sock: TlsChannel(sock, called, server=True),
        ),
        "shared key": (
            lambda sock: TlsChannel(sock, psk_client_context(KEY), server=False, shared_key=True),
            lambda sock: TlsChannel(sock, psk_server_context(KEY), server=True, shared_key=True),
        ),
    }


class Pair:
    """Two channels on two sockets, one of which each says when there is something to do."""

    def __init__(self, wraps: tuple[Wrap, Wrap]) -> None:
        self.socks = socket.socketpair()
        self._waits = {}
        channels = []
        for sock, wrap in zip(self.socks, wraps, strict=True):
            sock.setblocking(False)
            waiting = Waiting(sock, "the other end", None, lambda: 0.0)
            channels.append(wrap(sock))
            self._waits[id(channels[-1])] = waiting
        self.near, self.far = channels

    def wait(self, channel: Channel) -> None:
        self._waits[id(channel)].wait(channel.want, "a test", 20.0)

    def shake_hands(self) -> None:
        thread = threading.Thread(target=self._shake, args=(self.far,))
        thread.start()
        self._shake(self.near)
        thread.join(30)
        assert not thread.is_alive()

    def _shake(self, channel: Channel) -> None:
        while not channel.handshake():
            self.wait(channel)

    def read(self, channel: Channel, most: int = 1 << 16) -> bytes:
        space = bytearray(most)
        while (count := channel.recv_into(memoryview(space))) == NOTHING:
            self.wait(channel)
        return bytes(space[:count])


@pytest.fixture(params=["plain", "certificates", "shared key"])
def pair(request: pytest.FixtureRequest, kinds: dict[str, tuple[Wrap, Wrap]]) -> Iterator[Pair]:
    pair = Pair(kinds[request.param])
    pair.shake_hands()
    yield pair
    pair.near.close()
    pair.far.close()


def test_bytes_of_several_parts_come_in_their_order(pair: Pair) -> None:
    parts = [b"one ", b"two ", b"three"]
    while parts:
        done = pair.near.send(parts)
        while parts and done >= len(parts[0]):
            done -= len(parts.pop(0))
        if parts:
            parts[0] = parts[0][done:]
    got = b""
    while len(got) < 13:
        got += pair.read(pair.far)
    assert got == b"one two three"


def test_nothing_here_is_not_the_end_and_says_what_to_wait_for(pair: Pair) -> None:
    space = memoryview(bytearray(100))
    while pair.far.recv_into(space) != NOTHING:
        pass  # what belongs to the handshake
    assert pair.far.want == READ


def test_a_full_line_takes_nothing_and_takes_the_same_bytes_later(pair: Pair) -> None:
    block, sent = b"x" * 100_000, 0
    while done := pair.near.send([block]):
        sent += done
    assert pair.near.want == WRITE
    received = 0
    while received < sent:
        received += len(pair.read(pair.far))
    while not (done := pair.near.send([block])):
        pair.wait(pair.near)
    while received < sent + done:
        received += len(pair.read(pair.far))
    assert received == sent + done


def test_what_waits_inside_the_channel_is_pending(pair: Pair) -> None:
    pair.near.send([b"0123456789"])
    assert pair.read(pair.far, 4) == b"0123"
    space = memoryview(bytearray(100))
    if pair.far.pending():  # nothing in the socket would wake anybody
        assert pair.far.pending() == 6
    assert pair.far.recv_into(space) == 6
    assert not pair.far.pending()


def test_both_may_go_on_in_clear_and_nothing_is_lost(pair: Pair) -> None:
    pair.near.send([b"last in it"])
    assert pair.read(pair.far) == b"last in it"
    near, far = pair.near.plain(), pair.far.plain()
    with near, far:
        near.send(b"in clear")
        far.setblocking(True)
        assert far.recv(100) == b"in clear"
        assert not near.getblocking()


def test_a_close_is_the_end_for_the_other(pair: Pair) -> None:
    pair.near.send([b"last"])
    pair.near.close()
    assert pair.read(pair.far) == b"last"
    assert pair.read(pair.far) == b""
    pair.near.close()  # once more does nothing


def test_an_interrupt_wakes_whoever_waits(pair: Pair) -> None:
    found: list[bytes | OSError] = []

    def read() -> None:
        try:
            found.append(pair.read(pair.far))
        except OSError as error:
            found.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    pair.far.interrupt()
    thread.join(30)
    assert not thread.is_alive()
    assert found[0] == b"" or isinstance(found[0], OSError)


def test_an_error_has_a_text_for_a_person(tmp_path: Path) -> None:
    near, far = socket.socketpair()
    near.setblocking(False)
    far.close()
    with pytest.raises(OSError) as caught:
        PlainChannel(near).send([b"x"])
    assert caught.value.strerror == "Broken pipe"
    near.close()
    context = client_context(Authority(tmp_path).tls("fd"))
    near, far = socket.socketpair()
    near.setblocking(False)
    channel = TlsChannel(near, context, server=False)
    assert not channel.handshake()
    far.sendall(b"this is no TLS at all")
    with pytest.raises(OSError) as caught:
        channel.handshake()
    assert "wrong version number" in caught.value.strerror
    channel.close()
    far.close()
