"""The buffers agents read into: a few, reused, each taken again only when its last reader has let go.

A read of 256 KiB costs the agent's border once; four of them keep a reader, a digest and a compressor busy.
"""

from __future__ import annotations

from collections.abc import Callable

from filed.errors import LocalProtocolError
from filed.process.memory import GuardedMemory

BUFFER_BYTES = 256 * 1024
BUFFERS = 16  # 4 MiB, of which the processors' caches keep most: 48 cost 6 % more processor time
PROGRESS_EVERY = 64  # buffers; 16 MiB


class Buffer:
    """Host memory an agent may write into, until it is frozen: `address` and `size` for C, `view` for Python."""

    def __init__(self, number: int, give_back: Callable[[Buffer], None]) -> None:
        memory = GuardedMemory(BUFFER_BYTES)
        self.number = number
        self.size, self.address, self.view = memory.size, memory.address, memory.view
        self.freeze, self.thaw = memory.freeze, memory.thaw
        self._give_back = give_back

    def release(self) -> None:
        """Called by the pipeline when nobody reads the view any more."""
        self._give_back(self)


class BufferRing:
    """At most BUFFERS buffers, made when first needed.

    step: lets the pipeline write its oldest record, which sooner or later gives a buffer back; False when it has none.
    """

    def __init__(self, step: Callable[[], bool]) -> None:
        self._free: list[Buffer] = []
        self._step = step
        self._made = 0
        self._taken = 0

    def take(self) -> Buffer:
        """A buffer nobody reads; it comes back by its `release`."""
        self._taken += 1
        while not self._free:
            if self._made < BUFFERS:
                self._made += 1
                return Buffer(self._made, self._free.append)
            if not self._step():
                raise LocalProtocolError("every buffer is in use, and nothing is left to be written")
        buffer = self._free.pop()
        buffer.thaw()
        return buffer

    def taken_often(self) -> bool:
        """True now and then in a long file: time to show progress."""
        return self._taken % PROGRESS_EVERY == 0
