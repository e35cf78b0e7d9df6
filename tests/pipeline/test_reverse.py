from __future__ import annotations

import contextlib
import itertools
import re
import struct
import zlib

import pytest
import zstandard
from cryptography.hazmat.primitives import ciphers
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from filed.errors import StreamError
from filed.pipeline.compress import HEADER, LZO_ALGORITHM, ZSTD_ALGORITHM, Codec, Compression
from filed.pipeline.digest import Digest
from filed.pipeline.encrypt import LENGTH, PacketCipher, SessionKey
from filed.pipeline.forward import Encoder
from filed.pipeline.in_use import UNKNOWN_FILES
from filed.pipeline.keys import Cipher, Keyring
from filed.pipeline.plan import Plan
from filed.pipeline.queue import RecordQueue
from filed.pipeline.reverse import Checked, Decoder, EntryDecoder
from filed.pipeline.sign import Signed
from filed.pipeline.workers import Workers
from filed.wire.stream import DATA_STREAMS, DIGEST_STREAMS, StreamFlag
from tests.pipeline.content import CHUNK, CLIENT, ENCRYPTING, MASTER, SIGNING, SPARSE_CHUNK, text

KEYRING = Keyring((CLIENT,))
PLANS = [
    Plan(digest, codec, sparse, crypto)
    for digest, codec, sparse, crypto in itertools.product(
        Digest,
        (None, Compression(Codec.GZIP, 1), Compression(Codec.LZO), Compression(Codec.ZSTD, 3)),
        (False, True),
        (None, SIGNING, ENCRYPTING),
    )
]


@pytest.fixture(scope="module")
def workers():
    with Workers(2) as pool:
        yield pool


def encode(plan: Plan, content: bytes, workers: Workers) -> list[tuple[int, bytes]]:
    records: list[tuple[int, bytes]] = []
    queue = RecordQueue(lambda _, stream, data: records.append((stream, bytes(data))))
    Encoder(plan, workers, queue).small(1, content)
    queue.flush()
    return records


def take(content: bytearray, pieces) -> None:
    for offset, piece in pieces:
        if offset > 64 << 20:  # a damaged address; a real file would have a hole
            content += b"far away" + piece
            continue
        content.extend(bytes(max(0, offset + len(piece) - len(content))))
        content[offset : offset + len(piece)] = piece


def read_data(entry: EntryDecoder, records: list[tuple[int, bytes]]) -> bytes:
    """The content of data records, after the session if there is one."""
    content = bytearray()
    for stream, record in records:
        if stream == 22:
            entry.session(record)
        elif stream & 0x7FF in DATA_STREAMS:
            take(content, entry.feed(stream, record))
    take(content, entry.finish())
    return bytes(content)


def decode(decoder: Decoder, records: list[tuple[int, bytes]]) -> tuple[bytes, Checked | None, Signed | None]:
    entry = decoder.entry(1)
    content = read_data(entry, records)
    checked, signed = None, None
    for stream, record in records:
        if stream in DIGEST_STREAMS:
            checked = entry.check(stream, record)
        elif stream == 19:
            signed = entry.verify(record)
    return content, checked, signed


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    plan=st.sampled_from(PLANS),
    chunks=st.integers(0, 9),
    more=st.integers(-20, 1000),
    hole=st.tuples(st.integers(0, 600_000), st.integers(0, 300_000)),
)  # fmt: skip
def test_every_plan_comes_back(workers, plan, chunks, more, hole):
    content = bytearray(text(max(0, chunks * plan.chunk_bytes + more)))
    content[hole[0] : sum(hole)] = bytes(len(content[hole[0] : sum(hole)]))
    records = encode(plan, bytes(content), workers)
    for decoder in (Decoder(KEYRING), Decoder(KEYRING, workers)):
        read, checked, signed = decode(decoder, records)
        assert read == content
        assert checked is Checked.SAME
        assert signed is (Signed.VALID if plan.crypto else None)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=st.sampled_from(PLANS), data=st.data())
