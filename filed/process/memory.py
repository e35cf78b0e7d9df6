"""Memory that agents write into, with a page behind it that nobody can touch.

An agent that writes past the end of its buffer crashes there and then, in the call that did it, instead of spoiling
what lies behind and letting the host crash later, under another's name.
"""

from __future__ import annotations

import ctypes
import mmap

from filed.process.system import pages, protect


class GuardedMemory:
    """`view` and `address` of `size_bytes` bytes, a multiple of the page size. Aligned to a page."""

    def __init__(self, size_bytes: int) -> None:
        if size_bytes % mmap.PAGESIZE:
            raise ValueError(f"{size_bytes} bytes are no whole number of pages")
        self._mapping = pages(size_bytes + mmap.PAGESIZE)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._mapping))
        protect(self.address + size_bytes, mmap.PAGESIZE, read=False, write=False)
        self.size = size_bytes
        self.view = memoryview(self._mapping)[:size_bytes]

    def freeze(self) -> None:
        """Whoever writes into it from here on crashes."""
        protect(self.address, self.size, read=True, write=False)

    def thaw(self) -> None:
        protect(self.address, self.size, read=True, write=True)
