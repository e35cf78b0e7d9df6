"""Reading ahead: one thread reads and prepares the next batch of a restore while the job thread gives the last one to its agent.

The job thread is then mostly in C code, the agent's, and needs the GIL once a page; so the two do not stand in each other's way.
Never more than one batch is ahead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from filed.job.decode.batches import Batch
from filed.pipeline import Lane, Slot


class ReadAhead:
    """A context manager that gives `batches`, which another thread goes through. What that raises comes out here, in its place.

    interrupt: ends what `batches` may be waiting for, when the block is left before their end.
    """

    def __init__(self, batches: Iterator[Batch], interrupt: Callable[[], None] = lambda: None) -> None:
        self._batches, self._interrupt = batches, interrupt
        self._lane = Lane(1, "reader")
        self._next: Slot[Batch | None] | None = None

    def __enter__(self) -> Self:
        self._ask()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        if self._next is not None:
            self._interrupt()
        self._lane.close()

    def __iter__(self) -> Iterator[Batch]:
        while self._next is not None:
            slot, self._next = self._next, None
            batch = slot.wait()
            if batch is None:
                break
            self._ask()
            yield batch

    def _ask(self) -> None:
        self._next = self._lane.submit(next, self._batches, None)
