"""Runs of whole records: where one ends in a block, which `native_host/whole_entries` says, and its records one by one."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final, TypeAlias

from filed.process.native import native_library
from filed.volume.record import RECORD_HEADER

Cut: TypeAlias = Callable[[bytes, int, int, int, int], int]
"""(data, begin, end, first, last): behind the last of the records from `begin` on that are whole, of FileIndexes first..last, and no continued parts."""

COPIED_BYTES: Final = 4096
"""A record up to this size is copied out of what holds it: cheaper than a view, and it does not keep that alive."""

_SIZE: Final = ctypes.c_uint64


@cache
def native_cut() -> Cut | None:
    """None where the library was not built."""
    library = native_library("whole_entries")
    if library is None:
        return None
    function: Any = library.end_of_run
    function.argtypes = (ctypes.c_char_p, _SIZE, _SIZE, ctypes.c_int32, ctypes.c_int32)
    function.restype = _SIZE
    cut: Cut = function
    return cut


def record_at(data: bytes, begin: int) -> tuple[int, int, bytes | memoryview]:
    """(FileIndex, stream, data) of the whole record there."""
    file_index, word, length = RECORD_HEADER.unpack_from(data, begin)
    begin += RECORD_HEADER.size
    end = begin + length
    return file_index, word, memoryview(data)[begin:end] if length > COPIED_BYTES else data[begin:end]


def records_between(data: bytes, begin: int, end: int) -> Iterator[tuple[int, int, bytes | memoryview]]:
    """All of the run data[begin:end]."""
    while begin < end:
        record = record_at(data, begin)
        yield record
        begin += RECORD_HEADER.size + len(record[2])
