"""Records that expand to far more than any writer makes: refused, and in bounded memory. Each in a process that is measured."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import zstandard
from lzallright import LZOCompressor

from filed.pipeline.compress import HEADER, HEADER_VERSION, LZO_ALGORITHM, ZSTD_ALGORITHM
from filed.wire.stream import Stream

BOMB_BYTES = 240 << 20
MAX_RESIDENT_BYTES = 200 << 20
PIECE = bytes(1 << 20)

DECODE = """
import sys
from filed.errors import StreamError
from filed.pipeline import Decoder, Workers
stream, path, pooled = int(sys.argv[1]), sys.argv[2], sys.argv[3] == "pooled"
record = open(path, "rb").read()
with Workers() as workers:
    decoder = Decoder(None, workers if pooled else None)
    made = 0
    try:
        for file_index in range(1, 3):
            entry = decoder.entry(file_index)
            for _ in range(5):
                made += sum(len(piece) for _, piece in entry.feed(stream, record))
            made += sum(len(piece) for _, piece in entry.finish())
    except StreamError as error:
        print(error)
# VmHWM begins anew with exec; ru_maxrss is at least what the parent had.
print(next(int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def pieces() -> Iterator[bytes]:
    yield from (PIECE for _ in range(BOMB_BYTES // len(PIECE)))


@cache
def gzip() -> bytes:
    compressor = zlib.compressobj(9)
    return b"".join(map(compressor.compress, pieces())) + compressor.flush()


@cache
def zstd(size: int = -1) -> bytes:
    compressor = zstandard.ZstdCompressor(19).compressobj(size=size)
    return with_header(ZSTD_ALGORITHM, b"".join(map(compressor.compress, pieces())) + compressor.flush())


@cache
def lzo() -> bytes:
    return with_header(LZO_ALGORITHM, LZOCompressor().compress(bytes(BOMB_BYTES)))


def with_header(algorithm: int, packed: bytes) -> bytes:
    return HEADER.pack(algorithm, len(packed), 0, HEADER_VERSION) + packed


def addressed(record: bytes) -> bytes:
    return struct.pack(">Q", 0) + record


BOMBS: dict[str, tuple[Stream, Callable[[], bytes]]] = {
    "gzip": (Stream.GZIP_DATA, gzip),
    "gzip, sparse": (Stream.SPARSE_GZIP_DATA, lambda: addressed(gzip())),
    "gzip, Windows": (Stream.WIN32_GZIP_DATA, gzip),
    "zstd": (Stream.COMPRESSED_DATA, lambda: zstd(BOMB_BYTES)),
    "zstd that hides its size": (Stream.COMPRESSED_DATA, zstd),
    "zstd, sparse": (Stream.SPARSE_COMPRESSED_DATA, lambda: addressed(zstd(BOMB_BYTES))),
    "lzo": (Stream.COMPRESSED_DATA, lzo),
    "lzo, sparse": (Stream.SPARSE_COMPRESSED_DATA, lambda: addressed(lzo())),
    "lzo, Windows": (Stream.WIN32_COMPRESSED_DATA, lzo),
}


@pytest.mark.parametrize("pooled", ["pooled", "alone"])
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_in_bounded_memory(tmp_path: Path, bomb: str, pooled: str) -> None:
    stream, make = BOMBS[bomb]
    path = tmp_path / "record"
    path.write_bytes(make())
    ran = subprocess.run(
        [sys.executable, "-c", DECODE, str(int(stream)), str(path), pooled], capture_output=True, text=True, check=True
    )
    said, resident = ran.stdout.splitlines()
    assert "beyond any chunk" in said or "longer than any writer makes" in said
    assert int(resident) < MAX_RESIDENT_BYTES
