"""The buffers that agents read into."""

from __future__ import annotations

import ctypes
import threading

from filed.job.buffers import BUFFERS, BufferRing


def test_a_buffer_is_memory_that_c_can_fill():
    buffer = BufferRing().take()
    ctypes.memmove(buffer.address, b"hello", 5)
    assert bytes(buffer.view[:5]) == b"hello"
    assert len(buffer.view) == buffer.size


def test_take_waits_until_the_last_reader_lets_go():
    ring = BufferRing()
    taken = [ring.take() for _ in range(BUFFERS)]
    assert len({buffer.address for buffer in taken}) == BUFFERS
    releaser = threading.Timer(0.01, taken[3].release)
    releaser.start()
    assert ring.take() is taken[3]
    releaser.join()