def test_damage_is_a_stream_error_or_found_by_the_digest(workers, plan, data):
    content = text(data.draw(st.sampled_from([1, 300, CHUNK + 9, 3 * CHUNK])))
    records = encode(plan, content, workers)
    at = data.draw(st.integers(0, len(records) - 1))
    stream, record = records[at]
    damaged = bytearray(record)
    match data.draw(st.integers(0, 4)):
        case 0:
            damaged[data.draw(st.integers(0, len(record) - 1))] ^= data.draw(st.integers(1, 255))
        case 1:
            del damaged[data.draw(st.integers(0, len(record) - 1)) :]
        case 2:
            damaged += data.draw(st.binary(min_size=1, max_size=40))
        case 3:
            start = data.draw(st.integers(0, len(record) - 1))
            damaged[start : start + 8] = data.draw(st.sampled_from([b"\xff" * 8, bytes(8), b"\x7f" + b"\xff" * 7]))
        case 4:
            damaged = bytearray()
    records[at] = (stream, bytes(damaged))
    try:
        read, checked, signed = decode(Decoder(KEYRING, workers), records)
    except StreamError as error:
        where = str(error)
    else:
        where = "(stream 1, FileIndex 1)"
        if read != content and not plan.leaves_holes:  # no digest covers the address of a chunk
            assert checked is not Checked.SAME
            assert signed is not Signed.VALID
    assert re.search(r"\(stream \d+, FileIndex 1\)$", where)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    stream=st.sampled_from(sorted(DATA_STREAMS)),
    records=st.lists(st.binary(max_size=200), max_size=4),
    flags=st.booleans(),
)
def test_noise_is_a_stream_error_or_content(workers, stream, records, flags):
    word = stream | (StreamFlag.OFFSETS if flags else 0)
    entry = Decoder(KEYRING, workers).entry(5)
    key = SessionKey.fresh(Cipher.AES128)
    entry.session(key.seal([CLIENT.certificate]))
    with contextlib.suppress(StreamError):
        for record in records:
            list(entry.feed(word, record))
        list(entry.finish())


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_noise_as_session_or_signature_is_a_stream_error(noise):
    entry = Decoder(KEYRING).entry(7)
    entry.session(noise)
    with pytest.raises(StreamError, match="FileIndex 7"):
        list(entry.feed(20, bytes(16)))
    with contextlib.suppress(StreamError):
        assert Decoder(KEYRING).entry(7).verify(noise) is Signed.UNKNOWN_SIGNER


# What writers other than ours do.


def test_plain_data_may_be_cut_anywhere(workers):
    content = text(500_000)
    records = [(2, content[at : at + 999]) for at in range(0, len(content), 999)]
    assert read_data(Decoder(workers=workers).entry(1), records) == content


@pytest.mark.parametrize("size", [256 << 10, 3 << 20])
def test_chunks_of_other_sizes_are_read(workers, size):
    content = text(size * 6)
    parts = [content[at : at + size] for at in range(0, len(content), size)]
    lzo = Compression(Codec.LZO).coder()
    zstd = zstandard.ZstdCompressor()
    for stream, pack in (
        (2, bytes),
        (4, zlib.compress),
        (29, lzo),
        (29, lambda part: HEADER.pack(ZSTD_ALGORITHM, len(zstd.compress(part)), 0, 1) + zstd.compress(part)),
    ):
        entry = Decoder(workers=workers).entry(1, [Digest.MD5])
        assert read_data(entry, [(stream, pack(part)) for part in parts]) == content
        assert entry.check(3, Digest.MD5.new(content).digest()) is Checked.SAME


@pytest.mark.parametrize("cut", [1, 15, 999, 10_000, CHUNK, 10 << 20])
def test_cipher_text_may_be_cut_anywhere(workers, cut):
    key = SessionKey.fresh(Cipher.AES192)
    cipher = PacketCipher(key, 23)
    content = text(300_000)
    records = cipher.packets([zlib.compress(content[:4096]), zlib.compress(content[4096:])]) + cipher.finish()
    stream = b"".join(record for _, record in records)
    entry = Decoder(KEYRING, workers).entry(1)
    entry.session(key.seal([CLIENT.certificate]))
    assert read_data(entry, [(23, stream[at : at + cut]) for at in range(0, len(stream), cut)]) == content


def test_offsets_stand_in_front_of_any_stream(workers):
    word = 4 | StreamFlag.OFFSETS
    records = [(word, struct.pack(">Q", at) + zlib.compress(part)) for at, part in ((0, b"one"), (100, b"two"))]
    entry = Decoder(workers=workers).entry(1)
    assert read_data(entry, records) == b"one" + bytes(97) + b"two"
    assert entry.length == 103


