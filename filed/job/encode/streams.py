"""The content of entries, stream by stream: one after the other, or, of an agent that can do so, several read ahead.

page of entries -> ahead: the next ones are opened, each is read by a thread -> Spool -> in the order of the page -> take
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Final, Protocol

from filed.agents import AgentJob, Chunk, ParallelStream, Status
from filed.agents.abi import AgentStream
from filed.errors import ItemError
from filed.job.encode.reader import Reading, Take
from filed.job.encode.spool import Quota, Spool
from filed.process.memory import GuardedMemory
from filed.process.status_page import STREAMS

READ_BYTES: Final = 256 << 10
_OF_READER: Final = threading.local()  # its buffer


class Opened(Protocol):
    """A stream that is open. size: as announced, None when unknown."""

    size: int | None

    def pull(self, take: Take) -> int:
        """All of it. Returns its length; raises ItemError when the agent cannot read on."""

    def close(self, how: Status) -> None: ...


class Streams:
    """Opens the streams of one Job's entries. quota: of what is read ahead."""

    def __init__(self, reading: Reading, quota: Quota) -> None:
        self._reading, self._quota = reading, quota
        self._next: deque[int] = deque()  # cookies that will be wanted and are not open, in this order
        self._ahead: dict[int, _Ahead | ItemError] = {}  # what comes before those, in order
        self._readers: ThreadPoolExecutor | None = None

    def ahead(self, job: AgentJob, cookies: Sequence[int]) -> None:
        """The DATA of these entries of the last page will be wanted, in this order."""
        if job.parallel:
            self._next.extend(cookies)
            self._top_up(job)

    def open(self, job: AgentJob, cookie: int) -> Opened:
        """Raises ItemError when it cannot be opened."""
        if not job.parallel:
            return _OneByOne(job, cookie, self._reading)
        while cookie in self._ahead and next(iter(self._ahead)) != cookie:
            self._drop(next(iter(self._ahead)))  # those before are not wanted after all
        found = self._ahead.pop(cookie, None)
        if found is None:
            if cookie in self._next:
                self._next.remove(cookie)
            found = self._read(job, cookie)
        if isinstance(found, ItemError):
            raise found
        self._top_up(job, beside=1)
        found.beside = [one for one in self._ahead.values() if isinstance(one, _Ahead)]
        return found

    def page_done(self) -> None:
        """All that is wanted of the page has been read; what was opened and not wanted is closed."""
        self._next.clear()
        for cookie in tuple(self._ahead):
            self._drop(cookie)

    def _drop(self, cookie: int) -> None:
        found = self._ahead.pop(cookie)
        if isinstance(found, _Ahead):
            found.close(Status.E_CANCELLED)

    def _top_up(self, job: AgentJob, beside: int = 0) -> None:
        """As many as may be are open, `beside` others."""
        open_now = beside + sum(isinstance(one, _Ahead) for one in self._ahead.values())
        while self._next and open_now < job.parallel:
            cookie = self._next.popleft()
            try:
                self._ahead[cookie] = self._read(job, cookie)
                open_now += 1
            except ItemError as error:
                self._ahead[cookie] = error

    def _read(self, job: AgentJob, cookie: int) -> _Ahead:
        if self._readers is None:
            self._readers = ThreadPoolExecutor(STREAMS, "stream")
        return _Ahead(job.open_parallel(cookie), self._quota, self._reading, self._readers)


class _OneByOne:
    """An Opened: the only one of its agent."""

    def __init__(self, job: AgentJob, cookie: int, reading: Reading) -> None:
        self._job, self._reading = job, reading
        self.size = job.open_stream(cookie, AgentStream.DATA)
        self.close = job.close_stream

    def pull(self, take: Take) -> int:
        return self._reading.pull(self._job, take)


class _Ahead:
    """An Opened: a thread of `readers` reads it from the moment it is made."""

    def __init__(self, stream: ParallelStream, quota: Quota, reading: Reading, readers: Executor) -> None:
        self.size, self.path = stream.size, stream.path
        self.beside: list[_Ahead] = []  # others that are read now
        self._stream, self._spool, self._reading = stream, Spool(quota), reading
        stream.on_close = self._spool.close
        self._done = readers.submit(self._read)

    def pull(self, take: Take) -> int:
        chunk: Chunk
        while True:
            chunk, data = self._get()
            if chunk.len:
                self._reading.count(chunk.len)
                take(chunk.offset, memoryview(data), None)
            if chunk.last:
                return chunk.offset + chunk.len

    def close(self, how: Status) -> None:
        """Its thread ends with the `read` that runs."""
        try:
            self._stream.close(how)
        finally:
            self._done.result()

    def _get(self) -> tuple[Chunk, bytes]:
        if self._spool.ready:
            return self._spool.get()
        self._stream.waits(tuple(one.path for one in self.beside))
        try:
            return self._spool.get()
        finally:
            self._stream.goes_on()

    def _read(self) -> None:
        if not hasattr(_OF_READER, "memory"):
            _OF_READER.memory = GuardedMemory(READ_BYTES)
        memory: GuardedMemory = _OF_READER.memory
        try:
            while True:
                chunk = self._stream.read(memory.address, memory.size)
                if not self._spool.put(chunk, memory.view[: chunk.len]) or chunk.last:
                    return
        except BaseException as error:  # noqa: BLE001  raised again where it is waited for
            self._spool.fail(error)
