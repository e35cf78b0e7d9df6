from __future__ import annotations

import ctypes
import mmap
import signal

import pytest

from filed.process.memory import GuardedMemory
from filed.process.status_page import StatusPage
from tests.agents.flows import in_child


def test_all_of_it_can_be_written_and_seen() -> None:
    memory = GuardedMemory(4 * mmap.PAGESIZE)
    ctypes.memset(memory.address, 0x55, memory.size)
    assert bytes(memory.view) == b"\x55" * memory.size
    assert memory.address % mmap.PAGESIZE == 0


def test_one_byte_behind_it_is_deadly() -> None:
    def work(_status_page: StatusPage) -> None:
        memory = GuardedMemory(mmap.PAGESIZE)
        ctypes.memset(memory.address, 0, memory.size + 1)

    assert signal.SIGSEGV.name in in_child(work)


def test_only_whole_pages_can_be_guarded() -> None:
    with pytest.raises(ValueError, match="no whole number of pages"):
        GuardedMemory(100)
