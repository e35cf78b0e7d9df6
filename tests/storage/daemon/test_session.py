"""Meeting a Storage Daemon: as bacula-fd and bacula-sd did, and as it goes wrong."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.config.keys import Tls
from filed.errors import AuthenticationError, ConnectionLost, RemoteProtocolError, VolumeError
from filed.storage.daemon.session import StorageAddress, ask, greet, introduce, take_over
from filed.transport import Bandwidth, Connection
from filed.volume import Session
from filed.wire.auth import TlsNeed
from filed.wire.frame import Packet, Signal
from filed.wire.storage import AppendOpen, Hello, Opened
from filed.wire.version import V9_6_7, V15_0_3
from tests.job.storage import KEY, Storage
from tests.storage.player import Line, Player
from tests.wire.transcripts import Transcript, transcript

GREETING = 8  # lines


def address_of(conversation: Transcript, **changes: object) -> StorageAddress:
    """Who we have to be to say what was said."""
    hello = Hello.parse(conversation.lines[0][1])  # type: ignore[arg-type]
    assert hello
    values = {"host": "sd", "port": 9103, "job": hello.job, "key": conversation.secret}
    return StorageAddress(**values | {"session": Session(1, 2), "client": b"t-fd"} | changes)  # type: ignore[arg-type]


def numbers_of(conversation: Transcript) -> tuple[int, int]:
    """Random and time of the challenge that bacula-fd sent."""
    challenge = conversation.said_by(caller=True)[2]
    assert isinstance(challenge, bytes)
    random, _, rest = challenge.partition(b"<")[2].partition(b".")
    return int(random), int(rest.partition(b"@")[0])


def meet(
    lines: list[Line], conversation: Transcript, check: Callable[[Connection], None] = lambda _: None, **changes: object
) -> Player:
    with Player(lines) as player:
        connection = Connection(player.near, "Storage Daemon at sd:9103")
        assert greet(connection, address_of(conversation, **changes), *numbers_of(conversation)) == 306
        check(connection)
        connection.close()
    return player


@pytest.mark.parametrize("name", ["append", "read"])
def test_our_greeting_is_byte_for_byte_that_of_bacula_fd(name: str) -> None:
    conversation = transcript(name)
    player = meet(conversation.lines[:GREETING], conversation)
    assert player.differences == []


def test_the_greeting_of_one_that_called_goes_on_elsewhere() -> None:
    address = StorageAddress("", 0, b"Save.1", KEY, Session(1, 2), b"t-fd", caller="192.0.2.5")
    cancel_pipe, ring = os.pipe()
    with Storage() as storage, socket.create_connection(("127.0.0.1", storage.port)) as sock:
        theirs = introduce(Connection(sock, address.peer), address)
        assert theirs is TlsNeed.NONE
        connection = take_over(sock.dup(), address, theirs, cancel_pipe, Bandwidth(lambda: 0, time.monotonic))
        assert isinstance(ask(connection, AppendOpen(), "the opening"), Opened)
        assert connection.peer == "Storage Daemon calling from 192.0.2.5"
        connection.close()
    os.close(cancel_pipe)
    os.close(ring)


def changed(number: int, packet: Packet) -> tuple[list[Line], Transcript]:
    conversation = transcript("append")
    lines = conversation.lines[:GREETING]
    assert not lines[number][0], "that line is ours"
    return [*lines[:number], (False, packet)], conversation


@pytest.mark.parametrize(
    ("number", "packet", "error", "why"),
    [
        (1, b"3999 what?\n", RemoteProtocolError, "challenge was expected"),
        (1, Signal.TERMINATE, AuthenticationError, "may not know Job Save.2026"),
        (1, Signal.EOD, RemoteProtocolError, "EOD"),
        (3, b"1999 Authorization failed.\n", AuthenticationError, "another one than ours"),
        (5, b"AAAAAAAAAAAAAAAAAAAAAA\0", AuthenticationError, "could not prove"),
        (7, b"3999 No\n", RemoteProtocolError, "did not accept us"),
    ],
)
def test_what_goes_wrong_is_told_with_its_reason(number: int, packet: Packet, error: type[Exception], why: str) -> None:
    lines, conversation = changed(number, packet)
    with pytest.raises(error, match=why):
        meet(lines, conversation)


def test_a_storage_daemon_that_closes_is_told_with_the_phase() -> None:
    conversation = transcript("append")
    with Player(conversation.lines[:3], ending="hang up") as player:
        connection = Connection(player.near, "Storage Daemon at sd:9103")
        with pytest.raises(ConnectionLost, match="Storage Daemon at sd:9103 lost during authentication"):
            greet(connection, address_of(conversation), *numbers_of(conversation))


def test_a_storage_daemon_that_does_not_know_the_job_just_closes() -> None:
    conversation = transcript("append")
    with Player(conversation.lines[:1], ending="hang up") as player:
        connection = Connection(player.near, "Storage Daemon at sd:9103")
        with pytest.raises(AuthenticationError, match="sd:9103 said nothing to our Hello: it may not know Job Save"):
            greet(connection, address_of(conversation), *numbers_of(conversation))


def test_tls_that_only_one_side_wants_ends_the_greeting() -> None:
    conversation = transcript("append")
    with pytest.raises(AuthenticationError, match="does not offer TLS"):
        meet(conversation.lines[:GREETING], conversation, tls=Tls(require=True))  # the recorded one says ssl=0


def test_a_key_is_not_shown() -> None:
    assert "BMEN" not in repr(address_of(transcript("append"), key=b"NPDJ-BMEN"))


def test_15_lists_what_it_can_and_may_want_tls_first() -> None:
    conversation = transcript("append")
    old = conversation.lines
    caps = b"sdcaps: dedup=0 hash=1 dedup_block=65536 min_dedup_block=1024 max_dedup_block=66556\n"
    assert isinstance(old[0][1], bytes)
    hello = old[0][1].replace(b" 214\n", b" 15 tlspsk=0\n")
    lines: list[Line] = [
        (True, hello),
        (False, caps),
        (True, b"fdcaps: dedup=0 rehydration=0 proxy=0\n"),
        *old[1:GREETING],
    ]
    assert meet(lines, conversation, version=V15_0_3).differences == []
    with pytest.raises(AuthenticationError, match="kind that was not offered"):
        meet([*lines[:3], (False, b"starttls tlspsk=100\n")], conversation, version=V15_0_3)
    with pytest.raises(RemoteProtocolError, match="did not say what it can"):
        meet([lines[0], *old[1:2]], conversation, version=V15_0_3)


def test_a_request_that_is_refused_is_a_volume_error_with_its_text() -> None:
    conversation = transcript("append")

    def check(connection: Connection) -> None:
        assert ask(connection, AppendOpen(), "the opening") == Opened(7)
        with pytest.raises(VolumeError, match="sd:9103 gave up during the opening: 3901 Error session already open"):
            ask(connection, AppendOpen(), "the opening")
        with pytest.raises(RemoteProtocolError, match="sd:9103, the opening: not an answer"):
            ask(connection, AppendOpen(), "the opening")

    asked: Line = (True, b"append open session\n")
    answers: list[Packet] = [b"3000 OK open ticket = 7\n", b"3901 Error session already open\n", b"what?\n"]
    lines = conversation.lines[:GREETING] + [line for answer in answers for line in (asked, (False, answer))]
    assert meet(lines, conversation, check).differences == []


@given(
    st.lists(
        st.one_of(
            st.sampled_from([packet for caller, packet in transcript("append").lines[:GREETING] if not caller]),
            st.sampled_from([b"sdcaps: hash=1\n", b"starttls tlspsk=1\n", b"starttls tlspsk=100\n", *Signal]),
            st.binary(max_size=60),
        ),
        max_size=4,  # a greeting has five, or six
    ),
    st.sampled_from([V9_6_7, V15_0_3]),
)
def test_packets_in_any_order_end_in_an_error_that_names_the_storage_daemon(
    said: list[Packet], version: object
) -> None:
    conversation = transcript("append")
    with Player([(False, packet) for packet in said], ending="hang up") as player:
        connection = Connection(player.near, "Storage Daemon at sd:9103")
        with pytest.raises((AuthenticationError, ConnectionLost, RemoteProtocolError), match="sd:9103"):
            greet(connection, address_of(conversation, version=version), *numbers_of(conversation))
        connection.close()


@pytest.mark.parametrize(("asked", "theirs", "does"), [(True, 306, True), (False, 306, False), (True, 305, False)])
def test_lines_are_compressed_for_a_storage_daemon_that_is_known_to_take_them(
    asked: object, theirs: int, does: object
) -> None:
    conversation = transcript("append")
    lines = [*conversation.lines[: GREETING - 1], (False, b"3000 OK Hello %d\n" % theirs)]
    with Player(lines) as player:
        connection = Connection(player.near, "Storage Daemon at sd:9103")
        assert greet(connection, address_of(conversation, compress=asked), *numbers_of(conversation)) == theirs
        assert connection.compress is does
        connection.close()
