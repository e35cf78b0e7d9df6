"""What agents see of the host's size: how large its pages are, and how far its structs reach.

The contract leaves all of it open between bounds, and lets it grow with each version. A Job takes the default;
`filed agent check` takes others, to find out what an agent takes for granted.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

from filed.agents.abi import ENTRY, HOST_FEATURES, MIN_PAGE_BYTES

MAX_ENTRIES = 256  # the boundary costs the same per entry from 64 on; a page is also what is held in memory at once
LIST_PAGE_BYTES = MIN_PAGE_BYTES  # an entry that does not fit it never fits
FETCH_PAGE_BYTES = 4 << 20  # 64 whole files of INLINE_LIMIT at least
_LATER = b"\xa5"  # in fields that this version does not know: neither 0 nor a pointer


@dataclass(frozen=True, slots=True)
class HostShape:
    """later_bytes: of fields that a later version has, at the end of each struct that may grow; a multiple of 8."""

    list_bytes: int = LIST_PAGE_BYTES
    fetch_bytes: int = FETCH_PAGE_BYTES
    max_entries: int = MAX_ENTRIES
    later_bytes: int = 0
    features: int = HOST_FEATURES

    @property
    def stride(self) -> int:
        """From one record of a page to the next."""
        return ENTRY.size + self.later_bytes

    def memory(self, structure: ctypes.Structure) -> ctypes.Array[ctypes.c_char]:
        """A copy of `structure`, which begins with its struct_size, as long as this host has it."""
        size = ctypes.sizeof(structure) + self.later_bytes
        copy = ctypes.create_string_buffer(bytes(structure) + _LATER * self.later_bytes, size)
        ctypes.c_uint32.from_buffer(copy).value = size
        return copy


SHAPE = HostShape()
