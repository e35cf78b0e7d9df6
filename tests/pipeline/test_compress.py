from __future__ import annotations

import random
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from filed.errors import StreamError
from filed.pipeline.compress import HEADER, MAX_CHUNK_BYTES, ZSTD_ALGORITHM, Codec, Compression, expand, inflate
from tests.pipeline.content import CHUNK, text
from tests.wire.golden import hex_record

CONTENT = b"acl file\n"
COMPRESSIONS = [Compression(Codec.GZIP, level) for level in (1, 6, 9)] + [
    Compression(Codec.LZO), Compression(Codec.ZSTD, 1), Compression(Codec.ZSTD, 19),
]  # fmt: skip


def undo(compression: Compression, record) -> bytes:
    return bytes((inflate if compression.codec is Codec.GZIP else expand)(record))


def test_the_records_of_real_daemons_are_read():
    assert inflate(hex_record("data-zlib")) == CONTENT
    assert expand(hex_record("data-lzo")) == CONTENT
    assert expand(hex_record("data-zstd")) == CONTENT


def test_lzo_and_zstd_are_written_as_real_daemons_write_them():
    assert Compression(Codec.LZO).coder()(CONTENT) == hex_record("data-lzo")
    assert Compression(Codec.ZSTD, 3).coder()(CONTENT) == hex_record("data-zstd")


def test_gzip6_is_as_small_as_that_of_real_daemons():
    content = Path(__file__).read_bytes()
    ours, theirs = Compression(Codec.GZIP, 6).coder()(content), zlib.compress(content, 6)
    assert len(ours) <= len(theirs) * 1.01


def test_gzip_is_a_whole_zlib_stream_that_names_its_level():
    for level, mark in ((1, b"\x78\x01"), (7, b"\x78\x9c"), (9, b"\x78\xda")):
        record = bytes(Compression(Codec.GZIP, level).coder()(text(CHUNK)))
        assert record[:2] == mark
        assert zlib.decompress(record) == text(CHUNK)


@settings(max_examples=40, deadline=None)
@given(st.one_of(st.binary(max_size=3000), st.integers(1, 300_000).map(text), st.integers(1, 200_000).map(bytes)))
def test_a_chunk_comes_back(content):
    for compression in COMPRESSIONS:
        if compression.level < 19 or len(content) < CHUNK:
            assert undo(compression, memoryview(bytes(compression.coder()(memoryview(content))))) == content


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_coder_serves_several_threads(compression):
    coder = compression.coder()
    parts = [text(20_000 + number) for number in range(40)]
    with ThreadPoolExecutor(4) as threads:
        assert [undo(compression, record) for record in threads.map(coder, parts)] == parts


@pytest.mark.parametrize("size", [100, 65_700, 3_000_000])
def test_a_limit_is_a_limit(size):
    records = {
        inflate: zlib.compress(bytes(size)),
        expand: Compression(Codec.ZSTD, 3).coder()(bytes(size)),
    }
    for undo_one, record in records.items():
        assert len(undo_one(record, size)) == size
    with pytest.raises(StreamError, match="beyond any chunk"):
        expand(Compression(Codec.LZO).coder()(bytes(size)), size - 1)
    if size > CHUNK:
        with pytest.raises(StreamError, match="beyond any chunk"):
            inflate(zlib.compress(bytes(size)), size - 1)


def test_zstd_must_say_its_size():
    compressor = zstandard.ZstdCompressor(write_content_size=False)
    for frame in (compressor.compress(CONTENT), zstandard.compress(bytes(MAX_CHUNK_BYTES + 1))):
        with pytest.raises(StreamError, match="beyond any chunk"):
            expand(HEADER.pack(ZSTD_ALGORITHM, len(frame), 0, 1) + frame)


def test_gzip_stores_what_does_not_compress_and_looks_at_more_than_the_beginning():
    dense = random.Random(1).randbytes(CHUNK)
    packed = bytes(Compression(Codec.GZIP, 6).coder()(dense))
    assert zlib.decompress(packed) == dense
    assert packed[2] & 0b110 == 0, "the first block is a stored one"
    assert len(packed) <= CHUNK + 32
    for text_at in (0, CHUNK // 2, CHUNK - 8192):
        mixed = dense[:text_at] + b"the same words again and again. " * 256 + dense[text_at + 8192 :]
        packed = bytes(Compression(Codec.GZIP, 6).coder()(mixed))
        assert zlib.decompress(packed) == mixed
        assert len(packed) < CHUNK - 7000
