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

WriteAll: TypeAlias = Callable[[int, Records], None]
"""(FileIndex, records): some that are there together, lent likewise."""

Release: TypeAlias = Callable[[], None]


class _Loan(NamedTuple):
    """What a record was made of, in use until the folds that read it are done."""

    guards: tuple[Slot[None], ...]
    size: int
    release: Release | None


class _Item(NamedTuple):
    file_index: int
    records: Records | Slot[Records]
    loan: _Loan


class RecordQueue:
    """Writes records in the order they were put, each as soon as it can be: while its folds still run, if there are any.

    An exception of a worker comes out of the `put`, `step` or `flush` that reaches its record, one of `write` likewise, one of a
    fold later.  After it the order is broken: `discard`, and end the Job.
    """

    def __init__(self, write: Write, limit_bytes: int = WINDOW_BYTES, *, write_all: WriteAll | None = None) -> None:
        self._write = write
        self._write_all = write_all or self._one_by_one
        self._limit = limit_bytes
        self._items: deque[_Item] = deque()  # not written
        self._loans: deque[_Loan] = deque()  # written, and not given back
        self.pending_bytes = 0

    def put(self, file_index: int, stream: int, data: Buffer) -> None:
        """One record.  The data is lent: it is written now, or copied."""
        if self._items:
            self._add(_Item(file_index, [(stream, bytes(data))], _Loan((), len(data), None)))
        else:
            self._write(file_index, stream, data)

    def put_lent(
        self,
        file_index: int,
        records: Records,
        guards: tuple[Slot[None], ...] = (),
        release: Release | None = None,
    ) -> None:
        """Records whose data stays good until `release` is called: after they are written and `guards` are done."""
        self._add(_Item(file_index, records, _Loan(guards, sum(len(data) for _, data in records), release)))

    def put_later(
        self,
        file_index: int,
        records: Slot[Records] | Records,
        size_bytes: int,
        guards: tuple[Slot[None], ...] = (),
        release: Release | None = None,
    ) -> None:
        """The records a worker will make, or has made, here in the order.  size_bytes: what they hold in memory meanwhile."""
        self._add(_Item(file_index, records, _Loan(guards, size_bytes, release)))

    def step(self) -> bool:
        """Writes the first item, or takes back what was lent first, waiting for it; False when there is neither.

        For a caller short of buffers.
        """
        if self._items:
            self._write_first()
        elif self._loans:
            self._take_back()
        else:
            return False
        return True

    def flush(self) -> None:
        """Writes everything, and waits for every fold."""
        while self.step():
            pass

    def discard(self) -> None:
        """Drops everything unwritten, once no worker reads it any more, and gives the buffers back."""
        while self._items:
            records, loan = self._items.popleft()[1:]
            if isinstance(records, Slot):
                records.settle()
            self._loans.append(loan)
        while self._loans:
            _let_go(self._loans.popleft())
        self.pending_bytes = 0

    def _add(self, item: _Item) -> None:
        self._items.append(item)
        self.pending_bytes += item.loan.size
        self._settle()

    def _settle(self) -> None:
        """Does what can be done without waiting, and waits for what is beyond the limit."""
        items, loans = self._items, self._loans
        while items and (self.pending_bytes > self._limit or _ready(items[0].records)):
            self._write_first()
        while loans and (self.pending_bytes > self._limit or all(guard.done for guard in loans[0].guards)):
            self._take_back()

    def _write_first(self) -> None:
        file_index, records, loan = self._items.popleft()
        try:
            self._write_all(file_index, records.wait() if isinstance(records, Slot) else records)
        finally:
            self._loans.append(loan)

    def _one_by_one(self, file_index: int, records: Records) -> None:
        for stream, data in records:
            self._write(file_index, stream, data)

    def _take_back(self) -> None:
        loan = self._loans.popleft()
        self.pending_bytes -= loan.size
        _let_go(loan)
        for guard in loan.guards:
            guard.wait()


def _ready(records: Records | Slot[Records]) -> bool:
    return not isinstance(records, Slot) or records.done


def _let_go(loan: _Loan) -> None:
    for guard in loan.guards:
        guard.settle()
    if loan.release is not None:
        loan.release()
