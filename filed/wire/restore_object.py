"""The restore-object record (stream 28): what a plugin wants back before its files.

    "<FileIndex> <FileType> <object index> <stored length> <full length> <compression> <command>" NUL
    <object name> NUL <stored bytes> <one byte, 0>

Compression 0 is none, 1 is zlib; written when the object is longer than 1000 bytes and gets smaller, or has a length of which the
Director loses the content.

Source: docs/formats/streams.md.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

from filed.errors import LocalProtocolError, StreamError
from filed.wire.stream import Stream

COMPRESS_ABOVE: Final = 1000
ZLIB_LEVEL: Final = 9
MAX_OBJECT_BYTES: Final = 64 << 20  # an object lives in a catalog's row; nobody stores more there
MAX_PACKET_BYTES: Final = 999_000
"""Of a whole record that a Director takes: its packets have 1,000,000 bytes, head included."""
MAX_OBJECTS_BYTES: Final = 4 * MAX_OBJECT_BYTES
"""Of one Job: they wait in memory for its restore."""
HEAD_FIELDS: Final = 7
MAX_DECIMAL_DIGITS: Final = 10
# A Director 9.6 with SQLite, which keeps objects in base64, sends other memory instead of a content that leaves this
# remainder. A byte behind the end of a zlib stream is read by nobody.
LOST, GROUP = 1, 3


@dataclass(frozen=True, slots=True)
class RestoreObject:
    """One object.  type: 25 restore first, 27 plugin configuration, 30 security.  content is never compressed."""

    file_index: int
    type: int
    index: int
    command: bytes
    name: bytes
    content: bytes


def pack_restore_object(item: RestoreObject) -> bytes:
    """The record; LocalProtocolError when a name holds a NUL."""
    if 0 in item.command or 0 in item.name:
        raise LocalProtocolError(f"a NUL cannot stand in a restore object's name: {item.name[:80]!r}")
    stored = item.content
    if len(stored) > COMPRESS_ABOVE:
        smaller = zlib.compress(stored, ZLIB_LEVEL)
        if len(smaller) < len(stored):
            stored = smaller
    if stored is item.content and len(stored) % GROUP == LOST:
        stored = zlib.compress(stored, ZLIB_LEVEL)
    if stored is not item.content and len(stored) % GROUP == LOST:
        stored += b"\0"
    head = (item.file_index, item.type, item.index, len(stored), len(item.content), stored is not item.content)
    return b"%d %d %d %d %d %d " % head + b"%b\0%b\0%b\0" % (item.command, item.name, stored)


def parse_restore_object(data: bytes | bytearray | memoryview) -> RestoreObject:
    """The object, inflated.  Raises StreamError when lengths, compression or content do not agree."""
    parts = bytes(data).split(b"\0", 2)
    fields = parts[0].split(b" ", HEAD_FIELDS - 1)
    numbers = fields[: HEAD_FIELDS - 1]
    if (
        len(parts) != 3
        or len(fields) != HEAD_FIELDS
        or not all(number.isdigit() and len(number) <= MAX_DECIMAL_DIGITS for number in numbers)
    ):
        raise StreamError(f"not a restore object: {bytes(data[:80])!r}", Stream.RESTORE_OBJECT)
    file_index, object_type, index, stored_length, full_length, compression = map(int, numbers)
    stored = parts[2][:stored_length]
    if len(stored) != stored_length or full_length > MAX_OBJECT_BYTES or compression > 1:
        raise StreamError("a restore object is cut short or too large", Stream.RESTORE_OBJECT, file_index)
    if compression:
        inflate = zlib.decompressobj()
        try:
            stored = inflate.decompress(stored, full_length + 1)
        except zlib.error as error:
            raise StreamError("a restore object cannot be inflated", Stream.RESTORE_OBJECT, file_index) from error
    if len(stored) != full_length:
        raise StreamError("a restore object has not the length it claims", Stream.RESTORE_OBJECT, file_index)
    return RestoreObject(file_index, object_type, index, fields[-1], parts[1], stored)
