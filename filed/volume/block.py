"""Blocks: the unit that a Volume is written, checked and, in BB03, encrypted in.

BB02, 24 bytes of header            BB03, 32 bytes of header
    0  u32  CRC-32 of [4:length]        0  u32  options: 1 checksum, 2 Volume encrypted, 4 this block encrypted
    4  u32  length, header included     4  u32  length
    8  u32  BlockNumber                 8  u32  BlockNumber
   12       "BB02"                     12       "BB03"
   16  u32  VolSessionId               16  u32  VolSessionId
   20  u32  VolSessionTime             20  u32  VolSessionTime
                                       24  u64  XXH3-64 of the clear block with this field zero

All integers are big-endian. Source: docs/formats/volume.md.
"""

from __future__ import annotations

import struct
from enum import IntEnum, IntFlag
from typing import NamedTuple

import xxhash
from deflate import crc32  # libdeflate: 43 GB/s where zlib does 6

from filed.errors import VolumeError
from filed.volume.record import RECORD_HEADER, Buffer, Session

BB02_HEADER = struct.Struct(">III4sII")
BB03_CHECKSUM = struct.Struct(">Q")
BB03_HEADER_BYTES = BB02_HEADER.size + BB03_CHECKSUM.size
BLOCK_HEADER_BYTES = BB02_HEADER.size
MAGIC_BB02 = b"BB02"
MAGIC_BB03 = b"BB03"
MAGIC_OFFSET = 12
DEFAULT_BLOCK_BYTES = 64_512
"""126 x 512, what every Storage Daemon writes unless told otherwise."""
MAX_BLOCK_BYTES = 20_000_000
"""Real readers call more insane."""

_TWEAK = struct.Struct(">III4x")
_CRC = struct.Struct(">I")
_LENGTH = struct.Struct(">I")
_NO_CHECKSUM = bytes(BB03_CHECKSUM.size)


class BlockVersion(IntEnum):
    BB02 = 2
    BB03 = 3


class BlockOption(IntFlag):
    CHECKSUM = 1
    VOLUME_ENCRYPTED = 2
    BLOCK_ENCRYPTED = 4


class BlockHeader(NamedTuple):
    checksum: int
    options: int  # BlockOption bits; CHECKSUM alone for BB02
    length: int  # of the whole block
    number: int
    version: BlockVersion
    session: Session

    @property
    def body(self) -> int:
        """Where the records start."""
        return BB02_HEADER.size if self.version is BlockVersion.BB02 else BB03_HEADER_BYTES

    @property
    def encrypted(self) -> bool:
        return bool(self.options & BlockOption.BLOCK_ENCRYPTED)


def parse_header(data: Buffer, at: int = 0) -> BlockHeader:
    """The header at data[at:]. Raises VolumeError (without place) when no block can start there."""
    if len(data) - at < BB02_HEADER.size:
        raise VolumeError(f"{len(data) - at} bytes are left, a block header has {BB02_HEADER.size}")
    first, length, number, magic, session_id, session_time = BB02_HEADER.unpack_from(data, at)
    if magic == MAGIC_BB02:
        checksum, options, smallest, version = first, BlockOption.CHECKSUM.value, BB02_HEADER.size, BlockVersion.BB02
    elif magic == MAGIC_BB03:
        if len(data) - at < BB03_HEADER_BYTES:
            raise VolumeError(f"{len(data) - at} bytes are left, a BB03 block header has {BB03_HEADER_BYTES}")
        (checksum,) = BB03_CHECKSUM.unpack_from(data, at + BB02_HEADER.size)
        options, smallest, version = first, BB03_HEADER_BYTES, BlockVersion.BB03
    else:
        raise VolumeError(f"no block starts here: {magic!r} stands where BB02 or BB03 should")
    if not smallest <= length <= MAX_BLOCK_BYTES:
        raise VolumeError(f"a block of {length} bytes is not possible ({smallest} to {MAX_BLOCK_BYTES})")
    return BlockHeader(checksum, options, length, number, version, Session(session_id, session_time))


def block_length(run: memoryview, at: int) -> int:
    """Length of the sealed block at run[at:]."""
    length: int = _LENGTH.unpack_from(run, at + _CRC.size)[0]
    return length


def first_file_index(run: memoryview, at: int) -> int:
    """FileIndex of the first record of the sealed BB02 block at run[at:]."""
    header: tuple[int, int, int] = RECORD_HEADER.unpack_from(run, at + BLOCK_HEADER_BYTES)
    return header[0]


def verify(header: BlockHeader, block: memoryview, body: Buffer) -> None:
    """Check the checksum of a whole block as it lies in the file; `body` is its clear body. Raises VolumeError.

    A Volume written with "Block Checksum = no" is refused, as the real programs do.
    """
    if header.version is BlockVersion.BB02:
        found = crc32(block[4:])
    elif header.options & BlockOption.CHECKSUM:
        state = xxhash.xxh3_64(block[: BB02_HEADER.size])
        state.update(_NO_CHECKSUM)
        state.update(body)
        found = state.intdigest()
    else:
        found = 0
    if found != header.checksum:
        raise VolumeError(
            f"the checksum of block {header.number} is {found:#010x}, its header says {header.checksum:#010x}"
        )


def decrypt(header: BlockHeader, block: memoryview, key: bytes | None) -> bytes:
    """The clear body of an encrypted BB03 block. A wrong key is noticed by `verify`, not here.

    key: 32 bytes (AES-128-XTS) or 64 bytes (AES-256-XTS); the two halves differ.
    """
    if key is None:
        raise VolumeError("the Volume is encrypted and no Volume key was given (--volume-key)")
    body = block[BB03_HEADER_BYTES:]
    if len(body) < 16:
        raise VolumeError(f"an encrypted block of {len(body)} bytes is not possible")
    tweak = _TWEAK.pack(header.number, *header.session)
    try:
        # Here, not above: 10 ms of start-up, for Volumes that few have.
        from cryptography.hazmat.primitives.ciphers import Cipher  # noqa: PLC0415
        from cryptography.hazmat.primitives.ciphers.algorithms import AES  # noqa: PLC0415
        from cryptography.hazmat.primitives.ciphers.modes import XTS  # noqa: PLC0415

        opener = Cipher(AES(key), XTS(tweak)).decryptor()
    except ValueError as error:
        raise VolumeError(f"the Volume key cannot be used: {error}") from error
    return opener.update(body) + opener.finalize()


def seal(block: memoryview, session: Session, number: int) -> None:
    """Fill the BB02 header in the first 24 bytes of `block`, whose body is complete."""
    BB02_HEADER.pack_into(block, 0, 0, len(block), number, MAGIC_BB02, *session)
    _CRC.pack_into(block, 0, crc32(block[4:]))


def single_record_block(session: Session, number: int, file_index: int, stream: int, data: bytes) -> bytes:
    """A BB02 block with one record, as a Volume label is written."""
    block = bytearray(BB02_HEADER.size) + RECORD_HEADER.pack(file_index, stream, len(data)) + data
    seal(memoryview(block), session, number)
    return bytes(block)
