"""Records on their way to NativeEntries, in runs as on a Volume, and what it does not take on its way to Python, in the same order.

The records of an entry that is not whole by now are held; there are never more than fit into HELD_BYTES.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from filed.job.decode.native_entries import MOST, NativeEntries, Why
from filed.volume import RECORD_HEADER, record_at, records_between
from filed.wire.stream import Buffer, Stream

SMALL_ENTRY_BYTES: Final = 96 << 10  # of records: content in one record, and what belongs to it
HELD_BYTES: Final = 256 << 10  # of records that came one by one
_OF_FILES: Final = frozenset({int(Stream.UNIX_ATTRIBUTES), int(Stream.UNIX_ATTRIBUTES_EX)})


class PlainRuns:
    """As NativeRuns, where all goes to Python. record: takes a record (stream, FileIndex, data)."""

    def __init__(self, record: Callable[[int, int, Buffer], None]) -> None:
        self.record = record

    def run(self, data: bytes, begin: int, end: int) -> None:
        """data[begin:end]: whole records, each behind its header; HOT."""
        for file_index, word, content in records_between(data, begin, end):
            self.record(word, file_index, content)

    def let_go(self) -> None:
        """Nothing is held."""


class NativeRuns:
    """record: takes a record (stream, FileIndex, data) that `entries` does not. before: an entry may begin that is for `entries`.

    full: no other goes into its page.
    """

    def __init__(
        self,
        entries: NativeEntries,
        record: Callable[[int, int, Buffer], None],
        before: Callable[[], None],
        full: Callable[[], None],
    ) -> None:
        self._entries, self._record, self._before, self._full = entries, record, before, full
        self._held: list[bytes] = []
        self._held_bytes = 0

    def record(self, word: int, file_index: int, data: Buffer) -> None:
        """One that came by itself; HOT."""
        size = len(data)
        if size > SMALL_ENTRY_BYTES or not (0 <= word <= MOST and 0 < file_index <= MOST):
            self.let_go()
            self._record(word, file_index, data)
        elif self._held or word in _OF_FILES:
            self._hold((RECORD_HEADER.pack(file_index, word, size), bytes(data)))
            if self._held_bytes >= HELD_BYTES:
                self.run(b"", 0, 0)
        else:
            self._record(word, file_index, data)

    def run(self, data: bytes, begin: int, end: int) -> None:
        """data[begin:end]: whole records, each behind its header; HOT."""
        if self._held:
            data = b"".join((*self._held, memoryview(data)[begin:end]))
            begin, end = 0, len(data)
            self._held, self._held_bytes = [], 0
        entries = self._entries
        while begin < end:
            _, word, _ = RECORD_HEADER.unpack_from(data, begin)
            if word in _OF_FILES:
                self._before()
                begin = entries.take(data, begin, end)
                if entries.why == Why.FULL:
                    self._full()
                    continue
                if entries.why == Why.MORE:
                    if begin < end:
                        self._hold((data[begin:end],))
                    return
            begin = self._to_python(data, begin)

    def _to_python(self, data: bytes, begin: int) -> int:
        """One record. Returns where the next one begins."""
        file_index, word, content = record_at(data, begin)
        self._record(word, file_index, content)
        return begin + RECORD_HEADER.size + len(content)

    def let_go(self) -> None:
        """What is held goes to Python: its entry may not be whole."""
        if not self._held:
            return
        data = b"".join(self._held)
        self._held, self._held_bytes = [], 0
        for file_index, word, content in records_between(data, 0, len(data)):
            self._record(word, file_index, content)

    def _hold(self, parts: tuple[bytes, ...]) -> None:
        self._held += parts
        self._held_bytes += sum(map(len, parts))
