"""What agents see of the host's size: how large its pages are, and how far its structs reach.

The contract leaves all of it open between bounds, and lets it grow with each version. A Job takes the default;
`filed agent check` takes others, to find out what an agent takes for granted.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

from filed.agents.abi import ENTRY, HOST_FEATURES, MIN_PAGE_BYTES, SIZES_1_0, version

MAX_ENTRIES = 256  # the boundary costs the same per entry from 64 on; a page is also what is held in memory at once
LIST_PAGE_BYTES = MIN_PAGE_BYTES  # an entry that does not fit it never fits
FETCH_PAGE_BYTES = 4 << 20  # 64 whole files of INLINE_LIMIT at least
_FIRST = version(1, 0)
_LATER = b"\xa5"  # in fields that this version does not know: neither 0 nor a pointer


@dataclass(frozen=True, slots=True)
class HostShape:
    """later_bytes: of fields that a later version has, at the end of each struct that may grow; a multiple of 8.

    version: what this host speaks; 0: what was agreed on when the agent was loaded.
    """

    list_bytes: int = LIST_PAGE_BYTES
    fetch_bytes: int = FETCH_PAGE_BYTES
    max_entries: int = MAX_ENTRIES
    later_bytes: int = 0
    features: int = HOST_FEATURES
    version: int = 0

    @property
    def stride(self) -> int:
        """From one record of a page to the next."""
        return ENTRY.size + self.later_bytes

    def memory(self, structure: ctypes.Structure) -> ctypes.Array[ctypes.c_char]:
        """A copy of `structure`, which begins with its struct_size, as long as this host has it."""
        known = SIZES_1_0[type(structure).__name__] if self.version == _FIRST else ctypes.sizeof(structure)
        size = known + self.later_bytes
        copy = ctypes.create_string_buffer(bytes(structure)[:known] + _LATER * self.later_bytes, size)
        ctypes.c_uint32.from_buffer(copy).value = size
        return copy


SHAPE = HostShape()
