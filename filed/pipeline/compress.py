"""Compression of single chunks: each record is one complete compressed unit.

    GZIP        zlib stream (RFC 1950); nothing in front
    LZO, ZSTD   u32 algorithm | u32 bytes that follow | u16 level, 0 | u16 version, 1 | LZO1X data or one ZSTD frame

Source: docs/formats/compression.md.
"""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

import deflate

from filed.errors import StreamError
from filed.pipeline.lzo_size import EXPANSION, lzo_size
from filed.wire.stream import Buffer

if TYPE_CHECKING:
    import zstandard

CHUNK_BYTES: Final = 65536
"""What one record holds before compression; the ZSTD reader of real daemons takes no more than 65,714."""

MAX_CHUNK_BYTES: Final = 64 << 20
"""The largest chunk read: real daemons were seen to take 3 MB, nobody writes more than a megabyte."""

MAX_LZO_BYTES: Final = 1 << 20
"""The longest LZO record read: a byte can stand for 255, and the library knows no limit of its own."""

SMALL_BYTES: Final = 250
"""zlib inflates short records faster than libdeflate is set up (0.3 us against 1.9), to 256 KiB at most."""

PROBED_BYTES: Final = 16384
SAMPLE_BYTES: Final = 1024

HEADER: Final = struct.Struct(">IIHH")
LZO_ALGORITHM: Final = 0x4C5A4F58
ZSTD_ALGORITHM: Final = 0x4C5A4F59
HEADER_VERSION: Final = 1

Coder: TypeAlias = Callable[[Buffer], Buffer]
ManyCoder: TypeAlias = Callable[[Sequence[Buffer]], list[Buffer]]


_LEVELS: Final = {6: 5}
"""GZIP6, which plain GZIP means, is libdeflate's level 5: the size of zlib's 6 (3 % less to 1 % more; level 6: 4 % less to 1 %
less), in a third of its time, where level 6 takes half. The other levels are closer to those of zlib's that they are named after."""


class Codec(Enum):
    GZIP = "GZIP"
    LZO = "LZO"
    ZSTD = "ZSTD"


@dataclass(frozen=True, slots=True)
class Compression:
    """codec and level: GZIP 1-9, ZSTD 1-19; LZO has none."""

    codec: Codec
    level: int = 6

    def coder(self) -> Coder:
        """A function of one chunk, safe to call from several threads at once."""
        match self.codec:
            case Codec.GZIP:
                return partial(_deflate, level=_LEVELS.get(self.level, self.level))
            case Codec.LZO:
                return _lzo
            case Codec.ZSTD:
                return _Zstd(self.level).compress

    def many(self) -> ManyCoder:
        """The same for a list of chunks, in one call: for a worker that must not ask for the GIL chunk by chunk."""
        if self.codec is Codec.ZSTD:
            return _Zstd(self.level).compress_many
        one = self.coder()
        return lambda chunks: [one(chunk) for chunk in chunks]


def inflate(data: Buffer, limit: int = MAX_CHUNK_BYTES) -> Buffer:
    """The chunk of a GZIP record.  StreamError when it is damaged or larger than `limit`."""
    try:
        if len(data) < SMALL_BYTES:
            small = zlib.decompress(data)
            if len(small) > limit:
                raise StreamError("compressed data inflates beyond any chunk")
            return small
        try:
            return deflate.zlib_decompress(data, CHUNK_BYTES)
        except deflate.DeflateError:  # larger than a chunk, or damaged
            inflator = zlib.decompressobj()
            chunk = inflator.decompress(data, limit)
            if not inflator.eof:
                raise StreamError("compressed data is cut short or inflates beyond any chunk") from None
            return chunk
    except zlib.error as error:
        raise StreamError(f"compressed data is damaged ({error})") from error


