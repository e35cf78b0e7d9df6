from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.director.connection import (
    MAX_COMMANDS_BYTES,
    MAX_FILESET_BYTES,
    PACKET_BYTES,
    ClockSample,
    DirectorConnection,
    EndOfList,
    Greeted,
    Item,
    KnownDirector,
    Left,
    Refused,
    TlsBegins,
)
from filed.errors import AuthenticationError, FiledError, RemoteProtocolError
from filed.wire import reply
from filed.wire.auth import AUTH_OK, Challenge, Encryption, StartTls, TlsNeed
from filed.wire.director import DotStatusCommand, FileSetCommand, StatusCommand
from filed.wire.director_parse import parse_command
from filed.wire.frame import Signal
from filed.wire.version import V9_6_7, V15_0_3
from tests.director.talk import DIRECTOR, SECRET, connection, hello, say

JOB = b"JobId=1 Job=B1.2026-11-23_10.14.28_03 SDid=1 SDtime=17 Authorization=KEY\n"


def greeted(**how: object) -> DirectorConnection:
    ours = connection(**how)  # type: ignore[arg-type]
    assert isinstance(hello(ours)[-1], Greeted)
    assert ours.to_send() == [b"2000 OK Hello 214\n"]
    return ours


def test_a_director_proves_who_it_is() -> None:
    assert hello(connection()) == [Greeted(DIRECTOR, 103, V9_6_7)]


def test_a_director_with_another_password_is_told_and_refused() -> None:
    ours = connection()
    say(ours, b"Hello Director a\x01dir calling 103\n")
    ours.to_send()
    with pytest.raises(AuthenticationError, match="password"):
        say(ours, b"wrong\0")
    assert ours.to_send()[-1] == reply.AUTH_FAILED


def test_the_name_of_an_unknown_director_forges_no_line_of_a_log() -> None:
    with pytest.raises(AuthenticationError, match=r'named "\\x1b\[2Jno body\\xff" called'):
        say(connection(), b"Hello Director \x1b[2Jno\x01body\xff calling 103\n")


def test_an_unknown_director_is_told_nothing() -> None:
    ours = connection()
    with pytest.raises(AuthenticationError, match="no such Director"):
        say(ours, b"Hello Director nobody calling 103\n")
    assert ours.to_send() == []


