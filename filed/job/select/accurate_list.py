"""The list of what a Director's catalog holds, for an Accurate Job: kept as it came, read where it is needed.

    <path> NUL <stat> NUL <digest> NUL <delta>        one packet an entry

The daemon appends packets to a file unread; the job process makes a BaseList of them. So a list of a million entries delays nobody else.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from filed.catalog import BaseList
from filed.errors import JobError, RemoteProtocolError, StreamError
from filed.wire.attributes import decode_stat
from filed.wire.stream import Stream

_LENGTH = struct.Struct(">I")
_STREAM_OF_LENGTH = {
    8: Stream.XXH64_DIGEST,
    16: Stream.MD5_DIGEST,
    20: Stream.SHA1_DIGEST,
    32: Stream.SHA256_DIGEST,
    64: Stream.SHA512_DIGEST,
}


def append_packet(file: IO[bytes], packet: bytes) -> None:
    file.write(_LENGTH.pack(len(packet)) + packet)


def packets(file: IO[bytes]) -> Iterator[bytes]:
    """What `append_packet` wrote."""
    while head := file.read(_LENGTH.size):
        (length,) = _LENGTH.unpack(head)
        yield file.read(length)


def base_list(path: Path, work: Path) -> BaseList:
    """The list in the file at `path`, on the disk of `work`. Raises JobError when the Director sent nonsense."""
    rows = BaseList.empty(work)
    try:
        with path.open("rb") as file:
            for packet in packets(file):
                name, lstat, digest = parse_entry(packet)
                rows.add(name, lstat, digest)
    except (RemoteProtocolError, OSError) as error:
        rows.close()
        raise JobError(f"the Director's accurate list cannot be used: {error}") from error
    except BaseException:
        rows.close()
        raise
    return rows


def parse_entry(packet: bytes) -> tuple[bytes, bytes, bytes]:
    """Path, stat and digest record (stream byte and digest, or b"") of one entry. Raises RemoteProtocolError."""
    fields = packet.split(b"\0")
    if len(fields) < 2 or not fields[0]:
        raise RemoteProtocolError("an entry of an accurate list was expected", packet)
    try:
        decode_stat(fields[1])
    except StreamError as error:
        raise RemoteProtocolError(f"an entry of an accurate list has no stat ({error})", packet) from None
    return fields[0], fields[1], _digest_record(fields[2] if len(fields) > 2 else b"")


def _digest_record(text: bytes) -> bytes:
    """The kind of digest shows in its length; what is none counts as not there."""
    try:
        digest = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return b""
    stream = _STREAM_OF_LENGTH.get(len(digest))
    return bytes([stream]) + digest if stream else b""
