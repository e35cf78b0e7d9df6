"""The address of any Python buffer, read-only ones included, for the time of one call."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

Buffer = bytes | bytearray | memoryview

_BUFFER_BYTES = 128  # Py_buffer has 80 on 64-bit CPython; its first word is the address
_get = ctypes.pythonapi.PyObject_GetBuffer
_get.argtypes = (ctypes.py_object, ctypes.c_void_p, ctypes.c_int)
_get.restype = ctypes.c_int
_release = ctypes.pythonapi.PyBuffer_Release
_release.argtypes = (ctypes.c_void_p,)
_release.restype = None
_PYBUF_SIMPLE = 0


@contextmanager
def borrowed(data: Buffer) -> Iterator[tuple[int, int]]:
    """(address, length in bytes). Nothing is copied; the buffer cannot move or go before the block is left.

    `from_buffer` would do for writable memory only; what comes off a Volume is `bytes` or a view of them.
    Raises BufferError for a view that is not contiguous.
    """
    pinned = ctypes.create_string_buffer(_BUFFER_BYTES)
    _get(data, pinned, _PYBUF_SIMPLE)
    try:
        address = ctypes.c_void_p.from_buffer(pinned).value or 0
        yield address, memoryview(data).nbytes
    finally:
        _release(pinned)
