from __future__ import annotations

import struct
import zlib

import pytest

from filed.errors import VolumeError
from filed.volume import BlockVersion, Session, first_file_index, parse_header, single_record_block
from filed.volume.block import MAX_BLOCK_BYTES, block_length, verify
from tests.volume.golden import BB02, blocks_of, golden


def test_a_real_label_block_has_the_header_the_format_note_shows() -> None:
    header = parse_header(golden("md5").data)
    assert header.version is BlockVersion.BB02
    assert header.number == 0
    assert header.body == 24
    assert header.session == Session(2, 1795431175)
    assert not header.encrypted


def test_a_real_bb03_header_is_eight_bytes_longer() -> None:
    header = parse_header(golden("bb03-volenc-chunks").data)
    assert header.version is BlockVersion.BB03
    assert header.body == 32
    assert not header.encrypted  # the label block never is


def test_sealing_a_real_label_again_gives_the_same_bytes() -> None:
    for name in BB02:
        block = blocks_of(golden(name).data)[0]
        header = parse_header(block)
        file_index, stream, length = struct.unpack_from(">iiI", block, 24)
        assert single_record_block(header.session, header.number, file_index, stream, block[36 : 36 + length]) == block


def test_a_sealed_block_has_the_ordinary_crc_32() -> None:
    block = single_record_block(Session(1, 2), 3, -2, 0, b"label")
    assert struct.unpack_from(">I", block)[0] == zlib.crc32(block[4:])
    assert block_length(memoryview(block), 0) == len(block)
    assert first_file_index(memoryview(block), 0) == -2


@pytest.mark.parametrize("length", [0, 23, MAX_BLOCK_BYTES + 1, 0xFFFFFFFF])
def test_an_insane_length_is_refused(length: int) -> None:
    block = bytearray(single_record_block(Session(1, 2), 3, -2, 0, b"label"))
    struct.pack_into(">I", block, 4, length)
    with pytest.raises(VolumeError, match="not possible"):
        parse_header(block)


@pytest.mark.parametrize("size", range(24))
def test_half_a_header_is_refused(size: int) -> None:
    with pytest.raises(VolumeError, match="bytes are left"):
        parse_header(golden("md5").data[:size])


def test_half_a_bb03_header_is_refused() -> None:
    with pytest.raises(VolumeError, match="BB03"):
        parse_header(golden("bb03-md5").data[:31])


def test_something_else_is_no_block() -> None:
    with pytest.raises(VolumeError, match="no block starts here"):
        parse_header(b"SQLite format 3\0" * 4)


@pytest.mark.parametrize("name", ["md5", "bb03-md5"])
def test_every_flipped_bit_of_a_block_is_noticed(name: str) -> None:
    block = blocks_of(golden(name).data)[0]
    for bit in range(len(block) * 8):
        flipped = bytearray(block)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(VolumeError):
            _check(flipped, len(block))


def test_a_checksum_that_was_switched_off_is_refused() -> None:
    block = bytearray(blocks_of(golden("md5").data)[0])
    block[:4] = bytes(4)
    with pytest.raises(VolumeError, match="checksum"):
        _check(block, len(block))


def _check(block: bytearray, length: int) -> None:
    header = parse_header(block)
    if header.length != length:
        raise VolumeError("another length")
    verify(header, memoryview(block), memoryview(block)[header.body :])
