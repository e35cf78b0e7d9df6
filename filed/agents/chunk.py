"""What a `read` of an agent says that it put into a buffer, and the rules for it."""

from __future__ import annotations

import ctypes
import os
from typing import NamedTuple

from filed.agents.abi import CHUNK_LAST
from filed.agents.page import MAX_SIZE

_UNWRITTEN = os.urandom(16)  # at the start of a buffer: no content begins so


class Chunk(NamedTuple):
    """Where the bytes that `read` put into the buffer belong; `last`: the stream ends at offset + len."""

    offset: int
    len: int
    last: bool


def mark_unwritten(address: int) -> None:
    """Before a `read` into the buffer at `address`: what it leaves alone is found."""
    ctypes.memmove(address, _UNWRITTEN, len(_UNWRITTEN))


def chunk_rule(offset: int, length: int, flags: int, address: int, cap: int, position: int) -> str:  # noqa: PLR0917  a bp_chunk, and where it belongs
    """The rule that an answer of `read` breaks; "" for none. HOT. position: where the chunk before ended."""
    if length >= len(_UNWRITTEN) and ctypes.string_at(address, len(_UNWRITTEN)) == _UNWRITTEN:
        return f"it says {length} bytes, and has written none of them into the buffer"
    if length > cap:
        return f"{length} bytes in a buffer of {cap}"
    if offset < position:
        return f"a chunk at {offset} after one that ended at {position}"
    if flags & ~CHUNK_LAST:
        return f"chunk flags {flags:#x} has bits that this version does not know"
    if not length and not flags:
        return "no bytes, and not the last chunk"
    if offset + length > MAX_SIZE:
        return f"a chunk that ends at {offset + length}"
    return ""
