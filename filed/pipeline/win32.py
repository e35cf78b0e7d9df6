"""What Windows' BackupRead gives (streams 11, 12, 31 and their encrypted kin), reduced to the file's bytes.

    repeated:  u32 id | u32 attributes | u64 size | u32 name size | name | size bytes        little-endian

id 1 is the file's data, id 9 a sparse block whose first 8 bytes are its offset; security, alternate streams and the
rest are skipped.  Chunks cut this wherever they like.

Source: docs/formats/streams.md.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from filed.errors import StreamError
from filed.pipeline.sparse import MAX_ADDRESS
from filed.wire.stream import Buffer

PART: Final = struct.Struct("<IIQI")
OFFSET: Final = struct.Struct("<Q")
DATA: Final = 1
SPARSE_BLOCK: Final = 9
MAX_NAME_BYTES: Final = 1 << 16


class BackupReadParts:
    """Fold: chunks in, (offset, bytes) of the file out."""

    def __init__(self) -> None:
        self._head = bytearray()  # a header, or an offset, that is not complete
        self._skip = 0  # bytes of a name or of a part nobody wants
        self._left = 0  # bytes of the file in this part
        self._offset_next = False
        self._position = 0

    def feed(self, chunk: Buffer) -> Iterator[tuple[int, memoryview]]:
        """StreamError when a header cannot be one."""
        view = memoryview(chunk)
        while view:
            if self._skip:
                taken = min(self._skip, len(view))
                self._skip -= taken
            elif self._left and not self._offset_next:
                taken = min(self._left, len(view))
                yield self._position, view[:taken]
                self._position += taken
                self._left -= taken
            else:
                size = OFFSET.size if self._offset_next else PART.size
                taken = min(size - len(self._head), len(view))
                self._head += view[:taken]
                if len(self._head) == size:
                    self._begin(bytes(self._head))
                    self._head.clear()
            view = view[taken:]

    def finish(self) -> None:
        """StreamError when the last part is not complete."""
        if self._head or self._skip or self._left or self._offset_next:
            raise StreamError("a Windows backup stream ends in the middle of a part")

    def _begin(self, head: bytes) -> None:
        if self._offset_next:
            self._offset_next = False
            (self._position,) = OFFSET.unpack(head)
            self._left -= OFFSET.size
            if self._position > MAX_ADDRESS:
                raise StreamError("a Windows backup stream has a sparse block beyond any file")
            return
        part, _attributes, size, name_size = PART.unpack(head)
        if name_size > MAX_NAME_BYTES or size > MAX_ADDRESS:
            raise StreamError("a Windows backup stream has a part of impossible size")
        self._skip = name_size
        if part == DATA:
            self._left = size
        elif part == SPARSE_BLOCK:
            if size < OFFSET.size:
                raise StreamError("a Windows backup stream has a sparse block without an offset")
            self._left, self._offset_next = size, True
        else:
            self._skip += size
