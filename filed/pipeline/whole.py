"""Restore: the content of a small file whose records are all in hand, when it is plainly what was saved.

`reverse` takes files of any size and says what is wrong with them. Most files are small, and nothing is wrong: their one data
record is the content, perhaps compressed, and one digest proves it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

from filed.errors import StreamError
from filed.pipeline.compress import expand, inflate
from filed.pipeline.digest import Digest, Hasher
from filed.pipeline.sparse import ADDRESS
from filed.wire.stream import SPARSE_STREAMS, Buffer, Stream

SMALL_BYTES: Final = 64 << 10
"""Content of a small file, at most."""

_COATS: Final[dict[int, Callable[[Buffer, int], Buffer] | None]] = {
    int(Stream.FILE_DATA): None,
    int(Stream.GZIP_DATA): inflate,
    int(Stream.COMPRESSED_DATA): expand,
    int(Stream.SPARSE_DATA): None,
    int(Stream.SPARSE_GZIP_DATA): inflate,
    int(Stream.SPARSE_COMPRESSED_DATA): expand,
}
_AT_THE_BEGINNING: Final = bytes(ADDRESS.size)
_KINDS: Final = frozenset(digest.stream for digest in Digest)


def small_content(stream: int, data: Buffer) -> Buffer | None:
    """The content of its one data record; None when it is not small, not plain, or not what it claims. stream: with its flags."""
    if stream not in _COATS:
        return None
    uncover = _COATS[stream]
    if stream in SPARSE_STREAMS:
        if data[: ADDRESS.size] != _AT_THE_BEGINNING:
            return None  # a hole comes first
        data = memoryview(data)[ADDRESS.size :]
    if uncover is None:
        return data if len(data) <= SMALL_BYTES else None
    try:
        return uncover(data, SMALL_BYTES)
    except StreamError:
        return None


def proves(stream: int, digest: Buffer, content: Buffer) -> bool:
    """Is that the digest of this content? False also for one of a kind that is not known here. stream: with its flags."""
    return stream in _KINDS and _hasher(stream)(content).digest() == digest


@cache
def _hasher(stream: int) -> Callable[..., Hasher]:
    return Digest(stream).new
