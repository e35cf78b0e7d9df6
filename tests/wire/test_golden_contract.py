"""Everything the real daemons sent is read as what they meant: by frame, auth and storage together."""

from __future__ import annotations

import pytest

from filed.wire.auth import AUTH_OK, Challenge, MutualProof, Proof
from filed.wire.frame import FrameReader, More, Packet, Signal
from tests.wire.transcripts import HERE, transcript

RAW = [("append", True), ("append", False), ("read", True), ("read", False)]


def raw(name: str, caller: object) -> bytes:
    return (HERE / "golden" / f"{name}_{'fd' if caller else 'sd'}.bin").read_bytes()


@pytest.mark.parametrize(("name", "caller"), RAW)
@pytest.mark.parametrize("cut", [1, 7, 1460, 1_000_000])
def test_the_bytes_are_the_packets_of_the_transcript(name: str, caller: object, cut: int) -> None:
    reader, packets = FrameReader(), list[Packet]()
    data = raw(name, caller)
    for at in range(0, len(data), cut):
        reader.receive(data[at : at + cut])
        while (packet := reader.next_packet()) is not More.NEEDED:
            packets.append(packet)
    assert packets == transcript(name).said_by(caller)
    assert reader.held == 0


@pytest.mark.parametrize(("name", "caller"), RAW)
def test_a_cut_anywhere_needs_more_and_nothing_else(name: str, caller: object) -> None:
    data = raw(name, caller)
    whole = len(transcript(name).said_by(caller))
    for end in range(len(data)):
        reader, count = FrameReader(), 0
        reader.receive(data[:end])
        while reader.next_packet() is not More.NEEDED:
            count += 1
        assert count < whole


def test_the_real_daemons_compress_what_they_send() -> None:
    assert len(raw("read", False)) < sum(len(p) for p in transcript("read").said_by(False) if isinstance(p, bytes))


@pytest.mark.parametrize("name", ["append", "read", "director_status", "director_backup", "director_restore"])
def test_we_can_take_either_side_of_their_authentication(name: str) -> None:
    """With the challenge that was sent then, our answers are those that were given then."""
    conversation = transcript(name)
    lines = conversation.lines[1:7]
    assert [packet == AUTH_OK for _, packet in lines] == [False, False, True, False, False, True]
    for side in (True, False):
        mine = [packet for caller, packet in lines if caller is side]
        challenge = next(Challenge.parse(packet) for packet in mine if isinstance(packet, bytes) and b"cram" in packet)
        proof = MutualProof(challenge, conversation.secret, "them", challenges_first=not side)
        sent = proof.begin()
        for caller, packet in lines:
            if caller is not side:
                assert isinstance(packet, bytes)
                sent += proof.receive(packet)
        assert sent == mine
        assert proof.state is Proof.GIVEN


def test_a_wrong_password_is_found_out_as_the_real_one_did() -> None:
    conversation = transcript("director_wrong_password")
    (_, challenge), (_, response), (_, verdict) = conversation.lines[1:]
    assert isinstance(challenge, bytes)
    assert isinstance(response, bytes)
    proof = MutualProof(Challenge.parse(challenge), conversation.secret, "Director t-dir", challenges_first=True)
    assert proof.receive(response) == [verdict]
    assert proof.state is Proof.FAILED


def test_signals_end_what_they_end() -> None:
    assert transcript("append").lines[-2:] == [(False, Signal.EOD), (True, Signal.TERMINATE)]
