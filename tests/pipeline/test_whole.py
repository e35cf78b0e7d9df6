from __future__ import annotations

import zlib

import pytest

from filed.pipeline.compress import Codec, Compression
from filed.pipeline.digest import Digest
from filed.pipeline.whole import SMALL_BYTES, proves, small_content
from filed.wire.stream import Stream, StreamFlag

TEXT = b"what was saved " * 100


@pytest.mark.parametrize("digest", list(Digest))
def test_every_kind_of_digest_proves_its_content_and_no_other(digest: Digest) -> None:
    record = digest.new(TEXT).digest()
    assert proves(digest.stream, record, TEXT)
    assert proves(digest.stream, memoryview(record), memoryview(TEXT))
    assert not proves(digest.stream, record, TEXT[1:])
    assert not proves(digest.stream, record[1:], TEXT)
    assert not proves(digest.stream | StreamFlag.OFFSETS, record, TEXT)


def test_a_digest_that_is_not_known_proves_nothing() -> None:
    assert not proves(Stream.XXH3_64_DIGEST, b"12345678", TEXT)


def test_small_content_comes_out_of_its_coat() -> None:
    assert small_content(Stream.FILE_DATA, TEXT) == TEXT
    assert small_content(Stream.GZIP_DATA, zlib.compress(TEXT)) == TEXT
    for codec in (Codec.LZO, Codec.ZSTD):
        assert small_content(Stream.COMPRESSED_DATA, Compression(codec).coder()(TEXT)) == TEXT


def test_small_content_may_have_an_address_that_is_the_beginning() -> None:
    assert small_content(Stream.SPARSE_DATA, bytes(8) + TEXT) == TEXT
    assert small_content(Stream.SPARSE_GZIP_DATA, bytes(8) + zlib.compress(TEXT)) == TEXT
    assert small_content(Stream.SPARSE_COMPRESSED_DATA, bytes(8) + Compression(Codec.ZSTD).coder()(TEXT)) == TEXT


@pytest.mark.parametrize(
    ("stream", "data"),
    [
        (Stream.FILE_DATA, bytes(SMALL_BYTES + 1)),
        (Stream.FILE_DATA | StreamFlag.OFFSETS, bytes(8) + TEXT),
        (Stream.FILE_DATA | StreamFlag.DEDUP, TEXT),
        (Stream.SPARSE_DATA, bytes(7) + b"\1" + TEXT),
        (Stream.SPARSE_DATA, bytes(7)),
        (Stream.SPARSE_GZIP_DATA, bytes(8) + TEXT),
        (Stream.ENCRYPTED_FILE_DATA, TEXT),
        (Stream.WIN32_DATA, TEXT),
        (Stream.GZIP_DATA, zlib.compress(TEXT)[:-1]),
        (Stream.GZIP_DATA, zlib.compress(bytes(SMALL_BYTES + 1))),
        (Stream.COMPRESSED_DATA, TEXT),
        (Stream.MD5_DIGEST, TEXT),
    ],
)
def test_what_is_not_plain_or_not_small_is_left_to_others(stream: int, data: bytes) -> None:
    assert small_content(stream, data) is None
