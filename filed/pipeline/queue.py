"""Records on their way to storage, in order, however late some of them are ready.

One thread puts and writes; workers only fill slots.  What is not ready holds back what comes after it, up to
`limit_bytes`; then `put` waits.  So file N+1 is compressed while the last chunks of file N still are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from filed.pipeline.workers import Slot
from filed.wire.stream import Buffer

WINDOW_BYTES: Final = 16 << 20

Write: TypeAlias = Callable[[int, int, Buffer], None]
"""(FileIndex, Stream, data): the data is only lent until the call returns."""

Records: TypeAlias = list[tuple[int, Buffer]]
"""(Stream, data) in order."""

Release: TypeAlias = Callable[[], None]


class _Item(NamedTuple):
    file_index: int
    records: Records | Slot[Records]
    guards: tuple[Slot[None], ...]  # folds that still read the buffer
    size: int
    release: Release | None


class RecordQueue:
    """Writes records in the order they were put.

    An exception of a worker comes out of the `put`, `step` or `flush` that reaches its record, one of `write` likewise.
    After it the order is broken: `discard`, and end the Job.
    """

    def __init__(self, write: Write, limit_bytes: int = WINDOW_BYTES) -> None:
        self._write = write
        self._limit = limit_bytes
        self._items: deque[_Item] = deque()
        self.pending_bytes = 0

    def put(self, file_index: int, stream: int, data: Buffer) -> None:
        """One record.  The data is lent: it is written now, or copied."""
        if self._items:
            self._add(_Item(file_index, [(stream, bytes(data))], (), len(data), None))
        else:
            self._write(file_index, stream, data)

    def put_lent(
        self,
        file_index: int,
        stream: int,
        data: Buffer,
        guards: tuple[Slot[None], ...] = (),
        release: Release | None = None,
    ) -> None:
        """One record whose data stays good until `release` is called: after it is written and `guards` are done."""
        if self._items or guards:
            self._add(_Item(file_index, [(stream, data)], guards, len(data), release))
        else:
            self._write(file_index, stream, data)
            if release is not None:
                release()

    def put_later(
        self,
        file_index: int,
        records: Slot[Records],
        size_bytes: int,
        guards: tuple[Slot[None], ...] = (),
        release: Release | None = None,
    ) -> None:
        """The records a worker will make, here in the order.  size_bytes: what they hold in memory meanwhile."""
        self._add(_Item(file_index, records, guards, size_bytes, release))

    def step(self) -> bool:
        """Writes the first item, waiting for it; False when there is none.  For a caller short of buffers."""
        if not self._items:
            return False
        item = self._items.popleft()
        self.pending_bytes -= item.size
        try:
            records = item.records.wait() if isinstance(item.records, Slot) else item.records
            for stream, data in records:
                self._write(item.file_index, stream, data)
            for guard in item.guards:
                guard.wait()
        finally:
            _let_go(item)
        return True

    def flush(self) -> None:
        """Writes everything."""
        while self.step():
            pass

    def discard(self) -> None:
        """Drops everything unwritten, once no worker reads it any more, and gives the buffers back."""
        while self._items:
            _let_go(self._items.popleft())
        self.pending_bytes = 0

    def _add(self, item: _Item) -> None:
        self._items.append(item)
        self.pending_bytes += item.size
        while self._items and (self.pending_bytes > self._limit or _ready(self._items[0])):
            self.step()


def _ready(item: _Item) -> bool:
    records = item.records
    if isinstance(records, Slot) and not records.done:
        return False
    return all(guard.done for guard in item.guards)


def _let_go(item: _Item) -> None:
    if isinstance(item.records, Slot):
        item.records.settle()
    for guard in item.guards:
        guard.settle()
    if item.release is not None:
        item.release()
