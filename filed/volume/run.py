"""Where a run of whole records ends in a block, which `native_host/whole_entries` says."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any, Final, TypeAlias

from filed.process.native import native_library

Cut: TypeAlias = Callable[[bytes, int, int, int, int], int]
"""(data, begin, end, first, last): behind the last of the records from `begin` on that are whole, of FileIndexes first..last, and no continued parts."""

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
