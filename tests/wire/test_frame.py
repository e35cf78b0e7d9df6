"""Packets: whole, byte by byte, with a tail, and from somebody who means no good."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.errors import LocalProtocolError, RemoteProtocolError
from filed.wire.frame import MAX_PACKET_BYTES, FrameReader, More, Packet, Signal, pack_packet, pack_signal

SAMPLES: list[tuple[bytes, Packet]] = [
    (b"\0\0\0\x0d1000 OK auth\n", b"1000 OK auth\n"),
    (b"\0\0\0\0", b""),
    (b"\xff\xff\xff\xff", Signal.EOD),
    (b"\xff\xff\xff\xfc", Signal.TERMINATE),
    (b"\xff\xff\xff\xfa", Signal.HEARTBEAT),
    (pack_packet(b"a" * 300, compress=True), b"a" * 300),
]


def everything(reader: FrameReader) -> list[Packet]:
    packets: list[Packet] = []
    while (packet := reader.next_packet()) is not More.NEEDED:
        packets.append(packet)
    return packets


@pytest.mark.parametrize(("raw", "packet"), SAMPLES)
def test_a_packet_comes_out_whole(raw: bytes, packet: Packet) -> None:
    reader = FrameReader()
    reader.receive(raw)
    assert everything(reader) == [packet]
    assert reader.held == 0


@pytest.mark.parametrize(("raw", "packet"), SAMPLES)
def test_a_packet_may_come_byte_by_byte(raw: bytes, packet: Packet) -> None:
    reader = FrameReader()
    for number in range(len(raw) - 1):
        reader.receive(raw[number : number + 1])
        assert reader.next_packet() is More.NEEDED
    reader.receive(raw[-1:])
    assert everything(reader) == [packet]


@given(st.lists(st.sampled_from([*SAMPLES, (b"\0\0\0\x03abc", b"abc"), (b"\0\0\0\x01x", b"x")])), st.integers(0, 20))
def test_many_plain_packets_come_at_once_and_all_others_one_by_one(
    sent: list[tuple[bytes, Packet]], missing: int
) -> None:
    raw = b"".join(raw for raw, _ in sent)
    reader, found = FrameReader(), list[Packet]()
    cut = max(len(raw) - missing, 0)
    for part in (raw[:cut], raw[cut:]):
        reader.receive(part)
        while True:
            plain = FrameReader()
            plain.receive(reader.take_plain())
            found += everything(plain)
            assert plain.held == 0
            if (packet := reader.next_packet()) is More.NEEDED:
                break
            assert isinstance(packet, Signal) or packet in (b"", b"a" * 300)
            found.append(packet)
    assert found == [packet for _, packet in sent]


@pytest.mark.parametrize(("raw", "packet"), SAMPLES)
def test_a_tail_waits_for_its_rest(raw: bytes, packet: Packet) -> None:
    reader = FrameReader()
    reader.receive(raw + b"\0\0\0\x02a")
    assert everything(reader) == [packet]
    assert reader.missing == 1
    reader.receive(b"b")
    assert everything(reader) == [b"ab"]


@pytest.mark.parametrize(("raw", "packet"), SAMPLES)
def test_reading_no_more_than_is_missing_never_reads_beyond_a_packet(raw: bytes, packet: Packet) -> None:
    reader, at = FrameReader(), 0
    behind = b"\x16\x03\x01 the first bytes of TLS"
    while missing := reader.missing:
        reader.receive((raw + behind)[at : at + missing])
        at += missing
    assert at == len(raw)
    assert everything(reader) == [packet]


def test_a_compressed_packet_is_shorter_on_the_wire() -> None:
    assert len(pack_packet(b"a" * 300, compress=True)) < 30
    assert pack_packet(b"short", compress=True) == b"\0\0\0\5short"


def test_what_would_not_shrink_is_sent_plain() -> None:
    payload = bytes(range(256))
    assert pack_packet(payload, compress=True) == struct.pack(">i", 256) + payload


def test_a_packet_that_no_peer_would_take_is_our_own_mistake() -> None:
    with pytest.raises(LocalProtocolError):
        pack_packet(bytes(MAX_PACKET_BYTES + 1))


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (struct.pack(">i", MAX_PACKET_BYTES + 1), "1,000,001 bytes is announced"),
        (struct.pack(">i", 1 << 30 | MAX_PACKET_BYTES + 1), "1,000,001 bytes is announced"),
        (struct.pack(">i", 1 << 29 | 5), "extended header"),
        (struct.pack(">i", -8), "no signal -8"),
        (struct.pack(">i", -(1 << 31)), "no signal -2147483648"),
        (struct.pack(">i", 1 << 30 | 4) + b"\xff\xff\xff\xff", "not an LZ4 block"),
        (struct.pack(">i", 1 << 30), "not an LZ4 block"),
        # 4 + 255 * n: a block that would grow to 19 MB
        (struct.pack(">i", 1 << 30 | 75_004) + b"\x1fa\x01\0" + b"\xff" * 75_000, "not an LZ4 block"),
    ],
)
def test_nonsense_is_refused_with_its_reason(raw: bytes, why: str) -> None:
    reader = FrameReader()
    reader.receive(raw)
    with pytest.raises(RemoteProtocolError, match=why):
        everything(reader)


def test_a_length_is_refused_before_its_payload_is_awaited() -> None:
    reader = FrameReader()
    reader.receive(b"\x0f\xff\xff\xff")
    with pytest.raises(RemoteProtocolError):
        _ = reader.missing


packets = st.lists(st.one_of(st.binary(max_size=200), st.sampled_from(Signal)), max_size=8)


@given(packets, st.booleans(), st.lists(st.integers(0, 400), max_size=20))
def test_packets_come_back_however_they_are_cut(sent: list[Packet], compress: object, cuts: list[int]) -> None:
    raw = b"".join(pack_signal(p) if isinstance(p, Signal) else pack_packet(p, compress=bool(compress)) for p in sent)
    edges = [0, *sorted(cut for cut in cuts if cut < len(raw)), len(raw)]
    reader, got = FrameReader(), []
    for begin, end in itertools.pairwise(edges):
        reader.receive(raw[begin:end])
        got += everything(reader)
    assert got == sent


@given(packets, st.binary(max_size=300))
def test_any_bytes_are_packets_or_a_remote_protocol_error(sent: list[Packet], junk: bytes) -> None:
    reader = FrameReader()
    reader.receive(b"".join(pack_signal(p) if isinstance(p, Signal) else pack_packet(p) for p in sent) + junk)
    got: list[Packet] = []
    try:
        while (packet := reader.next_packet()) is not More.NEEDED:
            got.append(packet)
    except RemoteProtocolError:
        pass
    assert got[: len(sent)] == sent
    assert reader.held <= len(junk)
