"""A digest of the ACLs and extended attributes of one entry, as its records have them: with it, a catalog finds them changed."""

from __future__ import annotations

from hashlib import blake2b
from struct import Struct
from typing import Final

from filed.wire.stream import ACL_STREAMS, XATTR_STREAMS, Buffer

METADATA_STREAMS: Final = ACL_STREAMS | XATTR_STREAMS
_HEAD: Final = Struct(">HI")  # type and length of a record
_DIGEST_BYTES: Final = 8


class MetadataDigest:
    """Give it each record of METADATA_STREAMS, in order. digest: hexadecimal, b"" when there was none."""

    __slots__ = ("_hasher", "digest")

    def __init__(self) -> None:
        self._hasher: blake2b | None = None  # most entries have none, and each is asked
        self.digest = b""

    def add(self, kind: int, data: Buffer) -> None:
        hasher = self._hasher
        if hasher is None:
            hasher = self._hasher = blake2b(digest_size=_DIGEST_BYTES)
        hasher.update(_HEAD.pack(kind, len(data)))
        hasher.update(data)
        self.digest = hasher.hexdigest().encode()
