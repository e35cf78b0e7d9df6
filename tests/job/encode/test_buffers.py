"""The buffers that agents read into."""

from __future__ import annotations

import ctypes

import pytest

from filed.errors import LocalProtocolError
from filed.job.encode.buffers import BUFFERS, BufferRing


def nothing_to_write() -> bool:
    return False


def test_a_buffer_is_memory_that_c_can_fill():
    buffer = BufferRing(nothing_to_write).take()
    ctypes.memmove(buffer.address, b"hello", 5)
    assert bytes(buffer.view[:5]) == b"hello"
    assert len(buffer.view) == buffer.size


def test_take_lets_the_pipeline_write_until_a_buffer_comes_back():
    steps = []

    def step() -> bool:
        steps.append(1)
        if len(steps) == 3:
            taken[7].release()
        return True

    ring = BufferRing(step)
    taken = [ring.take() for _ in range(BUFFERS)]
    assert len({buffer.address for buffer in taken}) == BUFFERS
    assert ring.take() is taken[7]
    assert len(steps) == 3


def test_a_ring_that_can_never_get_a_buffer_back_says_so():
    ring = BufferRing(nothing_to_write)
    for _ in range(BUFFERS):
        ring.take()
    with pytest.raises(LocalProtocolError, match="every buffer is in use"):
        ring.take()
