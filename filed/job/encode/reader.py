"""The streams of an agent in a backup, pulled to their last chunk into a few reused buffers."""

from __future__ import annotations

from collections.abc import Callable

from filed.agents import AgentJob, Entry
from filed.agents.abi import MAX_STATE_BYTES, AgentStream, Status
from filed.errors import ItemError
from filed.job.encode.buffers import PROGRESS_EVERY, BufferRing
from filed.pipeline import RecordQueue

OBJECT_BIT = 1 << AgentStream.OBJECT
MAX_OBJECT_BYTES = MAX_STATE_BYTES

Take = Callable[[int, memoryview, Callable[[], None] | None], None]
"""(offset, chunk, release): chunks come in order, what lies between two is a hole; `release` when the chunk is done with."""


class Reading:
    """queue: gets the chunks, and gives them back.  count: called with the length of each.  progress: called now and then."""

    def __init__(self, queue: RecordQueue, count: Callable[[int], None], progress: Callable[[], None]) -> None:
        self._count, self._progress = count, progress
        self._pulled = 0
        self._ring = BufferRing(queue.step)

    def pull(self, job: AgentJob, take: Take) -> int:
        """The rest of the stream that is open. Returns its length; raises ItemError when the agent cannot read on."""
        while True:
            buffer = self._ring.take()
            chunk = job.read(buffer.address, buffer.size)
            buffer.freeze()
            job.filled(buffer.number, buffer.address, buffer.size)
            end = chunk.offset + chunk.len
            if chunk.len:
                self._count(chunk.len)
                take(chunk.offset, buffer.view[: chunk.len], buffer.release)
            else:
                buffer.release()
            if chunk.last:
                return end
            if self._ring.taken_often():
                self._progress()

    def count(self, size: int) -> None:
        """So many bytes came another way."""
        self._count(size)
        self._pulled += 1
        if self._pulled % PROGRESS_EVERY == 0:
            self._progress()

    def object(self, job: AgentJob, entry: Entry, path: bytes) -> bytes:
        """The whole of a restore object, at most MAX_OBJECT_BYTES; b"" of one without content. Raises ItemError for a longer one."""
        if not entry.streams & OBJECT_BIT:
            return b""
        content = bytearray()

        def take(offset: int, piece: memoryview, release: Callable[[], None] | None) -> None:
            if offset + len(piece) <= MAX_OBJECT_BYTES:
                content.extend(bytes(offset - len(content)))  # a hole
                content.extend(piece)
            if release is not None:
                release()
            if offset + len(piece) > MAX_OBJECT_BYTES:
                raise object_too_long(path)

        job.open_stream(entry.cookie, AgentStream.OBJECT)
        how = Status.E_FAIL
        try:
            length = self.pull(job, take)
            how = Status.OK
        finally:
            job.close_stream(how)
        if length > MAX_OBJECT_BYTES:
            raise object_too_long(path)
        return bytes(content).ljust(length, b"\0")


def object_too_long(path: bytes) -> ItemError:
    return ItemError(path, f"a restore object of more than {MAX_OBJECT_BYTES:,} bytes cannot be kept")
