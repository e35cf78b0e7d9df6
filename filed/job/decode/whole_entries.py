"""Entries whose records are all in hand, and in which all is well: made ready for an agent by the page.

Most entries are small, and nothing is wrong with them. Every other goes to the agent record by record (`receive`), where it is
told what is wrong with it: here it is only found not to be one of those.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from filed.agents import AgentStream, WholePage, WholeStream
from filed.errors import FiledError
from filed.job.decode.attributes import META_STREAMS, meta_streams, restored_fields
from filed.job.decode.destination import Destination
from filed.job.decode.native_entries import NativeEntries
from filed.pipeline import proves, small_content
from filed.wire.attributes import FileType, attributes_of, parse_stat
from filed.wire.metadata_digest import METADATA_STREAMS, MetadataDigest
from filed.wire.stream import DATA_STREAMS, DIGEST_STREAMS, STREAM_TYPE_MASK, Buffer, Stream, same_layout

Kept = tuple[int, int, Buffer]
"""(Stream word, FileIndex, data) of a record."""

SIZED = frozenset({int(FileType.REGULAR), int(FileType.EMPTY)})  # whose st_size is that of the content
NOT_RESTORED = frozenset({int(FileType.DELETED), int(FileType.BASE)})
_SEALED = frozenset({int(Stream.ENCRYPTED_SESSION_DATA), int(Stream.SIGNED_DIGEST)})


class WholeEntries:
    """A page of them. digests: the streams that proved contents.  undigested: contents without.  looks: FileType and time of each."""

    def __init__(self, destination: Destination) -> None:
        self.page = WholePage()
        self.file_indexes: list[int] = []
        self.digests: set[int] = set()
        self.undigested = 0
        self.looks: list[tuple[int, int]] = []
        self._destination = destination

    def add(self, entries: NativeEntries) -> None:
        """Those that C took are the next ones."""
        self.page.add_laid_out(entries.laid_out(), entries.ends())
        self.file_indexes += entries.file_indexes()
        self.looks += entries.looks()
        self.digests |= entries.digests()
        self.undigested += entries.undigested
        entries.clear()

    def take(self, records: Sequence[Kept]) -> bool:
        """Add an entry, attributes first, all records in the order they came; HOT. False: record by record, please."""
        try:
            return self._take(records)
        except (FiledError, struct.error):
            return False

    def _take(self, records: Sequence[Kept]) -> bool:
        part, number = self._destination.part, records[0][1]
        attributes = attributes_of(number, records[0][2])
        if attributes.type in NOT_RESTORED:
            return False
        if not part.known.has_attributes(number, attributes):
            return False
        again = number not in part.file_indexes or (self.file_indexes and number <= self.file_indexes[-1])
        if again and part.known.has(number):
            return False
        attributes = part.renamed(attributes)
        stat = parse_stat(attributes.lstat)
        size = stat.size
        content: Buffer | None = None
        proof = 0
        digest_record = b""
        metadata = b""
        streams: list[WholeStream] = []
        for word, _, data in records[1:]:
            kind = word & STREAM_TYPE_MASK
            if kind in METADATA_STREAMS:
                if not metadata:
                    digest = MetadataDigest()
                digest.add(kind, data)
                metadata = digest.digest
            if kind in DATA_STREAMS:
                if content is not None or proof or (content := small_content(word, data)) is None:
                    return False
                if stat.data_stream and not same_layout(stat.data_stream, kind):
                    return False
                streams.insert(0, WholeStream(AgentStream.DATA, size if size >= 0 else None, content))
            elif kind in DIGEST_STREAMS:
                if proof or not proves(word, data, content or b""):
                    return False
                proof, digest_record = word, bytes((kind,)) + data
            elif kind in META_STREAMS:
                streams += [WholeStream(stream, len(text), text) for stream, text in meta_streams(kind, data)]
            elif kind in _SEALED:
                return False
        if not proof and attributes.type in SIZED and len(content or b"") < size:
            return False
        if not part.known.has_digest(number, digest_record) or not part.known.has_metadata(number, metadata):
            return False
        name, link, dest = self._destination.names(attributes)
        if 0 in dest or 0 in link:
            return False
        self.page.add(restored_fields(attributes, stat), name, link, dest, streams)
        self.file_indexes.append(number)
        self.looks.append((attributes.type, stat.mtime))
        if proof:
            self.digests.add(proof)
        elif content is not None:
            self.undigested += 1
        return True
