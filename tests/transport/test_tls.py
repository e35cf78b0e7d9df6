"""TLS that begins in the midst of a conversation: who is accepted, who is not, and that the rest goes on as before."""

from __future__ import annotations

import os
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from filed.config.keys import Tls
from filed.errors import AuthenticationError, ConfigError, ConnectionLost, FiledError, JobCanceled, RemoteProtocolError
from filed.transport import Bandwidth, Connection, TlsChannel, check_names, client_context, server_context, tls_need
from filed.transport.tls import matches
from filed.wire.auth import TlsNeed
from filed.wire.frame import Signal, pack_packet
from tests.transport.certificates import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


def be_server(connection: Connection, tls: Tls, timeout_s: float = 60.0) -> None:
    context = server_context(tls)
    connection.encrypt(lambda sock: TlsChannel(sock, context, server=True), timeout_s)


def be_client(connection: Connection, tls: Tls) -> None:
    context = client_context(tls)
    connection.encrypt(lambda sock: TlsChannel(sock, context, server=False))


class Both:
    """Two sides of one connection: each does its part in a thread of its own."""

    def __init__(self, bandwidth: Bandwidth | None = None) -> None:
        near, far = socket.socketpair()
        self.server = Connection(near, "the Director")
        self.client = Connection(far, "the Storage Daemon", bandwidth=bandwidth)
        self.failure: FiledError | None = None

    def begin(self, server: Tls, client: Tls, address: str = "") -> None:
        """TLS on both; `failure` is the server's."""

        def serve() -> None:
            try:
                be_server(self.server, server)
                check_names(self.server.names, server, "the Director")
                self.server.send(b"3000 OK Hello 306\n")
            except FiledError as error:
                self.failure = error
                self.server.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            be_client(self.client, client)
            check_names(self.client.names, client, "the Storage Daemon", address)
            assert self.client.receive() == b"3000 OK Hello 306\n"
        except FiledError:
            self.client.close()
            raise
        finally:
            thread.join()

    def close(self) -> None:
        self.server.close()
        self.client.close()


@pytest.fixture
def both() -> object:
    both = Both()
    yield both
    both.close()


def test_packets_of_all_sizes_go_through_both_ways(both: Both, authority: Authority) -> None:
    both.begin(authority.tls("sd", "sd.example"), authority.tls("fd"), "sd.example")
    data = os.urandom(900_000)

    def answer() -> None:
        both.server.read_ahead = True
        for _ in range(3):
            both.server.send(both.server.receive())

    thread = threading.Thread(target=answer)
    thread.start()
    both.client.read_ahead = True
    for packet in (b"x", data, Signal.EOD):
        both.client.send(packet)
        assert both.client.receive() == packet
    thread.join()
    leaving = threading.Thread(target=both.server.take_leave)
    leaving.start()
    both.client.take_leave()
    leaving.join()


def test_head_and_tail_go_through_with_a_limit_and_a_slow_reader(authority: Authority) -> None:
    both = Both(Bandwidth(lambda: 5_000_000, time.monotonic))
    both.begin(authority.tls("sd"), authority.tls("fd"))
    head, tail = pack_packet(os.urandom(300_000)), pack_packet(os.urandom(300_000))
    sender = threading.Thread(target=both.client.send_frames, args=(head, tail))
    sender.start()
    both.server.read_ahead = True
    assert [both.server.receive(), both.server.receive()] == [head[4:], tail[4:]]
    sender.join()
    both.close()


@pytest.mark.parametrize("address", ["sd.example", "SD.example.", "192.0.2.7", "host.lan.example", "sd", "2001:db8::7"])
def test_a_called_side_may_have_any_of_its_names(both: Both, authority: Authority, address: str) -> None:
    tls = authority.tls("sd", "sd.example", "*.lan.example", "192.0.2.7", "2001:db8::7")
    both.begin(tls, authority.tls("fd"), address)


def test_a_called_side_of_another_name_is_refused(both: Both, authority: Authority) -> None:
    with pytest.raises(AuthenticationError, match=r"should be 192.0.2.8, and has a certificate of sd, sd.example"):
        both.begin(authority.tls("sd", "sd.example"), authority.tls("fd"), "192.0.2.8")


def test_allowed_names_stand_for_the_address(both: Both, authority: Authority) -> None:
    both.begin(authority.tls("sd"), authority.tls("fd", allowed_cns=("sd",)), "192.0.2.8")


def test_a_name_that_is_not_allowed_is_refused_by_either_side(authority: Authority) -> None:
    picky = Both()
    with pytest.raises(AuthenticationError, match="certificate of sd, which TLS Allowed CN does not list"):
        picky.begin(authority.tls("sd"), authority.tls("fd", allowed_cns=("other",)))
    picky.close()
    picky = Both()
    with pytest.raises(ConnectionLost):
        picky.begin(authority.tls("sd", allowed_cns=("other",)), authority.tls("fd"))
    assert "certificate of fd, which TLS Allowed CN" in str(picky.failure)
    picky.close()


