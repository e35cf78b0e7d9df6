"""The extended-attributes record (stream 1998, and its kin on other systems): all attributes of one item.

    repeated:  u32 magic 0x005C5884 | u32 name length (> 0) | name | u32 value length | value

Big-endian, no count, no terminator; the name carries its namespace (`user.comment`) and no NUL.

Source: docs/formats/attributes.md.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Final

from filed.errors import LocalProtocolError, StreamError
from filed.wire.stream import Stream

MAGIC: Final = 0x005C5884
_TWO = struct.Struct(">II")
_ONE = struct.Struct(">I")


def pack_xattrs(attributes: Iterable[tuple[bytes, bytes]]) -> bytes:
    """(name, value) pairs in the order given; empty when there are none: then no record is written."""
    parts: list[bytes] = []
    for name, value in attributes:
        if not name or 0 in name:
            raise LocalProtocolError(f"not the name of an extended attribute: {name[:80]!r}")
        parts += (_TWO.pack(MAGIC, len(name)), name, _ONE.pack(len(value)), value)
    return b"".join(parts)


def parse_xattrs(
    data: bytes | bytearray | memoryview, stream: int = Stream.XATTR_LINUX
) -> Iterator[tuple[bytes, bytes]]:
    """The pairs.  StreamError at the first damage, after the pairs in front of it: they may still be set."""
    view = memoryview(data).cast("B")
    at = 0
    while at < len(view):
        if len(view) - at < _TWO.size:
            raise StreamError("extended attributes end in the middle of one", stream)
        magic, length = _TWO.unpack_from(view, at)
        at += _TWO.size
        if magic != MAGIC or not length:
            raise StreamError("extended attributes have a damaged entry", stream)
        if len(view) - at < length + _ONE.size:
            raise StreamError("extended attributes end in the middle of one", stream)
        name = bytes(view[at : at + length])
        (size,) = _ONE.unpack_from(view, at + length)
        at += length + _ONE.size
        if 0 in name:
            raise StreamError("an extended attribute has a NUL in its name", stream)
        if len(view) - at < size:
            raise StreamError("extended attributes end in the middle of one", stream)
        yield name, bytes(view[at : at + size])
        at += size
