from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.errors import StreamError
from filed.pipeline.compress import Codec, Compression
from filed.pipeline.der import Recipient, pack_session
from filed.pipeline.encrypt import RSA_ENCRYPTION, PacketCipher, PacketReader, SessionKey, open_session
from filed.pipeline.keys import Cipher, Keyring
from filed.pipeline.workers import Slot
from tests.pipeline.content import CHUNK, CLIENT, MASTER
from tests.wire.golden import RECORDS, hex_record

KEY = SessionKey.fresh(Cipher.AES128)


def read(records, key: SessionKey = KEY) -> list[bytes]:
    reader = PacketReader(key)
    packets = [bytes(packet) for record in records for packet in reader.feed(record)]
    return packets + [bytes(packet) for packet in reader.finish()]


def test_the_session_of_a_real_daemon_opens_its_data():
    wanted = next(line for line in (RECORDS / "crypto-session-key.txt").read_text().splitlines() if line[0] != "#")
    for pair in (CLIENT, MASTER):
        key = open_session(hex_record("crypto-session"), Keyring((pair,)))
        assert key.key.hex() == wanted
        assert read([hex_record("crypto-data-1")], key) == [b"deep\n"]


@pytest.mark.parametrize("cipher", Cipher)
def test_a_fresh_session_opens_with_any_recipients_key(cipher):
    key = SessionKey.fresh(cipher)
    record = key.seal([CLIENT.certificate, MASTER.certificate])
    assert open_session(record, Keyring((MASTER,))) == key == open_session(record, Keyring((CLIENT,)))
    assert key.key.hex() not in repr(key)


@given(st.lists(st.binary(max_size=100), max_size=8), st.integers(1, 60))
def test_packets_come_back_one_to_a_record_or_later(packets, cut):
    cipher = PacketCipher(KEY, 20)
    records = [record for packet in packets for _, record in cipher.packets([packet])]
    held = sum(4 + len(packet) for packet in packets) % 16
    assert sum(len(record) for record in records) == sum(4 + len(packet) for packet in packets) - held
    records += [record for _, record in cipher.finish()]
    assert len(records[-1]) == 16
    assert read(records) == packets
    stream = b"".join(records)
    assert read(stream[at : at + cut] for at in range(0, len(stream), cut)) == packets


@given(st.lists(st.integers(0, 200), min_size=1, max_size=9))
def test_several_packets_at_once_make_the_same_records(sizes):
    packets = [bytes(size) for size in sizes]
    one_by_one, at_once = PacketCipher(KEY, 20), PacketCipher(KEY, 20)
    wanted = [record for packet in packets for record in one_by_one.packets([packet])]
    compressed: Slot[list[tuple[int, bytes]]] = Slot()
    compressed.fill([(20, packet) for packet in packets])
    assert at_once.later_packets(compressed) == wanted
    assert at_once.finish() == one_by_one.finish()


CODERS = [
    Compression(Codec.GZIP, 9),
    Compression(Codec.LZO),
    *(Compression(Codec.ZSTD, level) for level in range(1, 20)),
]
SMALLEST = min(len(compression.coder()(bytes(CHUNK))) for compression in CODERS)


@given(st.lists(st.integers(SMALLEST, 90), max_size=12), st.integers(1, 40))
def test_a_reader_that_keeps_back_a_block_meets_one_packet_a_record_and_two_at_the_end(sizes, last):
    """As real daemons restore. Only the last chunk of a file can be packed smaller than a full one of zeros."""
    assert SMALLEST > 31 - 4
    cipher = PacketCipher(KEY, 20)
    records = cipher.packets([bytes(size) for size in [*sizes, last]])
    cipher_text, *ends = 0, *itertools.accumulate(4 + size for size in [*sizes, last])
    complete = 0
    for _, record in records:
        cipher_text += len(record)
        now = sum(end <= cipher_text - 16 for end in ends)
        assert now - complete <= 1
        complete = now
    assert len(ends) - complete <= 2


@given(st.lists(st.binary(max_size=50), max_size=3))
def test_noise_is_a_stream_error_or_packets(records):
    try:
        read(records)
    except StreamError:
        return


def test_no_data_at_all_is_an_empty_file():
    assert read([]) == []


def test_what_is_missing_at_the_end_is_told():
    cipher = PacketCipher(KEY, 20)
    records = [record for _, record in cipher.packets([b"x" * 60]) + cipher.finish()]
    for cut in (records[:-1], [records[0][:16]], [records[0][:17]], records[1:]):
        with pytest.raises(StreamError):
            read(cut)


def test_what_cannot_be_opened_says_why():
    ours = CLIENT.certificate.key_id
    wrapped = Recipient(ours, RSA_ENCRYPTION, CLIENT.certificate.public_key.encrypt(b"short", _padding()))
    for record, why in (
        (pack_session(Cipher.AES128.oid, bytes(16), [wrapped]), "unwrapped.*damaged"),
        (
            pack_session(Cipher.AES128.oid, bytes(16), [Recipient(ours, RSA_ENCRYPTION, b"\1" * 256)]),
            "unwrapped.*damaged",
        ),
        (pack_session(Cipher.AES128.oid, bytes(8), [wrapped]), "IV"),
        (pack_session("1.3.6.1.4.1.3029.1.2", bytes(8), [wrapped]), "1.3.6.1.4.1.3029.1.2"),
        (pack_session(Cipher.AES128.oid, bytes(16), [Recipient(ours, RSA_ENCRYPTION, b"x")]), "unwrapped"),
        (pack_session(Cipher.AES128.oid, bytes(16), []), "none"),
    ):
        with pytest.raises(StreamError, match=why):
            open_session(record, Keyring((CLIENT,)))
    with pytest.raises(StreamError, match=ours.hex()):
        open_session(pack_session(Cipher.AES128.oid, bytes(16), [wrapped]), Keyring((MASTER,)))


def _padding():
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    return PKCS1v15()
