"""What is read ahead of a stream: some chunks in memory, then in a file, until all files of the Job have used up their quota."""

from __future__ import annotations

import os
import tempfile
import threading
from collections import deque
from pathlib import Path
from typing import Final, NamedTuple

from filed.agents import Chunk
from filed.process.system import free_bytes, read_at, write_at

MEMORY_BYTES: Final = 2 << 20  # of each stream
QUOTA_BYTES: Final = 4 << 30
_KEPT_FREE: Final = 2  # one part of so many of what the disk has free when the Job begins is left to others


class Quota:
    """What the files of one Job may take together. Of any thread."""

    def __init__(self, directory: Path | None, limit: int = QUOTA_BYTES) -> None:
        """directory: None: there are no files."""
        self.directory = directory
        self._lock = threading.Lock()
        self._left = 0 if directory is None else min(limit, _free(directory) // _KEPT_FREE)

    def take(self, size: int) -> bool:
        with self._lock:
            if size > self._left:
                return False
            self._left -= size
            return True

    def is_used_up(self) -> None:
        """The disk is full, whatever was free before."""
        with self._lock:
            self._left = 0

    def give_back(self, size: int) -> None:
        with self._lock:
            self._left += size


class _Piece(NamedTuple):
    """Of a chunk: its bytes, or where they stand in the file."""

    chunk: Chunk
    data: bytes | None
    at: int = 0


class Spool:
    """The chunks of one stream on their way from the thread that reads it to the one that stores it, in order."""

    def __init__(self, quota: Quota) -> None:
        self._quota, self._changed = quota, threading.Condition()
        self._pieces: deque[_Piece] = deque()
        self._error: BaseException | None = None
        self._in_memory = self._end = 0
        self._closed = False
        self._file = -1

    def put(self, chunk: Chunk, data: memoryview) -> bool:
        """The reader has one more; waits for room. False: nobody wants it any more."""
        size = len(data)
        piece: _Piece | None = None
        with self._changed:
            while piece is None:
                self._changed.wait_for(lambda: self._closed or self._fits(size) or self._quota.take(size))
                if self._closed:
                    return False
                piece = self._in_memory_now(chunk, data) if self._fits(size) else self._to_file(chunk, data)
            self._pieces.append(piece)
            self._changed.notify_all()
        return True

    def fail(self, error: BaseException) -> None:
        """The reader has no more, because of `error`."""
        with self._changed:
            self._error = error
            self._changed.notify_all()

    @property
    def ready(self) -> bool:
        return bool(self._pieces) or self._error is not None

    def get(self) -> tuple[Chunk, bytes]:
        """The next one; waits for it. Raises what ended the reader, behind what it has read."""
        with self._changed:
            self._changed.wait_for(lambda: self.ready)
            if not self._pieces:
                assert self._error is not None
                raise self._error
            chunk, data, at = self._pieces.popleft()
            if data is None:
                data = read_at(self._file, chunk.len, at)
                self._quota.give_back(chunk.len)
                if all(piece.data is not None for piece in self._pieces):
                    os.ftruncate(self._file, 0)
                    self._end = 0
            else:
                self._in_memory -= chunk.len
            self._changed.notify_all()
        return chunk, data

    def close(self) -> None:
        """Nobody wants the rest."""
        with self._changed:
            self._closed = True
            self._quota.give_back(sum(piece.chunk.len for piece in self._pieces if piece.data is None))
            self._pieces.clear()
            if self._file >= 0:
                os.close(self._file)
                self._file = -1
            self._changed.notify_all()

    def _fits(self, size: int) -> bool:
        return not self._in_memory or self._in_memory + size <= MEMORY_BYTES

    def _in_memory_now(self, chunk: Chunk, data: memoryview) -> _Piece:
        self._in_memory += chunk.len
        return _Piece(chunk, bytes(data))

    def _to_file(self, chunk: Chunk, data: memoryview) -> _Piece | None:
        """None when the disk is full. Its room is taken from the quota already."""
        assert self._quota.directory is not None
        try:
            if self._file < 0:
                self._file = _nameless(self._quota.directory)
            written = write_at(self._file, data, self._end)
        except OSError:
            written = 0
        if written < len(data):
            self._quota.is_used_up()
            return None
        self._end += written
        return _Piece(chunk, None, self._end - written)


def _free(directory: Path) -> int:
    try:
        return free_bytes(directory)
    except OSError:
        return 0


def _nameless(directory: Path) -> int:
    """A file that goes when it is closed, however the process ends."""
    with tempfile.TemporaryFile(dir=directory, prefix="filed-spool-") as file:
        return os.dup(file.fileno())