def test_the_file_of_a_windows_backup_stream(workers):
    def part(number: int, data: bytes, name: bytes = b"") -> bytes:
        return struct.pack("<IIQI", number, 0, len(data), len(name)) + name + data

    stream = (
        part(3, b"security")
        + part(1, text(200_000))
        + part(4, b"hidden", b":x:$DATA")
        + part(9, struct.pack("<Q", 300_000) + b"end")
    )
    for number, pack in ((11, bytes), (12, zlib.compress), (31, Compression(Codec.ZSTD, 3).coder())):
        entry = Decoder(workers=workers).entry(1, [Digest.SHA1])
        records = [(number, pack(stream[at : at + CHUNK])) for at in range(0, len(stream), CHUNK)]
        assert read_data(entry, records) == text(200_000) + bytes(100_000) + b"end"
        assert entry.check(10, Digest.SHA1.new(stream).digest()) is Checked.SAME


def test_data_without_a_session_uses_that_of_another_file(workers):
    records = encode(Plan(crypto=ENCRYPTING), b"first", workers)
    decoder = Decoder(KEYRING)
    assert decode(decoder, records)[0] == b"first"
    assert read_data(decoder.entry(2), [record for record in records if record[0] == 20]) == b"first"
    with pytest.raises(StreamError, match="without a session"):
        list(Decoder(KEYRING).entry(2).feed(20, bytes(16)))


def test_an_unwrapped_key_is_remembered(workers):
    records = encode(Plan(crypto=ENCRYPTING), b"first", workers)
    decoder = Decoder(KEYRING)
    assert decoder.session_key(records[0][1]) is decoder.session_key(records[0][1])
    for _ in range(100):
        decoder.session_key(SessionKey.fresh(Cipher.AES256).seal([CLIENT.certificate]))
    assert decode(decoder, records)[0] == b"first"


# What cannot be read says why.


def test_what_is_good_comes_out_ahead_of_the_damage():
    key = SessionKey.fresh(Cipher.AES128)
    plain = LENGTH.pack(4) + b"good" + LENGTH.pack(5) + b"again" + LENGTH.pack(1 << 31) + bytes(43)
    record = ciphers.Cipher(AES(key.key), CBC(key.iv)).encryptor().update(plain)
    entry = Decoder(KEYRING).entry(1)
    entry.session(key.seal([CLIENT.certificate]))
    found = []
    with pytest.raises(StreamError, match="claims"):
        found.extend(entry.feed(20, record))
    assert b"".join(content for _, content in found) == b"goodagain"


def test_a_missing_key_is_named(workers):
    records = encode(Plan(crypto=ENCRYPTING), b"secret", workers)
    with pytest.raises(StreamError, match=CLIENT.certificate.key_id.hex()):
        decode(Decoder(Keyring()), records)
    assert decode(Decoder(Keyring((MASTER,))), records)[0] == b"secret"


def test_a_signature_needs_its_signer(workers):
    records = encode(Plan(crypto=SIGNING), b"signed", workers)
    assert decode(Decoder(Keyring()), records)[2] is Signed.UNKNOWN_SIGNER
    assert decode(Decoder(Keyring(signers=(CLIENT.certificate,))), records)[2] is Signed.VALID
    assert decode(Decoder(KEYRING), [(2, b"forged"), *records[1:]])[2] is Signed.INVALID


def test_a_changed_digest_is_told(workers):
    (data, (stream, _)) = encode(Plan(Digest.SHA256), b"content", workers)
    assert decode(Decoder(), [data, (stream, bytes(32))])[1] is Checked.DIFFERENT
    with pytest.raises(StreamError, match="31 bytes"):
        decode(Decoder(), [data, (stream, bytes(31))])


def test_digests_are_learned_from_the_job(workers):
    decoder = Decoder(workers=workers)
    wanted = [Checked.SAME, Checked.SAME, Checked.UNCHECKED, Checked.SAME]
    used = [Digest.MD5, Digest.MD5, Digest.SHA1, Digest.SHA1]
    checks = [decode(decoder, encode(Plan(digest), b"x", workers))[1] for digest in used]
    assert checks == wanted
    entry = decoder.entry(9, {Digest.SHA512})
    list(entry.feed(2, b"known"))
    list(entry.finish())
    assert entry.check(18, Digest.SHA512.new(b"known").digest()) is Checked.SAME
    assert entry.check(40, bytes(8)) is Checked.UNCHECKED