def expand(data: Buffer, limit: int = MAX_CHUNK_BYTES) -> Buffer:
    """The chunk of a record with a header (LZO, ZSTD).  StreamError as `inflate`."""
    if len(data) < HEADER.size:
        raise StreamError("compressed data is shorter than its header")
    algorithm, size, _level, version = HEADER.unpack_from(data)
    if version != HEADER_VERSION:
        raise StreamError(f"compressed data has a header of version {version}; 1 is known")
    if size != len(data) - HEADER.size:
        raise StreamError(f"compressed data of {len(data) - HEADER.size} bytes claims {size}")
    body = bytes(memoryview(data)[HEADER.size :])
    if algorithm == LZO_ALGORITHM:
        return _unlzo(body, limit)
    if algorithm == ZSTD_ALGORITHM:
        return _unzstd(body, limit)
    raise StreamError(f"compression algorithm {algorithm:#010x} is not known")


def _deflate(chunk: Buffer, level: int) -> Buffer:
    if len(chunk) >= PROBED_BYTES and _is_dense(memoryview(chunk)):
        level = 0  # stored blocks: still a zlib stream, and what the other levels make of such data after long work
    packed: bytearray = deflate.zlib_compress(chunk, level)
    return packed


def _is_dense(chunk: memoryview) -> bool:
    """Whether samples from beginning, middle and end all do not compress: already compressed or encrypted data.

    30 us, where compressing 64 KiB of it in vain takes 1,500.
    """
    middle, end = len(chunk) // 2, len(chunk) - SAMPLE_BYTES
    return all(len(deflate.zlib_compress(chunk[at : at + SAMPLE_BYTES], 1)) >= SAMPLE_BYTES for at in (0, middle, end))


def _lzo(chunk: Buffer) -> Buffer:
    from lzallright import LZOCompressor  # noqa: PLC0415 - for old Volumes; start-up time

    packed: bytes = LZOCompressor().compress(bytes(chunk))
    return HEADER.pack(LZO_ALGORITHM, len(packed), 0, HEADER_VERSION) + packed


def _unlzo(body: bytes, limit: int) -> Buffer:
    from lzallright import LZOCompressor, LZOError  # noqa: PLC0415 - as above

    if len(body) > MAX_LZO_BYTES:
        raise StreamError(f"an LZO record of {len(body)} bytes is longer than any writer makes")
    try:
        if len(body) * EXPANSION > MAX_CHUNK_BYTES and lzo_size(body, limit) > limit:
            raise StreamError("LZO data expands beyond any chunk")
        chunk: bytes = LZOCompressor.decompress(body, CHUNK_BYTES)
    except (LZOError, IndexError) as error:
        raise StreamError(f"LZO data is damaged ({error})") from error
    if len(chunk) > limit:
        raise StreamError("LZO data expands beyond any chunk")
    return chunk


class _Zstd:
    """One level.  A compressor serves one thread at a time and takes 9 us to make, so each thread keeps its own."""

    def __init__(self, level: int) -> None:
        self._level = level
        self._local = threading.local()

    def compress(self, chunk: Buffer) -> Buffer:
        compressor: zstandard.ZstdCompressor | None = getattr(self._local, "compressor", None)
        if compressor is None:
            import zstandard  # noqa: PLC0415 - 9 ms of start-up

            compressor = self._local.compressor = zstandard.ZstdCompressor(level=self._level)
        packed = compressor.compress(chunk)
        return HEADER.pack(ZSTD_ALGORITHM, len(packed), 0, HEADER_VERSION) + packed

    def compress_many(self, chunks: Sequence[Buffer]) -> list[Buffer]:
        import zstandard  # noqa: PLC0415 - as above

        if not chunks:
            return []
        found = zstandard.ZstdCompressor(level=self._level).multi_compress_to_buffer(list(chunks), threads=1)
        segments = (found[number].tobytes() for number in range(len(found)))
        return [HEADER.pack(ZSTD_ALGORITHM, len(packed), 0, HEADER_VERSION) + packed for packed in segments]


def _unzstd(body: bytes, limit: int) -> Buffer:
    import zstandard  # noqa: PLC0415 - 9 ms of start-up

    try:
        size = zstandard.get_frame_parameters(body).content_size
        if size > limit:  # unknown is 2**64 - 1
            raise StreamError("ZSTD data expands beyond any chunk, or does not say its size")
        return zstandard.ZstdDecompressor().decompress(body, limit)
    except zstandard.ZstdError as error:
        raise StreamError(f"ZSTD data is damaged ({error})") from error
