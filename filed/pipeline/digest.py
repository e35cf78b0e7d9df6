"""Digests of a file's content, by the stream their record uses.

Source: docs/formats/encryption.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from enum import Enum
from typing import Protocol

from filed.wire.stream import Buffer


class Hasher(Protocol):
    """What hashlib and xxhash both give; XX digests come out in their canonical, big-endian order."""

    def update(self, data: Buffer, /) -> None: ...
    def digest(self) -> bytes: ...


class Digest(Enum):
    """An algorithm; the value is the stream of its record."""

    MD5 = 3
    SHA1 = 10
    SHA256 = 17
    SHA512 = 18
    XXH64 = 39
    XXH3_128 = 41

    __hash__ = object.__hash__  # each is there once; Enum's own is a function in Python, asked several times a file

    @property
    def stream(self) -> int:
        return self._value_

    @property
    def inline(self) -> bool:
        """Faster than handing the work to a thread: 1 us for 64 KiB."""
        return self in (Digest.XXH64, Digest.XXH3_128)

    @property
    def new(self) -> Callable[..., Hasher]:
        """Makes a hasher, of the data given or of nothing yet."""
        return _constructor(self)


def _constructor(digest: Digest) -> Callable[..., Hasher]:
    match digest:
        case Digest.MD5:
            return hashlib.md5
        case Digest.SHA1:
            return hashlib.sha1
        case Digest.SHA256:
            return hashlib.sha256
        case Digest.SHA512:
            return hashlib.sha512
        case _:
            import xxhash  # noqa: PLC0415 - most Jobs do without; start-up time

            return xxhash.xxh64 if digest is Digest.XXH64 else xxhash.xxh3_128