@pytest.mark.parametrize("packet", [b"GET / HTTP/1.1\r\n\r\n", b"Hello", b"Hello Director " + b"x" * 600])
def test_what_is_no_hello_ends_it(packet: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        say(connection(), packet)


def test_tls_begins_after_the_proof_and_before_the_greeting() -> None:
    director = KnownDirector("a dir", SECRET, tls=StartTls(TlsNeed.REQUIRED))
    ours = connection(director)
    assert hello(ours, tls=TlsNeed.OK) == [TlsBegins(director, Encryption.CERTIFICATES)]
    assert ours.to_send() == []
    assert ours.tls_is_up() == Greeted(director, 103, V9_6_7)
    assert ours.to_send() == [b"2000 OK Hello 214\n"]


def test_a_director_without_tls_is_refused_where_it_is_required() -> None:
    ours = connection(KnownDirector("a dir", SECRET, tls=StartTls(TlsNeed.REQUIRED)))
    with pytest.raises(AuthenticationError, match="TLS"):
        hello(ours)


def test_the_first_command_names_the_job() -> None:
    ours = greeted()
    assert say(ours, b"fileset") == [Refused(b"fileset", ends=True)]
    ours = greeted()
    assert say(ours, JOB, b"status") == [parse_command(JOB), StatusCommand()]


def test_an_unknown_command_ends_the_conversation() -> None:
    ours = greeted()
    assert say(ours, JOB, b"dance\n")[1:] == [Refused(b"dance\n", ends=True)]
    assert ours.to_send() == [reply.INVALID_COMMAND]


def test_a_command_that_the_conf_disables_is_unknown() -> None:
    ours = greeted(disabled=("setdebug",))
    events = say(ours, JOB, b"setdebug=1 trace=0 hangup=0 blowup=0 options= tags=\n")
    assert isinstance(events[-1], Refused)


def test_a_monitor_may_only_look() -> None:
    ours = greeted(director=KnownDirector("a dir", SECRET, monitor=True))
    events = say(ours, JOB.replace(b"JobId=1", b"JobId=0"), b"cancel Job=x\n", b"status")
    assert events[1:] == [Refused(b"cancel Job=x\n", ends=False), StatusCommand()]
    assert ours.to_send() == [reply.MONITOR_ONLY, Signal.EOD]


def test_a_monitor_names_no_job_of_its_own() -> None:
    ours = greeted(director=KnownDirector("a dir", SECRET, monitor=True))
    assert say(ours, JOB) == [Refused(JOB, ends=False)]
    assert ours.to_send() == [reply.MONITOR_ONLY, Signal.EOD]


def test_a_status_may_be_asked_for_without_a_job() -> None:
    assert say(greeted(), b"status", b".status current") == [StatusCommand(), DotStatusCommand("current")]


def test_a_fileset_is_a_list_up_to_the_end_of_data() -> None:
    ours = greeted()
    events = say(ours, JOB, b"fileset vss=1\n", b"I\n", b"F /a", Signal.EOD)
    assert events[1:] == [FileSetCommand(b"fileset vss=1"), Item(b"I\n"), Item(b"F /a"), EndOfList()]


def test_a_restore_object_is_two_packets_without_an_end_of_data() -> None:
    ours = greeted()
    events = say(ours, JOB, b"restoreobject JobId=1 1,1,0,1,0,1,ex\n", b"name", b"status", b"restoreobject end\n")
    assert [type(event).__name__ for event in events[2:]] == ["Item", "Item", "EndOfList", "RestoreObjectCommand"]


def test_the_directors_clock_is_no_command() -> None:
    assert say(greeted(), JOB, b"btime 1795428956200206\n")[1:] == [ClockSample(1795428956200206)]


def test_after_it_left_nothing_is_sent() -> None:
    ours = greeted()
    assert say(ours, Signal.TERMINATE) == [Left()]
    ours.send(b"too late")
    assert ours.to_send() == []


@given(st.lists(st.one_of(st.binary(max_size=300), st.sampled_from(Signal)), max_size=5))
def test_a_stranger_is_refused_and_nothing_worse(packets: list[bytes | Signal]) -> None:
    for ours in (connection(), greeted()):
        with contextlib.suppress(FiledError):
            say(ours, *packets)


def flood(ours: DirectorConnection, count: int, *packets: bytes) -> None:
    for _ in range(count):
        say(ours, *packets)
        ours.to_send()


@pytest.mark.parametrize("packet", [b"", b"F " + b"x" * 500_000])
def test_a_list_has_an_end_even_if_there_is_nothing_in_it(packet: bytes) -> None:
    ours = greeted()
    say(ours, JOB, b"fileset\n")
    with pytest.raises(RemoteProtocolError, match="a list of more than"):
        flood(ours, MAX_FILESET_BYTES // PACKET_BYTES + 1, packet)


def test_commands_have_an_end() -> None:
    ours = greeted()
    with pytest.raises(RemoteProtocolError, match="commands of more than"):
        flood(ours, MAX_COMMANDS_BYTES // 500_000 + 1, JOB, b"RunAfterJob " + b"x" * 500_000)


def test_15_begins_tls_before_anybody_has_proved_anything() -> None:
    director = KnownDirector("a dir", SECRET, tls=StartTls(TlsNeed.OK))
    ours = DirectorConnection("a-fd", {director.name: director}, 4711, 1795428868)
    assert say(ours, b"Hello Director a\x01dir calling 10002 tlspsk=101\n") == [
        TlsBegins(director, Encryption.CERTIFICATES)
    ]
    assert ours.to_send() == [b"starttls tlspsk=1\n"]
    assert ours.tls_is_up() is None
    (challenge,) = ours.to_send()
    assert isinstance(challenge, bytes)
    theirs = Challenge.fresh(b"a-dir", 42, 1795428868, TlsNeed.OK)
    say(ours, Challenge.parse(challenge).response(SECRET), theirs.format())
    assert say(ours, AUTH_OK) == [Greeted(director, 10002, V15_0_3)], "TLS does not begin twice"
    assert ours.to_send()[-1] == b"2000 OK Hello 15\n"


@pytest.mark.parametrize(
    ("ours", "theirs", "by"),
    [
        (StartTls(psk=TlsNeed.OK), 100, Encryption.SHARED_KEY),
        (StartTls(psk=TlsNeed.REQUIRED), 100, Encryption.SHARED_KEY),
        (StartTls(psk=TlsNeed.OK), 200, Encryption.SHARED_KEY),
        (StartTls(TlsNeed.OK, TlsNeed.OK), 101, Encryption.CERTIFICATES),
        (StartTls(TlsNeed.OK, TlsNeed.OK), 100, Encryption.SHARED_KEY),
        (StartTls(TlsNeed.REQUIRED, TlsNeed.REQUIRED), 100, Encryption.SHARED_KEY),
    ],
)
def test_15_begins_tls_with_the_shared_key_where_both_can(ours: StartTls, theirs: int, by: Encryption) -> None:
    director = KnownDirector("a dir", SECRET, tls=ours)
    core = DirectorConnection("a-fd", {director.name: director}, 4711, 1795428868)
    assert say(core, b"Hello Director a\x01dir calling 10002 tlspsk=%d\n" % theirs) == [TlsBegins(director, by)]
    assert core.to_send() == [b"starttls tlspsk=%d\n" % ours.number]
    assert core.tls_is_up() is None
    assert core.to_send()[0].startswith(b"auth cram-md5 ")  # type: ignore[union-attr]


@pytest.mark.parametrize("hello", [b"calling 10002 tlspsk=0\n", b"calling 10002\n", b"calling 103\n"])
def test_a_required_key_is_not_done_without(hello: bytes) -> None:
    director = KnownDirector("a dir", SECRET, tls=StartTls(psk=TlsNeed.REQUIRED))
    ours = DirectorConnection("a-fd", {director.name: director}, 4711, 1795428868)
    with pytest.raises(AuthenticationError, match="required here"):
        say(ours, b"Hello Director a\x01dir " + hello)
    assert ours.to_send() == []


def test_15_goes_on_in_clear_where_only_a_shared_key_is_offered() -> None:
    ours = DirectorConnection("a-fd", {DIRECTOR.name: DIRECTOR}, 4711, 1795428868)
    assert say(ours, b"Hello Director a\x01dir calling 10002 tlspsk=100\n") == []
    assert ours.to_send()[0].startswith(b"auth cram-md5 ")  # type: ignore[union-attr]


def test_15_refuses_a_director_that_must_have_a_certificate_and_finds_none() -> None:
    ours = DirectorConnection("a-fd", {DIRECTOR.name: DIRECTOR}, 4711, 1795428868)
    with pytest.raises(AuthenticationError, match="requires TLS, which is not enabled here"):
        say(ours, b"Hello Director a\x01dir calling 10002 tlspsk=2\n")
