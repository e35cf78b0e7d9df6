"""The host's memory that an agent fills with a page: `bp_batch` and its buffer, made once per Job."""

from __future__ import annotations

import ctypes

from filed.agents.abi import BATCH_COMPLETE, BATCH_GAP, BpBatch
from filed.agents.page import Page, PageReader
from filed.agents.shape import SHAPE, HostShape
from filed.process.memory import GuardedMemory

INLINE_LIMIT = 64 << 10  # larger files are cheaper through `read`, whose buffers are not copied


class PageBuffer:
    """`address` is what next_entries and fetch take."""

    def __init__(self, size_bytes: int, shape: HostShape = SHAPE, *, gaps: bool = False) -> None:
        """gaps: may the agent say GAP?"""
        self._shape = shape
        self._flags = BATCH_COMPLETE | BATCH_GAP if gaps else BATCH_COMPLETE
        self._memory = GuardedMemory(size_bytes)
        self._view = self._memory.view
        self._whole = shape.memory(BpBatch())
        self._batch = BpBatch.from_buffer(self._whole)
        self.address = ctypes.addressof(self._batch)

    def clear(self) -> None:
        """Before each call: an empty batch, and no records of the page before that could pass for new ones."""
        batch, shape = self._batch, self._shape
        batch.struct_size, batch.stride = len(self._whole), shape.stride
        batch.buf, batch.cap = self._memory.address, len(self._view)
        batch.max_entries, batch.count = shape.max_entries, 0
        batch.heap_low, batch.flags = len(self._view), 0
        ctypes.memset(self._memory.address, 0, min(shape.max_entries * shape.stride, len(self._view)))

    @property
    def overwritten(self) -> str:
        """Which field that is the host's alone the agent wrote over; "" for none. It does no harm: see `parse`."""
        batch, shape = self._batch, self._shape
        ours = {
            "struct_size": len(self._whole),
            "stride": shape.stride,
            "buf": self._memory.address,
            "cap": len(self._view),
            "max_entries": shape.max_entries,
        }
        return next((name for name, value in ours.items() if getattr(batch, name) != value), "")

    @property
    def gap(self) -> bool:
        """Something may be missing in the list that ended."""
        return bool(self._batch.flags & BATCH_GAP)

    def parse(self, reader: PageReader, call: str, *, end: bool) -> Page:
        """What the agent left. Our own stride and size count, whatever it wrote over those fields."""
        batch = self._batch
        if batch.flags & ~self._flags:
            reader.violated(call, f"batch flags {batch.flags:#x} has bits that this version does not know")
        complete = bool(batch.flags & BATCH_COMPLETE)
        if batch.flags and not end:
            reader.violated(call, "COMPLETE without END" if complete else "GAP without END")
        if complete and self.gap:
            reader.violated(call, "COMPLETE and GAP: of a list in which something may be missing")
        return reader.parse(
            call,
            self._view,
            stride=self._shape.stride,
            max_entries=self._shape.max_entries,
            count=batch.count,
            heap_low=batch.heap_low,
            end=end,
            complete=complete,
        )
