from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.errors import StreamError
from filed.pipeline.compress import inflate
from filed.pipeline.sparse import MAX_ADDRESS, SPARSE_CHUNK_BYTES, is_hole, split_address, with_address
from tests.wire.golden import hex_record


@given(st.integers(0, MAX_ADDRESS), st.binary())
def test_an_address_comes_back(address, chunk):
    assert split_address(memoryview(with_address(address, chunk))) == (address, chunk)


def test_the_records_of_real_daemons_are_read():
    address, body = split_address(memoryview(hex_record("data-sparse-gzip-1")))
    assert (address, len(inflate(body))) == (0, SPARSE_CHUNK_BYTES)
    address, body = split_address(memoryview(hex_record("data-sparse-gzip-2")))
    assert (address, len(inflate(body))) == (2 * SPARSE_CHUNK_BYTES, 150_000 - 2 * SPARSE_CHUNK_BYTES)


@given(st.integers(0, SPARSE_CHUNK_BYTES - 1))
def test_one_byte_anywhere_makes_a_chunk_content(at):
    chunk = bytearray(SPARSE_CHUNK_BYTES)
    assert is_hole(memoryview(chunk))
    chunk[at] = 1
    assert not is_hole(memoryview(chunk))


def test_an_impossible_address_is_refused():
    for record in (b"1234567", b"\x80" + bytes(7)):
        with pytest.raises(StreamError):
            split_address(memoryview(record))
