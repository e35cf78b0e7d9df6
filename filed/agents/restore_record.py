"""The one `bp_entry` of a restore, with its names behind it."""

from __future__ import annotations

import ctypes

from filed.agents.abi import ENTRY, Entry
from filed.errors import ItemError


class RestoreRecord:
    """Memory for the record that `restore_entry` is given; used again for each entry."""

    def __init__(self) -> None:
        self._reserve(16 << 10)  # two names of PATH_MAX fit

    def write(self, entry: Entry, name: bytes, link: bytes, dest: bytes) -> int:
        """The record's address, which is also the base of its offsets. Each name ends in a NUL.

        dest is only looked at. Raises ItemError for a name with a NUL, which C would take for its end.
        """
        if b"\0" in name or b"\0" in link or b"\0" in dest:
            raise ItemError(dest, "not restored: its name, or what it links to, holds a NUL")
        link_off = ENTRY.size + len(name) + 1
        end = link_off + len(link) + 1
        if end > len(self._memory):
            self._reserve(end)
        record = entry._replace(
            name_off=ENTRY.size,
            name_len=len(name),
            link_off=link_off if link else 0,
            link_len=len(link),
            old_name_off=0,
            old_name_len=0,
            inline_off=0,
            inline_len=0,
            tlv_off=0,
            tlv_len=0,
        )
        ENTRY.pack_into(self._memory, 0, *record)
        self._memory[ENTRY.size : end] = name + b"\0" + link + b"\0"
        return self._address

    def _reserve(self, size: int) -> None:
        self._memory = bytearray(size)
        self._address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
