from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.errors import StreamError
from filed.pipeline.win32 import BackupReadParts


def part(number: int, data: bytes, name: bytes = b"") -> bytes:
    return struct.pack("<IIQI", number, 0, len(data), len(name)) + name + data


PARTS = st.one_of(
    st.tuples(st.just(1), st.binary(max_size=40), st.just(b"")),
    st.tuples(st.sampled_from([2, 3, 4, 5, 6, 7, 8]), st.binary(max_size=40), st.binary(max_size=12)),
)


@given(st.lists(PARTS), st.integers(1, 30))
def test_only_the_data_of_the_file_is_kept_however_it_is_cut(parts, cut):
    stream = b"".join(part(*each) for each in parts)
    reader = BackupReadParts()
    content = bytearray()
    for at in range(0, len(stream), cut):
        for offset, piece in reader.feed(stream[at : at + cut]):
            assert offset == len(content)
            content += piece
    reader.finish()
    assert content == b"".join(data for number, data, _ in parts if number == 1)


def test_a_sparse_block_names_its_offset():
    reader = BackupReadParts()
    stream = part(1, b"head") + part(9, struct.pack("<Q", 1 << 40) + b"tail") + part(9, struct.pack("<Q", 7))
    assert [(offset, bytes(piece)) for offset, piece in reader.feed(stream)] == [(0, b"head"), (1 << 40, b"tail")]
    reader.finish()


@given(st.binary(max_size=80))
def test_noise_is_a_stream_error_or_content(noise):
    reader = BackupReadParts()
    try:
        assert sum(len(piece) for _, piece in reader.feed(noise)) <= len(noise)
        reader.finish()
    except StreamError:
        return


def test_a_stream_that_stops_in_a_part_is_told():
    for size in (1, 20, 21):
        reader = BackupReadParts()
        list(reader.feed(part(1, b"data")[:size]))
        with pytest.raises(StreamError, match="middle"):
            reader.finish()
