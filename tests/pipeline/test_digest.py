from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.pipeline.digest import Digest
from filed.wire.stream import DIGEST_BYTES
from tests.wire.golden import hex_record


@pytest.mark.parametrize("digest", Digest)
def test_a_digest_has_the_length_of_its_record(digest):
    assert len(digest.new().digest()) == DIGEST_BYTES[digest.stream]


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("digest-md5", Digest.MD5),
        ("digest-sha1", Digest.SHA1),
        ("digest-sha256", Digest.SHA256),
        ("digest-sha512", Digest.SHA512),
        ("digest-xxh64", Digest.XXH64),
        ("digest-xxh3_128", Digest.XXH3_128),
    ],
)
def test_the_golden_records_have_these_lengths(name, digest):
    assert len(hex_record(name)) == DIGEST_BYTES[digest.stream]


@given(st.binary(), st.binary())
def test_parts_digest_as_the_whole(first, second):
    for digest in Digest:
        hasher = digest.new(first)
        hasher.update(memoryview(second))
        assert hasher.digest() == digest.new(first + second).digest()


def test_the_algorithms_are_what_they_are_called():
    assert Digest.MD5.new(b"").digest() == hashlib.md5().digest()
    assert Digest.SHA512.new(b"a").digest() == hashlib.sha512(b"a").digest()
    assert Digest.XXH64.new(b"").digest().hex() == "ef46db3751d8e999"  # the algorithm's own test vector, big-endian
    assert Digest.XXH3_128.new(b"").digest().hex() == "99aa06d3014798d86001c324468d497f"
