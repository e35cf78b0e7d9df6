"""Records of a Storage Daemon as runs: its packets are cut by `native_host/whole_entries`, for all that is plain."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any, Final

from filed.process.native import DIRECTORY, native_library
from filed.storage.joined import LONG_BYTES
from filed.volume import Run, Session

_SIZE: Final = ctypes.c_uint64


class PacketRuns:
    """Makes runs of what a connection has read. Records of LONG_BYTES and more are left to those who join them."""

    def __init__(self, take_packets: Any) -> None:
        self._take = take_packets
        self._out = ctypes.create_string_buffer(0)
        self._made, self._session = _SIZE(), (_SIZE * 2)()

    def run(self, packets: memoryview) -> tuple[Run | None, int]:
        """The records at the beginning, and how many bytes they are: those of one session, up to what is not plain, or not here whole. HOT."""
        size = len(packets)
        if len(self._out) < size:
            self._out = ctypes.create_string_buffer(size)
        begin = ctypes.addressof(ctypes.c_char.from_buffer(packets)) if size else 0
        taken: int = self._take(begin, size, LONG_BYTES - 1, self._out, self._made, self._session)
        if not taken:
            return None, 0
        data = ctypes.string_at(self._out, self._made.value)
        return Run(Session(*self._session), data, 0, len(data)), taken


def packet_runs(directory: Path = DIRECTORY) -> PacketRuns | None:
    """None where the library was not built."""
    library = native_library("whole_entries", directory)
    if library is None:
        return None
    function = library.take_packets
    function.argtypes = (
        *(ctypes.c_void_p, _SIZE, ctypes.c_uint32),
        *(ctypes.c_char_p, ctypes.POINTER(_SIZE), ctypes.POINTER(_SIZE)),
    )
    function.restype = _SIZE
    return PacketRuns(function)
