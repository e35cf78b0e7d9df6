"""Which records belong together: a restore's records in, batches out in the same order.

What is whole when the next entry begins, and small, goes with its like (`whole`); all else stays a list of records.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, TypeAlias

from filed.errors import FiledError
from filed.job.decode.destination import Destination
from filed.job.decode.native_entries import LIBRARY, Native, NativeEntries
from filed.job.decode.native_runs import SMALL_ENTRY_BYTES, NativeRuns, PlainRuns
from filed.job.decode.whole_entries import Kept, WholeEntries
from filed.volume import Record, Run, Session
from filed.wire.stream import ATTRIBUTE_STREAMS, STREAM_TYPE_MASK, Buffer, Stream

LOOSE_BYTES: Final = 256 << 10  # of a list of records
LOOSE_RECORDS: Final = 256
_PLUGIN_NAME: Final = int(Stream.PLUGIN_NAME)
_BEGINNINGS: Final = ATTRIBUTE_STREAMS | {_PLUGIN_NAME}
_ONE_BY_ONE: Final = frozenset({_PLUGIN_NAME, int(Stream.UNIX_ATTRIBUTE_UPDATE)})


class Damaged(NamedTuple):
    """Something of the Volume was skipped."""

    text: str


Batch: TypeAlias = WholeEntries | list[Kept] | Damaged | Session
"""A Session: the records of this Job follow, and none of the one before."""


def gathered(records: Iterable[Record | Run], gathering: Gathering) -> Iterator[Batch]:
    """All batches. The records of several Jobs follow each other. When `records` breaks off, what came comes out ahead of the error."""
    now = Session(-1, -1)
    take, ready = gathering.record, gathering.ready
    try:
        for some in records:
            session = some[0]
            if session is not now and session != now:
                gathering.session(session)
                now = session
            if isinstance(some, Run):
                gathering.run(some.data, some.begin, some.end)
            else:
                _, file_index, word, data = some
                take(word, file_index, data)
            if ready:
                yield from ready
                ready.clear()
    except FiledError:
        gathering.broken_off()
        yield from ready
        raise
    gathering.end()
    yield from ready


class Gathering:
    """ready: batches, to be taken out by the one who wants them.

    by_page: False where whole entries cannot be given to an agent by the page: then all are records.
    native: takes those that are plain; None where it cannot be had.
    """

    def __init__(self, destination: Destination, *, by_page: bool, native: Native | None = LIBRARY) -> None:
        self.ready: list[Batch] = []
        self._destination, self._by_page = destination, by_page
        part = destination.part
        self._native: NativeEntries | None = None
        self._runs: NativeRuns | PlainRuns = PlainRuns(self._record)
        if by_page and native is not None and part.renamed_indexes is not None:
            self._native = NativeEntries(native, destination.where, part.known, part.renamed_indexes)
            self._runs = NativeRuns(self._native, self._record, self._ready_for_native, self._flush)
        self._entry: list[Kept] | None = None  # all records of the entry at hand; None: there is none, or not all are
        self._entry_bytes = 0
        self._file_index = 0
        self._whole = WholeEntries(destination)
        self._loose: list[Kept] = []  # behind what is in `whole`
        self._loose_bytes = 0

    def record(self, word: int, file_index: int, data: Buffer) -> None:
        """HOT."""
        self._runs.record(word, file_index, data)

    def run(self, data: bytes, begin: int, end: int) -> None:
        """data[begin:end]: whole records, each behind its header, as on a Volume; HOT."""
        self._runs.run(data, begin, end)

    def _ready_for_native(self) -> None:
        if self._entry is not None:
            self._complete()
        if self._loose:
            self._flush()

    def _record(self, word: int, file_index: int, data: Buffer) -> None:
        """HOT."""
        record = word, file_index, data
        kind = word & STREAM_TYPE_MASK
        if kind in _BEGINNINGS:
            if self._entry is not None:
                self._complete()
            if kind in _ONE_BY_ONE or not self._by_page:
                self._pass(record)
            else:
                self._entry, self._entry_bytes, self._file_index = [record], len(data), file_index
            return
        entry = self._entry
        if entry is None:
            self._pass(record)
            return
        if file_index != self._file_index:  # damage took the attributes of another entry
            self._complete()
            self._pass(record)
            return
        entry.append(record)
        self._entry_bytes += len(data)
        if self._entry_bytes > SMALL_ENTRY_BYTES:
            self._spill()

    def broken_off(self) -> None:
        """No record follows, and nobody knows whether the entry at hand had more."""
        self._runs.let_go()
        self._spill()
        self._flush()

    def damaged(self, text: str) -> None:
        """The entry at hand may lack a part of it. text: what is to be told."""
        self.broken_off()
        self.ready.append(Damaged(text))

    def end(self) -> None:
        """The last record was given."""
        self._runs.let_go()
        self._complete()
        self._flush()

    def session(self, session: Session) -> None:
        """The records of this Job follow."""
        self.end()
        self.ready.append(session)

    def _complete(self) -> None:
        """All records of the entry at hand are there."""
        entry = self._entry
        if entry is None:
            return
        if self._loose:
            self._flush()
        if self._native is not None:
            self._native.saw(entry[0][1])
            if self._native:
                self._whole.add(self._native)
        if self._whole.take(entry):
            self._entry = None
            if self._whole.page.full:
                self._flush()
        else:
            self._spill()

    def _spill(self) -> None:
        """The entry at hand goes record by record."""
        records, self._entry = self._entry, None
        for record in records or ():
            self._pass(record)

    def _pass(self, record: Kept) -> None:
        if self._whole.page or self._native:
            self._flush()
        self._loose.append(record)
        self._loose_bytes += len(record[2])
        if self._loose_bytes >= LOOSE_BYTES or len(self._loose) >= LOOSE_RECORDS:
            self._flush()

    def _flush(self) -> None:
        """What was gathered is a batch."""
        if self._native:
            self._whole.add(self._native)
        if self._whole.page:
            self.ready.append(self._whole)
            self._whole = WholeEntries(self._destination)
        if self._loose:
            self.ready.append(self._loose)
            self._loose, self._loose_bytes = [], 0
