"""The one `bp_entry` of a restore, with its names behind it."""

from __future__ import annotations

import ctypes
import struct

from filed.agents.abi import ENTRY, Entry
from filed.errors import ItemError

_PLACES = Entry._fields.index("cookie")  # offsets and lengths come before
_NOTHING_ELSE = (0,) * (_PLACES - 4)


class RestoreRecord:
    """Memory for the record that `restore_entry` is given; used again for each entry."""

    def __init__(self) -> None:
        self._reserve(16 << 10)  # two names of PATH_MAX fit

    def write(self, entry: Entry, name: bytes, link: bytes, dest: bytes) -> int:
        """The record's address, which is also the base of its offsets. Each name ends in a NUL.

        dest is only looked at. Raises ItemError for a name with a NUL, which C would take for its end, and for a number of
        more than 64 bits.
        """
        if b"\0" in name or b"\0" in link or b"\0" in dest:
            raise ItemError(dest, "not restored: its name, or what it links to, holds a NUL")
        link_off = ENTRY.size + len(name) + 1
        end = link_off + len(link) + 1
        if end > len(self._memory):
            self._reserve(end)
        names = (ENTRY.size, len(name), link_off if link else 0, len(link))
        try:
            ENTRY.pack_into(self._memory, 0, *names, *_NOTHING_ELSE, *entry[_PLACES:])
        except struct.error as error:
            raise ItemError(dest, f"not restored: a number of its attributes is out of all bounds ({error})") from error
        self._memory[ENTRY.size : end] = b"%b\0%b\0" % (name, link)
        return self._address

    def _reserve(self, size: int) -> None:
        self._memory = bytearray(size)
        self._address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
