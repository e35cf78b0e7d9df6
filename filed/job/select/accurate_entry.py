"""One entry of a Director's accurate list: <path> NUL <stat> NUL <digest> NUL <delta>."""

from __future__ import annotations

import base64
import binascii

from filed.errors import RemoteProtocolError, StreamError
from filed.wire.attributes import decode_stat
from filed.wire.stream import Stream

_STREAM_OF_LENGTH = {
    8: Stream.XXH64_DIGEST,
    16: Stream.MD5_DIGEST,
    20: Stream.SHA1_DIGEST,
    32: Stream.SHA256_DIGEST,
    64: Stream.SHA512_DIGEST,
}


def parse_entry(packet: bytes) -> tuple[bytes, bytes, bytes]:
    """Path, stat and digest record (stream byte and digest, or b"") of one entry. Raises RemoteProtocolError."""
    fields = packet.split(b"\0")
    if len(fields) < 2 or not fields[0]:
        raise RemoteProtocolError("an entry of an accurate list was expected", packet)
    try:
        decode_stat(fields[1])
    except StreamError as error:
        raise RemoteProtocolError(f"an entry of an accurate list has no stat ({error})", packet) from None
    return fields[0], fields[1], digest_record(fields[2] if len(fields) > 2 else b"")


def digest_record(text: bytes) -> bytes:
    """Stream byte and digest, or b"". The kind of digest shows in its length; what is none counts as not there."""
    try:
        digest = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return b""
    stream = _STREAM_OF_LENGTH.get(len(digest))
    return bytes([stream]) + digest if stream else b""