def test_a_certificate_of_an_unknown_authority_is_refused(authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger")
    both = Both()
    with pytest.raises(AuthenticationError, match="its certificate is not accepted: "):
        both.begin(stranger.tls("sd"), authority.tls("fd"))
    both.close()
    both = Both()
    with pytest.raises((AuthenticationError, ConnectionLost)):
        both.begin(authority.tls("sd"), replace(stranger.tls("fd"), ca_certificate_file=str(authority.path)))
    assert "its certificate is not accepted" in str(both.failure)
    both.close()


def test_a_caller_without_certificate_is_accepted_only_where_nobody_asks_for_it(authority: Authority) -> None:
    bare = Tls(enable=True, ca_certificate_file=str(authority.path))
    both = Both()
    both.begin(authority.tls("sd", verify_peer=False), bare)
    both.close()
    both = Both()
    with pytest.raises((AuthenticationError, ConnectionLost)):
        both.begin(authority.tls("sd"), bare)
    assert both.failure is not None
    both.close()


def test_a_peer_that_speaks_no_tls_is_an_error_and_one_that_says_nothing_too(authority: Authority) -> None:
    both = Both()
    both.client.send(b"Hello")
    with pytest.raises(AuthenticationError, match="TLS with the Director could not begin"):
        be_server(both.server, authority.tls("fd"))
    both.close()
    both = Both()
    with pytest.raises(ConnectionLost, match="during the start of TLS"):
        be_server(both.server, authority.tls("fd"), 0.01)
    both.close()


def test_what_was_sent_in_clear_is_not_taken_for_encrypted(both: Both, authority: Authority) -> None:
    both.server.read_ahead = True
    both.client.send(b"1000 OK auth\n", b"JobId=1")
    assert both.server.receive() == b"1000 OK auth\n"
    with pytest.raises(RemoteProtocolError, match="in clear where TLS begins"):
        be_server(both.server, authority.tls("fd"))


def test_a_cut_in_the_midst_of_tls_is_a_lost_connection(both: Both, authority: Authority) -> None:
    both.begin(authority.tls("sd"), authority.tls("fd"))
    both.server.interrupt()
    with pytest.raises(ConnectionLost, match="it closed the connection in the midst of TLS"):
        both.client.receive()


def test_a_cancel_is_obeyed_in_a_handshake(authority: Authority) -> None:
    cancel_pipe, ring = os.pipe()
    near, far = socket.socketpair()
    os.write(ring, b"c")
    connection = Connection(near, "x", cancel_pipe=cancel_pipe)
    with far, pytest.raises(JobCanceled):
        be_client(connection, authority.tls("fd"))
    connection.close()
    os.close(cancel_pipe)
    os.close(ring)


def test_the_conf_says_how_much_tls_is_needed() -> None:
    assert tls_need(Tls()) is TlsNeed.NONE
    assert tls_need(Tls(enable=True)) is TlsNeed.OK
    assert tls_need(Tls(enable=True, require=True)) is TlsNeed.REQUIRED


def test_files_that_cannot_be_used_are_named(authority: Authority, tmp_path: Path) -> None:
    good = authority.tls("fd")
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    for tls, why in (
        (replace(good, certificate=""), "needs a .TLS Certificate."),
        (replace(good, certificate="/nonexistent"), "/nonexistent cannot be read: No such file"),
        (replace(good, certificate=str(junk)), "junk.pem cannot be used"),
        (replace(good, ca_certificate_file=""), "TLS CA Certificate File"),
        (replace(good, ca_certificate_file=str(junk)), "TLS CA Certificate File or Dir: .*junk.pem cannot be used"),
        (replace(good, dh_file=str(junk)), "TLS DH File: .*junk.pem cannot be used"),
    ):
        with pytest.raises(ConfigError, match=why):
            server_context(tls)


@pytest.mark.parametrize(
    ("name", "address"),
    [("*.example", "a.b.example"), ("*.example", "example"), ("*", "a"), ("*.com", "x.com"), ("", ""), ("a", "b")],
)
def test_a_wildcard_covers_one_label_of_a_domain(name: str, address: str) -> None:
    assert not matches(name, address)


def test_whoever_closes_says_the_end_of_tls(authority: Authority) -> None:
    both = Both()
    both.begin(authority.tls("a-fd"), authority.tls("a-dir"))
    both.client.close()
    with pytest.raises(ConnectionLost, match=r"it closed the connection$"):
        both.server.receive()
    both.server.close()


def test_a_connection_says_how_it_is_encrypted(both: Both, authority: Authority) -> None:
    assert not both.client.cipher
    assert not both.client.names
    both.begin(authority.tls("sd", "sd.example"), authority.tls("fd"))
    assert both.client.cipher.startswith("TLSv1.3 TLS_")
    assert set(both.client.names) == {"sd", "sd.example"}
    assert set(both.server.names) == {"fd"}
