"""What a catalog knows of the entries of one Job, to compare their records with.

Somebody who can write a Volume can rename an entry, give it other rights, or put content there with a digest of its own. Eight bytes are
kept of each entry: a hash that nobody can foresee, with a secret key in each process. `native_host/whole_entries` makes and compares it for
entries by the page; without that library it is Python's own.
"""

from __future__ import annotations

import ctypes
import secrets
from array import array
from typing import Any, Final

from filed.catalog import INCOMPLETE, METADATA_ONLY, FileRow
from filed.errors import StreamError, printable
from filed.pipeline import Digest
from filed.process.native import native_library
from filed.wire.attributes import METADATA_MARK, Attributes
from filed.wire.stream import Stream

_BLOCK = 128  # small, since on a forged Volume each entry may be in one of its own
_BITS = 0xFFFF_FFFF
_UNKNOWN = 1  # no hash of metadata is 0 or 1
_DIGESTS = {int(digest.stream): digest for digest in Digest}
KEY: Final = secrets.token_bytes(16)


class KnownEntries:
    """By FileIndex. An entry that was never added is not known, and as good as any.

    digests: the kinds that the entries have; a restore calculates them, whatever it has seen. count: of entries.
    """

    def __init__(self) -> None:
        self._blocks: dict[int, array[int]] = {}  # high half: of attributes; low half: of the digest; 0: not known
        self._metadata: dict[int, array[int]] = {}  # 0: none; only blocks that have some
        self.digests: set[Digest] = set()
        self.count = 0

    def add(self, row: FileRow) -> None:
        if row.digest_record and (digest := _DIGESTS.get(row.digest_record[0])) is not None:
            self.digests.add(digest)
        block = self._blocks.get(row.file_index // _BLOCK)
        if block is None:
            block = self._blocks[row.file_index // _BLOCK] = array("Q", bytes(8 * _BLOCK))
        self.count += not block[row.file_index % _BLOCK]
        extended, mark, metadata = row.extended.rpartition(METADATA_MARK)
        if not mark:
            extended = row.extended  # an older filed kept no digest of the rest
        if metadata or not mark:
            self._keep_metadata(row.file_index, _hash_of(metadata) if mark else _UNKNOWN)
        block[row.file_index % _BLOCK] = _hashes(
            _text(row.type, row.path, row.lstat, row.link, extended), row.digest_record
        )

    def has(self, file_index: int) -> bool:
        return self._of(file_index) != 0

    def has_attributes(self, file_index: int, record: Attributes, *, metadata_only: bool = False) -> bool:
        """Whether these are the attributes of the entry: type, path, <stat>, link and <extended>. HOT.

        file_index: of the record's header. metadata_only: the record came without content.
        """
        known = self._of(file_index)
        if not known:
            return True
        _, kind, path, lstat, link, extended, _ = record
        if metadata_only:
            extended = METADATA_ONLY
        if known >> 32 == _hashes(_text(kind, path, lstat, link, extended)) >> 32:
            return True
        return not metadata_only and known >> 32 == _hashes(_text(kind, path, lstat, link, INCOMPLETE)) >> 32

    def has_digest(self, file_index: int, digest_record: bytes) -> bool:
        """digest_record: one byte, the stream, and the digest; b"" for none. HOT."""
        known = self._of(file_index)
        return not known or known & _BITS == _hashes(b"", digest_record) & _BITS

    def has_metadata(self, file_index: int, metadata: bytes) -> bool:
        """metadata: the digest of its ACLs and extended attributes, b"" for none. HOT."""
        if not self._of(file_index):
            return True
        block = self._metadata.get(file_index // _BLOCK)
        kept = block[file_index % _BLOCK] if block is not None else 0
        return kept == _UNKNOWN or kept == (_hash_of(metadata) if metadata else 0)

    def table(self) -> tuple[array[int], array[int], array[int]]:
        """Its blocks in order: their numbers, and the addresses of what is kept, and of what is kept of metadata, 0 for none.

        Good as long as nothing is added. Without numbers that no record can have.
        """
        numbers = array("I", sorted(number for number in self._blocks if 0 <= number <= _BITS // _BLOCK))
        hashes = array("Q", (self._blocks[number].buffer_info()[0] for number in numbers))
        none = array("I")
        metadata = array("Q", (self._metadata.get(number, none).buffer_info()[0] for number in numbers))
        return numbers, hashes, metadata

    def _keep_metadata(self, file_index: int, kept: int) -> None:
        block = self._metadata.get(file_index // _BLOCK)
        if block is None:
            block = self._metadata[file_index // _BLOCK] = array("I", bytes(4 * _BLOCK))
        block[file_index % _BLOCK] = kept

    def _of(self, file_index: int) -> int:
        block = self._blocks.get(file_index // _BLOCK)
        return block[file_index % _BLOCK] if block is not None else 0


def _text(kind: int, path: bytes, lstat: bytes, link: bytes, extended: bytes) -> bytes:
    return b"%d\0%b\0%b\0%b\0%b" % (kind, path, lstat, link, extended)


def _hashes(attributes: bytes, digest_record: bytes = b"") -> int:
    """The high half: of attributes, never 0. The low half: of the digest. HOT."""
    if HASHES is None:
        return (hash(attributes) & _BITS or 1) << 32 | hash(digest_record) & _BITS
    hashes: int = HASHES(KEY, attributes, len(attributes), digest_record, len(digest_record))
    return hashes


def native_hashes() -> Any:
    library = native_library("whole_entries")
    if library is None:
        return None
    function, size = library.known_hash, ctypes.c_uint64
    function.argtypes = (ctypes.c_char_p, ctypes.c_char_p, size, ctypes.c_char_p, size)
    function.restype = size
    return function


HASHES: Final = native_hashes()


def _hash_of(metadata: bytes) -> int:
    return hash(metadata) & _BITS | 2


NOTHING_KNOWN = KnownEntries()
"""Where a Director has the catalog."""


def check_attributes(known: KnownEntries, file_index: int, record: Attributes, *, metadata_only: bool = False) -> None:
    """Raises StreamError for a record that is not the catalog's."""
    if not known.has_attributes(file_index, record, metadata_only=metadata_only):
        text = f"{printable(record.path)} is not what the catalog has there: the Volume or the catalog was changed"
        raise StreamError(text, Stream.UNIX_ATTRIBUTES, file_index)


def check_metadata(known: KnownEntries, file_index: int, metadata: bytes) -> None:
    """Raises StreamError for ACLs or extended attributes that are not the catalog's."""
    if not known.has_metadata(file_index, metadata):
        text = "its ACLs or extended attributes are not those in the catalog: the Volume or the catalog was changed"
        raise StreamError(text, Stream.UNIX_ATTRIBUTES, file_index)
