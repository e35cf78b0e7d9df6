from __future__ import annotations

import ctypes

import pytest

from filed.agents.abi import ENTRY, BpBatch, Entry, EntryType
from filed.agents.page import PageReader
from filed.agents.page_buffer import PageBuffer
from filed.agents.shape import LIST_PAGE_BYTES, MAX_ENTRIES
from filed.errors import AgentError

READER = PageReader("test 1.0", absolute=True)


def fill(buffer: PageBuffer, **fields: int) -> BpBatch:
    """What an agent does: a name at the end, a record at the start, the frame, and `fields` over it."""
    batch = BpBatch.from_address(buffer.address)
    name = b"/one"
    low = batch.cap - len(name)
    ctypes.memmove(batch.buf + low, name, len(name))
    entry = Entry(name_off=low, name_len=len(name), type=EntryType.REGULAR)
    ctypes.memmove(batch.buf, ENTRY.pack(*entry), ENTRY.size)
    for field, value in ({"count": 1, "heap_low": low} | fields).items():
        setattr(batch, field, value)
    return batch


def test_an_agent_gets_an_empty_aligned_page() -> None:
    buffer = PageBuffer(LIST_PAGE_BYTES)
    buffer.clear()
    batch = BpBatch.from_address(buffer.address)
    assert (batch.struct_size, batch.stride, batch.cap) == (48, ENTRY.size, LIST_PAGE_BYTES)
    assert (batch.max_entries, batch.count, batch.heap_low, batch.flags) == (MAX_ENTRIES, 0, LIST_PAGE_BYTES, 0)
    assert batch.buf % 8 == 0


def test_records_of_the_page_before_are_gone() -> None:
    buffer = PageBuffer(LIST_PAGE_BYTES)
    buffer.clear()
    fill(buffer)
    buffer.clear()
    batch = BpBatch.from_address(buffer.address)
    assert ctypes.string_at(batch.buf, MAX_ENTRIES * ENTRY.size) == bytes(MAX_ENTRIES * ENTRY.size)


def test_our_own_size_and_stride_count_whatever_the_agent_wrote_over_them() -> None:
    buffer = PageBuffer(LIST_PAGE_BYTES)
    buffer.clear()
    fill(buffer, stride=8, cap=1 << 40, buf=8, struct_size=0, max_entries=0)
    assert buffer.parse(READER, "next_entries", end=False).names == [b"/one"]


def test_complete_counts_only_with_the_end() -> None:
    buffer = PageBuffer(LIST_PAGE_BYTES)
    buffer.clear()
    fill(buffer, flags=1)
    assert buffer.parse(READER, "next_entries", end=True).complete
    with pytest.raises(AgentError, match="COMPLETE without END"):
        buffer.parse(READER, "next_entries", end=False)


def test_unknown_flags_are_refused() -> None:
    buffer = PageBuffer(LIST_PAGE_BYTES)
    buffer.clear()
    fill(buffer, flags=2)
    with pytest.raises(AgentError, match="batch flags 0x2"):
        buffer.parse(READER, "next_entries", end=True)


@pytest.mark.parametrize("field", ["stride", "buf", "cap", "max_entries", "struct_size"])
def test_a_field_of_the_hosts_that_was_written_over_is_named(field: str) -> None:
    buffer = PageBuffer(LIST_PAGE_BYTES)
    buffer.clear()
    assert buffer.overwritten == ""
    fill(buffer, **{field: 8})
    assert buffer.overwritten == field
    buffer.parse(READER, "next_entries", end=True)
    buffer.clear()
    assert buffer.overwritten == ""
