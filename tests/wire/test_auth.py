"""CRAM-MD5: both flavours, both directions, and what each side wants of TLS."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.errors import AuthenticationError, LocalProtocolError, RemoteProtocolError
from filed.wire.auth import (
    AUTH_FAILED,
    AUTH_OK,
    Base64,
    Challenge,
    MutualProof,
    Proof,
    StartTls,
    TlsNeed,
    encode_old_base64,
    secret_of,
    wants_tls,
)

SECRET = secret_of(b"a password")


def both(ours: MutualProof, theirs: MutualProof) -> list[bytes]:
    """The conversation of two sides until nobody has anything to say."""
    said = []
    queues = {id(theirs): ours.begin(), id(ours): theirs.begin()}
    while any(queues.values()):
        for side, other in ((ours, theirs), (theirs, ours)):
            heard, queues[id(side)] = queues[id(side)], []
            for packet in heard:
                said.append(packet)
                if side.state not in (Proof.GIVEN, Proof.FAILED):
                    queues[id(other)] += side.receive(packet)
    return said


def sides(secret: bytes = SECRET, flavour: Base64 = Base64.OLD) -> tuple[MutualProof, MutualProof]:
    server = Challenge.fresh(b"here-fd", 1, 2, TlsNeed.OK, flavour)
    client = Challenge.fresh(b"there-dir", 3, 4, TlsNeed.NONE)
    return (
        MutualProof(server, SECRET, "Director there-dir", challenges_first=True),
        MutualProof(client, secret, "client here-fd", challenges_first=False),
    )


def test_a_secret_is_the_md5_of_the_password_in_hex() -> None:
    assert secret_of(b"") == b"d41d8cd98f00b204e9800998ecf8427e"


def test_the_old_base64_is_the_standard_one_while_no_byte_has_its_high_bit() -> None:
    assert encode_old_base64(b"abc") == base64.b64encode(b"abc")


def test_the_old_base64_spills_the_sign_and_does_not_align_the_end() -> None:
    """0x01 0xff: 000000 | 01 and ones over it: 111111 | 1111."""
    assert encode_old_base64(b"\x01\xff") == b"A/P"
    assert base64.b64encode(b"\x01\xff") == b"Af8="


@pytest.mark.parametrize("flavour", Base64)
def test_two_sides_with_one_secret_prove_it_to_each_other(flavour: Base64) -> None:
    server, client = sides(flavour=flavour)
    said = both(server, client)
    assert (server.state, client.state) == (Proof.GIVEN, Proof.GIVEN)
    assert (server.their_tls, client.their_tls) == (TlsNeed.NONE, TlsNeed.OK)
    assert [len(packet) for packet in said if packet.endswith(b"\0")] == [23, 23]
    assert said.count(AUTH_OK) == 2


def test_a_wrong_secret_is_told_and_then_an_error() -> None:
    server, client = sides(secret=secret_of(b"another"))
    assert both(server, client)[-1] == AUTH_FAILED
    assert (server.state, client.state) == (Proof.FAILED, Proof.FAILED)
    assert "could not prove" in str(server.refusal)
    assert "another one than ours" in str(client.refusal)
    with pytest.raises(LocalProtocolError):
        server.receive(AUTH_OK)


def test_a_secret_stands_in_no_message() -> None:
    server, client = sides(secret=secret_of(b"another"))
    both(server, client)
    assert SECRET.decode() not in str(server.refusal) + str(client.refusal)


def test_our_own_challenge_sent_back_is_not_answered() -> None:
    _, client = sides()
    with pytest.raises(RemoteProtocolError, match="came back"):
        client.receive(client.challenge.format())


@pytest.mark.parametrize("flavour", Base64)
def test_a_response_is_taken_in_either_flavour(flavour: Base64) -> None:
    asked = Challenge(b"<1.2@x>", flavour)
    for other in Base64:
        assert asked.accepts(SECRET, Challenge(asked.text, other).response(SECRET))
    assert not asked.accepts(SECRET, b"")
    assert not asked.accepts(SECRET, asked.response(b"x"))


def test_a_challenge_without_a_need_of_tls_is_legal() -> None:
    assert Challenge.parse(b"auth cram-md5 <1.2@x>\n") == Challenge(b"<1.2@x>", Base64.OLD, None)


@pytest.mark.parametrize(
    "packet",
    [b"", b"1000 OK auth\n", b"auth cram-md5 1.2@x ssl=0\n", b"auth cram-md5 <1 2@x> ssl=0\n", b"auth cram-md5d <1> ssl=0",
     b"auth cram-md5 <1> ssl=3\n", b"auth cram-md5 <1> ssl=0 more\n", b"auth cram-md5 <%b> ssl=0\n" % (b"a" * 600)],
)  # fmt: skip
def test_what_is_no_challenge_is_not_signed(packet: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        Challenge.parse(packet)


@pytest.mark.parametrize("name", [b"", b"a b", b"a>", b"a\0", b"a" * 128])
def test_a_name_that_does_not_fit_a_challenge_is_our_mistake(name: bytes) -> None:
    with pytest.raises(LocalProtocolError):
        Challenge.fresh(name, 1, 2, TlsNeed.NONE)


@given(
    st.binary(min_size=1, max_size=60).filter(lambda t: not set(t) & set(b"<> \t\n\r\v\f\0")),
    st.sampled_from(Base64),
    st.sampled_from([None, *TlsNeed]),
)
def test_a_challenge_comes_back_as_it_was(text: bytes, flavour: Base64, tls: TlsNeed | None) -> None:
    challenge = Challenge(b"<%b>" % text, flavour, tls)
    assert Challenge.parse(challenge.format()) == challenge


@given(st.sampled_from([True, False]), st.lists(st.one_of(st.binary(max_size=60), st.just(AUTH_OK)), max_size=5))
def test_any_packets_end_in_a_remote_protocol_error_or_a_refusal(first: object, packets: list[bytes]) -> None:
    proof = MutualProof(Challenge(b"<1.2@x>"), SECRET, "somebody", challenges_first=bool(first))
    try:
        for packet in packets:
            proof.receive(packet)
            if proof.state is Proof.FAILED:
                break
    except RemoteProtocolError:
        pass
    assert proof.state is not Proof.GIVEN


@pytest.mark.parametrize("tls", TlsNeed)
@pytest.mark.parametrize("psk", TlsNeed)
def test_a_starttls_comes_back_as_it_was(tls: TlsNeed, psk: TlsNeed) -> None:
    assert StartTls.parse(StartTls(tls, psk).format()) == StartTls(tls, psk)


def test_other_packets_are_no_starttls_and_other_numbers_an_error() -> None:
    assert StartTls.parse(b"auth cram-md5 <1.2@x> ssl=0\n") is None
    with pytest.raises(RemoteProtocolError):
        StartTls.parse(b"starttls tlspsk=300\n")


@pytest.mark.parametrize(
    ("ours", "theirs", "begins"),
    [(0, 0, False), (0, 1, False), (1, 0, False), (1, None, False), (1, 1, True), (1, 2, True), (2, 1, True), (2, 2, True)],
)  # fmt: skip
def test_tls_begins_when_both_can(ours: int, theirs: int | None, begins: object) -> None:
    assert wants_tls(TlsNeed(ours), None if theirs is None else TlsNeed(theirs), "x") is begins


@pytest.mark.parametrize(("ours", "theirs"), [(2, 0), (0, 2), (2, None)])
def test_one_side_that_insists_while_the_other_cannot_is_an_error(ours: int, theirs: int | None) -> None:
    with pytest.raises(AuthenticationError, match="TLS"):
        wants_tls(TlsNeed(ours), None if theirs is None else TlsNeed(theirs), "Storage Daemon s")
