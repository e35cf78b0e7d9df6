"""The host's memory that an agent fills with a page: `bp_batch` and its buffer, made once per Job."""

from __future__ import annotations

import ctypes

from filed.agents.abi import BATCH_COMPLETE, ENTRY, BpBatch
from filed.agents.memory import GuardedMemory
from filed.agents.page import Page, PageReader

MAX_ENTRIES = 256  # the boundary costs the same per entry from 64 on; a page is also what is held in memory at once
LIST_PAGE_BYTES = 1 << 20  # the contract's minimum: an entry that does not fit it never fits
FETCH_PAGE_BYTES = 4 << 20  # 64 whole files of INLINE_LIMIT at least
INLINE_LIMIT = 64 << 10  # larger files are cheaper through `read`, whose buffers are not copied


class PageBuffer:
    """`address` is what next_entries and fetch take."""

    def __init__(self, size_bytes: int) -> None:
        self._memory = GuardedMemory(size_bytes)
        self._view = self._memory.view
        self._batch = BpBatch()
        self.address = ctypes.addressof(self._batch)

    def clear(self) -> None:
        """Before each call: an empty batch, and no records of the page before that could pass for new ones."""
        batch = self._batch
        batch.struct_size, batch.stride = ctypes.sizeof(BpBatch), ENTRY.size
        batch.buf, batch.cap = self._memory.address, len(self._view)
        batch.max_entries, batch.count = MAX_ENTRIES, 0
        batch.heap_low, batch.flags = len(self._view), 0
        ctypes.memset(self._memory.address, 0, MAX_ENTRIES * ENTRY.size)

    def parse(self, reader: PageReader, call: str, *, end: bool) -> Page:
        """What the agent left. Our own stride and size count, whatever it wrote over those fields."""
        batch = self._batch
        if batch.flags & ~BATCH_COMPLETE:
            reader.violated(call, f"batch flags {batch.flags:#x} has bits that this version does not know")
        complete = bool(batch.flags & BATCH_COMPLETE)
        if complete and not end:
            reader.violated(call, "COMPLETE without END")
        return reader.parse(
            call,
            self._view,
            stride=ENTRY.size,
            max_entries=MAX_ENTRIES,
            count=batch.count,
            heap_low=batch.heap_low,
            end=end,
            complete=complete,
        )