def test_of_what_a_catalog_knows_no_other_digest_is_calculated(workers):
    """From the first file on; signatures, for which there are keys, may need another one."""
    for keyring, others in ((None, Checked.UNCHECKED), (KEYRING, Checked.SAME)):
        decoder = Decoder(keyring, workers)
        decoder.know({Digest.SHA256})
        entry = decoder.entry(1)
        list(entry.feed(2, b"content"))
        list(entry.finish())
        assert entry.check(Digest.SHA256.stream, Digest.SHA256.new(b"content").digest()) is Checked.SAME
        assert entry.check(Digest.MD5.stream, Digest.MD5.new(b"content").digest()) is others


def test_a_job_without_digests_stops_calculating_them():
    decoder = Decoder()
    for number in range(UNKNOWN_FILES + 1):
        entry = decoder.entry(number + 1)
        list(entry.feed(2, b"x"))
        list(entry.finish())
    assert entry.check(3, Digest.MD5.new(b"x").digest()) is Checked.UNCHECKED


def test_an_empty_file_has_every_digest():
    entry = Decoder().entry(1, ())
    assert list(entry.finish()) == []
    for digest in Digest:
        assert entry.check(digest.stream, digest.new().digest()) is Checked.SAME


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ([(2, b"x"), (4, b"x")], "two kinds"),
        ([(1, b"x")], "holds no data"),
        ([(2 | StreamFlag.DEDUP, b"x")], "deduplicated"),
        ([(20 | StreamFlag.OFFSETS, b"x")], "offsets"),
        ([(6, b"1234567")], "shorter than its address"),
        ([(6, b"\xff" * 9)], "beyond any file"),
        ([(6, struct.pack(">Q", (1 << 63) - 1) + b"x")], "beyond the end"),
        ([(4, b"not zlib" * 100)], "damaged"),
        ([(4, zlib.compress(text(9000))[:-5])], "cut short"),
        ([(4, zlib.compress(bytes(65 << 20)))], "beyond any chunk"),
        ([(29, b"short")], "shorter than its header"),
        ([(29, HEADER.pack(LZO_ALGORITHM, 3, 0, 2) + b"abc")], "version 2"),
        ([(29, HEADER.pack(LZO_ALGORITHM, 4, 0, 1) + b"abc")], "claims 4"),
        ([(29, HEADER.pack(0x4E4F4E45, 3, 0, 1) + b"abc")], "0x4e4f4e45"),
        ([(29, HEADER.pack(LZO_ALGORITHM, 3, 0, 1) + b"abc")], "LZO data is damaged"),
        ([(29, HEADER.pack(LZO_ALGORITHM, 2 << 20, 0, 1) + bytes(2 << 20))], "longer than any writer"),
        ([(29, HEADER.pack(ZSTD_ALGORITHM, 3, 0, 1) + b"abc")], "ZSTD data is damaged"),
        ([(11, struct.pack("<IIQI", 1, 0, 9, 0) + b"abc")], "middle of a part"),
        ([(11, struct.pack("<IIQI", 9, 0, 3, 0) + b"abc")], "without an offset"),
        ([(11, struct.pack("<IIQI", 9, 0, 9, 0) + b"\xff" * 9)], "beyond any file"),
        ([(11, b"\xff" * 30)], "impossible size"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("threads", [False, True])
def test_what_is_wrong_is_said(workers, records, why, threads):
    entry = Decoder(KEYRING, workers if threads else None).entry(3)
    fed = [entry.feed(stream, record) for stream, record in records * (1 if len(records) > 1 or "middle" in why else 5)]
    with pytest.raises(StreamError, match=f"{why}.*FileIndex 3"):
        list(itertools.chain(*fed, entry.finish()))


def test_data_after_the_end_is_refused():
    entry = Decoder().entry(1)
    list(entry.feed(2, b"x"))
    list(entry.finish())
    assert list(entry.finish()) == []
    with pytest.raises(StreamError, match="after the end"):
        list(entry.feed(2, b"x"))


def test_a_digest_before_the_end_of_data_is_refused():
    entry = Decoder().entry(1)
    list(entry.feed(2, b"x"))
    with pytest.raises(StreamError, match="before the end"):
        entry.check(3, bytes(16))


def test_the_last_chunk_of_a_large_sparse_file_gives_its_length(workers):
    entry = Decoder(workers=workers).entry(1)
    address = (1 << 40) // SPARSE_CHUNK * SPARSE_CHUNK
    assert list(entry.feed(6, struct.pack(">Q", address) + b"end")) == [(address, b"end")]
    assert entry.length == address + 3
