"""Packets over a socket: deadlines, cancels, signs of life, a slow peer, a cut."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from filed.errors import ConnectionLost, JobCanceled, RemoteProtocolError
from filed.transport import Bandwidth, Connection
from filed.wire.frame import FrameReader, More, Packet, Signal, pack_packet, pack_signal


class Peer:
    """The other end, as raw socket, and a cancel pipe."""

    def __init__(self) -> None:
        self.near, self.sock = socket.socketpair()
        self.cancel_pipe, self.ring = os.pipe()

    def connection(self, **options: object) -> Connection:
        return Connection(self.near, "Director d", cancel_pipe=self.cancel_pipe, **options)  # type: ignore[arg-type]

    def packets(self) -> list[Packet]:
        """All that was sent until now."""
        reader, found = FrameReader(), list[Packet]()
        self.sock.setblocking(False)
        try:
            while data := self.sock.recv(1 << 20):
                reader.receive(data)
        except BlockingIOError:
            pass
        while (packet := reader.next_packet()) is not More.NEEDED:
            found.append(packet)
        return found

    def close(self) -> None:
        self.near.close()
        self.sock.close()
        os.close(self.cancel_pipe)
        os.close(self.ring)


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.close()


def test_the_peer_may_hang_up_first_also_when_the_job_is_canceled(peer: Peer) -> None:
    connection = peer.connection()
    os.write(peer.ring, b"c")
    peer.sock.sendall(b"words that nobody reads any more")
    leaving = threading.Thread(target=connection.outwait, args=(60.0,))
    leaving.start()
    peer.sock.shutdown(socket.SHUT_WR)
    leaving.join(20)
    assert not leaving.is_alive()


def test_a_peer_that_does_not_hang_up_is_not_waited_for_long(peer: Peer) -> None:
    connection = peer.connection()
    begun = time.monotonic()
    connection.outwait(0.05)
    assert 0.05 <= time.monotonic() - begun < 60


def test_packets_go_there_and_back(peer: Peer) -> None:
    connection = peer.connection()
    connection.send(b"hello\n", Signal.EOD, b"")
    assert peer.packets() == [b"hello\n", Signal.EOD, b""]
    peer.sock.sendall(pack_packet(b"one") + pack_signal(Signal.EOD))
    assert [connection.receive(), connection.receive()] == [b"one", Signal.EOD]
    assert connection.sent_bytes == 18


def test_lines_are_compressed_when_asked_for(peer: Peer) -> None:
    connection = peer.connection(compress=True)
    connection.send(b"a" * 1000)
    assert connection.sent_bytes < 100
    assert connection.sent_bytes + connection.saved_bytes == 1004
    assert peer.packets() == [b"a" * 1000]


def test_signs_of_life_are_answered_and_not_seen(peer: Peer) -> None:
    connection = peer.connection()
    peer.sock.sendall(b"".join(map(pack_signal, (Signal.HEARTBEAT, Signal.POLL, Signal.HEARTBEAT_RESPONSE))))
    peer.sock.sendall(pack_packet(b"meant"))
    assert connection.receive() == b"meant"
    assert peer.packets() == [b"2000 OK\n"]


def test_a_look_takes_what_is_here_and_does_not_wait(peer: Peer) -> None:
    connection = peer.connection()
    assert connection.look() is None
    peer.sock.sendall(pack_signal(Signal.HEARTBEAT) + pack_packet(b"meant") + b"\0\0")
    assert connection.look() == b"meant"
    assert connection.look() is None
    peer.sock.close()
    with pytest.raises(ConnectionLost):
        connection.look()


def test_nothing_is_read_beyond_a_packet_until_it_is_allowed(peer: Peer) -> None:
    connection = peer.connection()
    peer.sock.sendall(pack_packet(b"1000 OK auth\n") + b"\x16\x03\x01 TLS")
    assert connection.receive() == b"1000 OK auth\n"
    assert peer.near.recv(100) == b"\x16\x03\x01 TLS"


@pytest.mark.parametrize("ahead", [True, False])
def test_a_peer_that_talks_while_it_should_listen_costs_little_memory(peer: Peer, ahead: object) -> None:
    connection = peer.connection()
    connection.read_ahead = bool(ahead)
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_000_000)
    peer.sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        for _ in range(40):
            peer.sock.send(pack_packet(b"x" * 60_000))
    for _ in range(100):
        connection.send(b"ours")
        peer.packets()
    assert connection.heard
    assert connection._reader.held < 1_500_000
    assert connection.receive() == b"x" * 60_000


def test_a_text_is_not_a_signal(peer: Peer) -> None:
    connection = peer.connection()
    peer.sock.sendall(pack_signal(Signal.EOD) + pack_signal(Signal.TERMINATE))
    with pytest.raises(RemoteProtocolError, match="EOD"):
        connection.receive_text()
    with pytest.raises(ConnectionLost, match="ended the conversation"):
        connection.receive_text()


def test_a_peer_that_closes_is_lost_with_its_name_and_the_phase(peer: Peer) -> None:
    connection = peer.connection()
    connection.phase = "authentication"
    peer.sock.close()
    with pytest.raises(ConnectionLost, match="connection to Director d lost during authentication: it closed"):
        connection.receive()
    with pytest.raises(ConnectionLost):
        connection.send(b"x")


def test_another_thread_may_end_a_wait(peer: Peer) -> None:
    connection = peer.connection()
    lost: list[ConnectionLost] = []

    def wait() -> None:
        try:
            connection.receive()
        except ConnectionLost as error:
            lost.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    connection.interrupt()
    waiting.join(20)
    assert lost
    connection.close()
    connection.interrupt()


def test_a_silent_peer_is_lost_in_time(peer: Peer) -> None:
    with pytest.raises(ConnectionLost, match="did nothing for too long"):
        peer.connection().receive(timeout_s=0.01)


def test_a_peer_that_takes_nothing_is_lost_in_time(peer: Peer) -> None:
    with pytest.raises(ConnectionLost, match="did nothing for too long"):
        peer.connection().send_frames(bytes(10_000_000), timeout_s=0.01)


@pytest.mark.parametrize("size", [100, 100_000, 5_000_000])
def test_head_and_tail_arrive_whole_at_a_slow_reader(peer: Peer, size: int) -> None:
    got = bytearray()

    def read() -> None:
        while data := peer.sock.recv(65_536):
            got.extend(data)

    reader = threading.Thread(target=read)
    reader.start()
    connection = peer.connection()
    head, tail = os.urandom(size), os.urandom(size)
    connection.send_frames(head, memoryview(tail))
    connection.close()
    reader.join()
    assert bytes(got) == head + tail


@pytest.mark.parametrize("busy", ["reading", "writing", "limited"])
def test_a_cancel_is_obeyed_within_a_second(peer: Peer, busy: str) -> None:
    bandwidth = Bandwidth(lambda: 1000, time.monotonic) if busy == "limited" else None
    connection = peer.connection(bandwidth=bandwidth)
    rang: list[float] = []

    def ring() -> None:
        rang.append(time.monotonic())
        os.write(peer.ring, b"c")

    timer = threading.Timer(0.05, ring)
    timer.start()
    with pytest.raises(JobCanceled):
        connection.receive(None) if busy == "reading" else connection.send_frames(bytes(10_000_000), timeout_s=None)
    assert time.monotonic() - rang[0] < 1
    timer.join()


def test_a_cancel_is_obeyed_while_there_is_always_something_to_read(peer: Peer) -> None:
    connection = peer.connection()
    os.write(peer.ring, b"c")
    peer.sock.sendall(pack_packet(b"x") * 100)
    with pytest.raises(JobCanceled):
        connection.receive()


def test_a_limit_slows_what_is_sent(peer: Peer) -> None:
    limit = 1_000_000
    begin = time.monotonic()
    connection = peer.connection(bandwidth=Bandwidth(lambda: limit, time.monotonic))
    connection.send_frames(bytes(130_000))
    connection.send_frames(bytes(1000))
    assert time.monotonic() - begin >= 0.1


def test_what_a_peer_said_before_it_went_is_not_lost(peer: Peer) -> None:
    connection = peer.connection()
    peer.sock.sendall(pack_packet(b"3903 Error append data: disk full\n"))
    peer.sock.close()
    with pytest.raises(ConnectionLost):
        connection.send_frames(bytes(1_000_000), timeout_s=1)
    connection.read_ahead = True
    assert connection.last_words() == b"3903 Error append data: disk full\n"


def test_leave_is_taken_when_both_have_said_so(peer: Peer) -> None:
    connection = peer.connection()
    peer.sock.sendall(pack_signal(Signal.EOD) + pack_signal(Signal.TERMINATE))
    connection.take_leave()
    assert peer.sock.recv(100) == pack_signal(Signal.TERMINATE)
    assert peer.sock.recv(100) == b""


def test_leave_takes_no_longer_than_it_may_and_never_raises(peer: Peer) -> None:
    peer.connection().take_leave(timeout_s=0.01)
    os.write(peer.ring, b"c")


def test_a_socket_of_the_network_sends_small_packets_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sock = socket.create_connection(listener.getsockname())
        Connection(sock, "x")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        sock.close()


def test_a_peer_at_our_own_address_is_on_this_machine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for source, here in (("127.0.0.1", True), ("127.0.0.2", False)):
            ours = socket.create_connection(listener.getsockname(), source_address=(source, 0))
            connection = Connection(ours, "a Storage Daemon")
            assert connection.on_this_machine is here
            connection.close()


@pytest.mark.parametrize(("asked", "seconds"), [(0, 60), (7, 7), (1_000_000, 32_767)])
def test_the_system_asks_a_silent_peer_for_a_sign_of_life(asked: int, seconds: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        Connection(near, "a Storage Daemon", keepalive_s=asked)
        with near:
            assert near.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert near.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == seconds


def test_a_limit_ends_a_conversation_that_never_stands_still(peer: Peer) -> None:
    now = [100.0]
    connection = peer.connection(clock=lambda: now[0])
    connection.limit(60)
    for _ in range(6):  # something now and then
        peer.sock.sendall(pack_signal(Signal.HEARTBEAT))
        assert connection.look() is None
        now[0] += 9.0
    peer.sock.sendall(pack_signal(Signal.HEARTBEAT) * 100)
    now[0] += 9.0
    with pytest.raises(ConnectionLost, match="Director d lost during the greeting: it took too long"):
        connection.receive()
    with pytest.raises(ConnectionLost):
        connection.send(b"x" * 1_000_000)
    with pytest.raises(ConnectionLost):
        connection.pause(0.0)


def test_behind_a_limit_time_is_free_again(peer: Peer) -> None:
    now = [100.0]
    connection = peer.connection(clock=lambda: now[0])
    connection.limit(60)
    connection.limit(None)
    now[0] += 100
    peer.sock.sendall(pack_packet(b"meant"))
    assert connection.receive() == b"meant"
