"""Threads for the C code of the pipeline, which releases the GIL.

Work on single chunks may run in any order: the pool.  Work that folds over a file (a digest, a cipher) runs in the
order given: a lane, which is one thread; different files take different lanes.  Threads start when first needed, so
a Job that does everything inline has none.

A task costs its giver about 1 us and a switch of threads on the way (concurrent.futures: 15).  The queues here have
no bound of their own: whoever gives work counts the bytes in flight (`RecordQueue`, `EntryDecoder`).
"""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar

from filed.process.system import cores_for_us

T = TypeVar("T")
MAX_THREADS: Final = 16  # beyond, the one thread that drives the Job is the limit
LEAST_LANES: Final = 3  # a file's digest, its signature's and its cipher: on one, the longest would wait for the next


class Slot(Generic[T]):
    """The place where the result of a task will be.  One thread fills it, one thread waits."""

    __slots__ = ("_error", "_gate", "_result", "done")

    def __init__(self) -> None:
        self.done = False
        self._result: T
        self._error: BaseException | None = None
        self._gate: Lock | None = None

    def fill(self, result: T) -> None:
        self._result = result
        self._open()

    def fail(self, error: BaseException) -> None:
        self._error = error
        self._open()

    def wait(self) -> T:
        """The result, or the exception the task died of."""
        self.settle()
        if self._error is not None:
            raise self._error
        return self._result

    def settle(self) -> None:
        """Waits until the task has ended, well or not: nothing it was given is in use any more."""
        if not self.done:
            gate = Lock()
            gate.acquire()
            # Either the filler sees the gate, or we see `done`: each writes its own before it reads the other's.
            self._gate = gate
            if not self.done:
                gate.acquire()

    def _open(self) -> None:
        self.done = True
        gate = self._gate
        if gate is not None:
            gate.release()


class Lane:
    """Threads that share one queue of tasks; with one thread, tasks end in the order they were given."""

    def __init__(self, threads: int, name: str) -> None:
        self._name, self._idle = name, threads
        self._threads: list[Thread] = []
        self._tasks: SimpleQueue[tuple[Slot[Any], Callable[..., Any], tuple[Any, ...]] | None] = SimpleQueue()

    def submit(self, function: Callable[..., T], *arguments: object) -> Slot[T]:
        slot: Slot[T] = Slot()
        self.pass_on(slot, function, *arguments)
        return slot

    def pass_on(self, slot: Slot[T], function: Callable[..., T], *arguments: object) -> None:
        """As `submit`, for a slot that somebody already waits for."""
        self._tasks.put((slot, function, arguments))
        if self._idle:
            self._idle -= 1
            thread = Thread(target=self._work, name=f"{self._name}-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def close(self) -> None:
        """Ends the threads after what they were given."""
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        self._idle = 0

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            slot, function, arguments = task
            try:
                result = function(*arguments)
            except BaseException as error:  # noqa: BLE001 - the top of a thread; the waiter gets it
                slot.fail(error)
            else:
                # Nothing may hold the giver's buffer once the slot is filled.
                del task, function, arguments
                slot.fill(result)
                del result
            del slot


class Workers:
    """The threads of one Job: a pool of `cores`, and lanes.

    neighbours: programs on the same cores that are as busy with the same bytes, as a Storage Daemon is.
    """

    def __init__(self, cores: int | None = None, *, neighbours: int = 0) -> None:
        count = min(cores or cores_for_us(), MAX_THREADS)
        self.alone = count - neighbours < 2
        """No core is left for a lane: a fold there would cost the switches and cold caches, and win no time."""
        self.pool = Lane(count, "pool")
        self._lanes = [Lane(1, f"lane{number}") for number in range(max(count, LEAST_LANES))]
        self._next = 0

    def lane(self) -> Lane:
        """A lane for one fold of one file; the next call gives another."""
        self._next = (self._next + 1) % len(self._lanes)
        return self._lanes[self._next]

    @property
    def started(self) -> int:
        """How many threads there are by now."""
        return sum(len(lane._threads) for lane in (self.pool, *self._lanes))  # noqa: SLF001 - same file

    def close(self) -> None:
        for lane in (*self._lanes, self.pool):  # a lane may still pass work on to the pool
            lane.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
