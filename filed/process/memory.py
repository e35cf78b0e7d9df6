"""Memory that agents write into, with a page behind it that nobody can touch.

An agent that writes past the end of its buffer crashes there and then, in the call that did it, instead of spoiling
what lies behind and letting the host crash later, under another's name.
"""

from __future__ import annotations

import ctypes
import mmap
import os

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


class GuardedMemory:
    """`view` and `address` of `size_bytes` bytes, a multiple of the page size. Aligned to a page."""

    def __init__(self, size_bytes: int) -> None:
        if size_bytes % mmap.PAGESIZE:
            raise ValueError(f"{size_bytes} bytes are no whole number of pages")
        self._mapping = mmap.mmap(-1, size_bytes + mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._mapping))
        if _libc.mprotect(self.address + size_bytes, mmap.PAGESIZE, 0):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        self.size = size_bytes
        self.view = memoryview(self._mapping)[:size_bytes]

    def freeze(self) -> None:
        """Whoever writes into it from here on crashes."""
        _libc.mprotect(self.address, self.size, mmap.PROT_READ)

    def thaw(self) -> None:
        _libc.mprotect(self.address, self.size, mmap.PROT_READ | mmap.PROT_WRITE)
