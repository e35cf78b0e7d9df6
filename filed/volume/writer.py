"""Cutting records into BB02 blocks.

The one caller is the Job's thread, once for each record: `write` is the hot path. Blocks lie one behind the other in a
buffer of about a megabyte and leave in one call of the sink.
"""

from __future__ import annotations

from collections.abc import Callable

from filed.volume.block import BB02_HEADER, DEFAULT_BLOCK_BYTES, seal
from filed.volume.record import MAX_RECORD_BYTES, RECORD_HEADER, Buffer, Session

BLOCKS_PER_WRITE = 16
"""16 x 64,512 bytes: the checksum still finds a block in the cache, and a write call costs nothing beside its copy."""
MIN_BLOCK_BYTES = 1024

_BODY = BB02_HEADER.size
_HEADER = RECORD_HEADER.size
_pack_header = RECORD_HEADER.pack_into


class BlockWriter:
    """Records of one session in, runs of whole sealed blocks out.

    sink: called with a view of one or more blocks, valid until it returns. What it raises comes out of the call that
        filled the buffer; after that the writer is of no further use.
    number: BlockNumber of the first block: 1 for the first Job of a Volume, 0 for a later one.
    """

    def __init__(
        self,
        sink: Callable[[memoryview], None],
        session: Session,
        number: int = 1,
        block_bytes: int = DEFAULT_BLOCK_BYTES,
        blocks_per_write: int = BLOCKS_PER_WRITE,
    ) -> None:
        assert block_bytes >= MIN_BLOCK_BYTES
        self._sink = sink
        self._session = session
        self._number = number
        self._block_bytes = block_bytes
        self._view = memoryview(bytearray(block_bytes * blocks_per_write))
        self._start = 0  # of the open block in the buffer
        self._used = _BODY  # end of the last record in the open block
        self._limit = block_bytes  # end of the open block
        self.last_index = 0  # FileIndex of the last record written

    def write(self, file_index: int, stream: int, data: Buffer) -> None:
        """Append one record. `data` has less than 20,000,000 bytes and is free again on return."""
        self.last_index = file_index
        used = self._used
        size = len(data)
        body = used + _HEADER
        end = body + size
        if end <= self._limit:
            _pack_header(self._view, used, file_index, stream, size)
            self._view[body:end] = data
            self._used = end
        else:
            self._split(file_index, stream, data)

    def write_whole(self, file_index: int, stream: int, data: bytes) -> None:
        """Append a session label, which must not be split."""
        self.make_room(len(data))
        self.write(file_index, stream, data)

    def make_room(self, size: int) -> None:
        """Close the open block if a record of `size` bytes does not fit in what is left of it."""
        assert _BODY + _HEADER + size <= self._block_bytes
        if self._used + _HEADER + size > self._limit:
            self._close_block()

    @property
    def open_bytes(self) -> int:
        """Length the open block would have if closed now; 0 when it holds no record."""
        length = self._used - self._start
        return length if length > _BODY else 0

    @property
    def closed_bytes(self) -> int:
        """Bytes of closed blocks that the sink has not got yet."""
        return self._start

    @property
    def open_index(self) -> int:
        """FileIndex of the first record in the open block; 0 when it holds none."""
        if not self.open_bytes:
            return 0
        header: tuple[int, int, int] = RECORD_HEADER.unpack_from(self._view, self._start + _BODY)
        return header[0]

    def flush_closed(self) -> None:
        """Hand every closed block to the sink; the open block stays open."""
        start, used = self._start, self._used
        if start:
            self._sink(self._view[:start])
            length = used - start
            self._view[:length] = bytes(self._view[start:used])
            self._start, self._used, self._limit = 0, length, self._block_bytes

    def flush(self) -> None:
        """Close the open block at its used length, and hand everything to the sink."""
        if self.open_bytes:
            self._close_block()
        self.flush_closed()

    def _split(self, file_index: int, stream: int, data: Buffer) -> None:
        left = len(data)
        if left >= MAX_RECORD_BYTES:
            raise ValueError(f"a record of {left} bytes; a Volume takes less than {MAX_RECORD_BYTES}")
        source = memoryview(data)
        done = 0
        word = stream
        while True:
            room = self._limit - self._used - _HEADER
            if room < 0:  # not even a header fits
                self._close_block()
                continue
            part = min(room, left)
            body = self._used + _HEADER
            _pack_header(self._view, self._used, file_index, word, left)
            self._view[body : body + part] = source[done : done + part]
            self._used = body + part
            done += part
            left -= part
            if not left:
                return
            self._close_block()
            word = -stream

    def _close_block(self) -> None:
        used = self._used
        seal(self._view[self._start : used], self._session, self._number)
        self._number += 1
        self._start, self._used, self._limit = used, used + _BODY, used + self._block_bytes
        if self._limit > len(self._view):
            self._sink(self._view[:used])
            self._start, self._used, self._limit = 0, _BODY, self._block_bytes
