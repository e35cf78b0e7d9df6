"""The two ways from records to batches, in Python and in C, and what both must agree about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from filed.catalog import FileRow
from filed.errors import FiledError
from filed.job.decode.batches import Damaged, Gathering, gathered
from filed.job.decode.destination import Destination, Part
from filed.job.decode.known import KnownEntries
from filed.job.decode.native_entries import Native
from filed.job.decode.renaming import Renaming
from filed.job.decode.wanted import IndexSet
from filed.job.decode.whole_entries import Kept, WholeEntries
from filed.volume import RECORD_HEADER, Record, Run, Session
from filed.wire.attributes import METADATA_MARK, Attributes, attributes_of
from filed.wire.metadata_digest import METADATA_STREAMS
from filed.wire.stream import DIGEST_STREAMS, STREAM_TYPE_MASK, Stream

SESSION = Session(1, 17)


class Came(NamedTuple):
    """What batches hold, whatever their borders. entries: whole ones as they are laid out, or records. The rest: of all whole ones."""

    entries: list[object]
    file_indexes: list[int]
    looks: list[tuple[int, int]]
    digests: set[int]
    undigested: int


def came(records: Iterable[Record | Run], native: Native | None, part: Part | None = None) -> Came:
    found = Came([], [], [], set(), 0)
    gathering = Gathering(Destination(b"/to", part or Renaming()), by_page=True, native=native)
    for batch in gathered(records, gathering):
        if isinstance(batch, WholeEntries):
            page, count = batch.page.laid_out(), len(batch.page)
            ends = [batch.page.begin_of(number) for number in range(count + 1)]
            found.entries.extend(page[begin:end] for begin, end in pairwise(ends))
            found.file_indexes.extend(batch.file_indexes)
            found.looks.extend(batch.looks)
            found.digests.update(batch.digests)
            found = found._replace(undigested=found.undigested + batch.undigested)
        elif isinstance(batch, Session | Damaged):
            found.entries.append(batch)
        else:
            found.entries.extend((word, number, bytes(data)) for word, number, data in batch)
    return found


def one_by_one(records: Iterable[Kept]) -> Iterable[Record]:
    return [Record(SESSION, number, word, bytes(data)) for word, number, data in records]


def in_runs(records: Sequence[Kept], sizes: Sequence[int]) -> Iterable[Record | Run]:
    """So many records in each run, in turn; 0 is one by itself. What no Volume can hold in a run is by itself, too."""
    some, at = list(one_by_one(records)), 0
    found: list[Record | Run] = []
    while at < len(some):
        size = sizes[at % len(sizes)] if sizes else len(some)
        part = some[at : at + size]
        if part and all(0 <= record.stream < 1 << 31 and 0 < record.file_index < 1 << 31 for record in part):
            data = b"".join(
                RECORD_HEADER.pack(record.file_index, record.stream, len(record.data)) + record.data for record in part
            )
            found.append(Run(SESSION, b"before" + data + b"behind", 6, 6 + len(data)))
        else:
            found += part or some[at : at + 1]
        at += size or 1
    return found


class OfCatalog:
    """A Part whose entries a catalog knows. renamed_indexes: get another name."""

    def __init__(self, records: Sequence[Kept], renamed_indexes: frozenset[int] = frozenset()) -> None:
        self.known, self.file_indexes, self.renamed_indexes = KnownEntries(), IndexSet(), renamed_indexes
        heads: dict[int, Attributes] = {}
        digests: dict[int, bytes] = {}
        for word, number, data in records:
            if word == Stream.UNIX_ATTRIBUTES and number not in heads:
                try:
                    heads[number] = attributes_of(number, data)
                except FiledError:
                    continue
            elif word & STREAM_TYPE_MASK in DIGEST_STREAMS:
                digests.setdefault(number, bytes((word & STREAM_TYPE_MASK,)) + bytes(data))
        listed = {number for word, number, _ in records if word & STREAM_TYPE_MASK in METADATA_STREAMS}
        for number, head in heads.items():
            self.known.add(
                FileRow(
                    path=head.path,
                    type=head.type,
                    file_index=number,
                    job_id=0,
                    lstat=head.lstat,
                    extended=head.extended + (b"" if number in listed else METADATA_MARK),
                    digest_record=digests.get(number, b""),
                    link=head.link,
                    plugin_id=0,
                )
            )
            self.file_indexes.add(number)

    def renamed(self, attributes: Attributes) -> Attributes:
        return attributes._replace(path=b"/new") if attributes.file_index in self.renamed_indexes else attributes
