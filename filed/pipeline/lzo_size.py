"""How long LZO1X data is once expanded, read from its instructions alone: the library that expands it takes no bound.

A byte of input makes at most 255 of output, so a short record needs no look; a long one is walked before it is expanded.

    first byte  18..21: that many less 17 literals follow;  22..255: the same, and a literal run ends with them
    0..15       behind no literals: a literal run of 3 + n;  behind 1 to 3: a match of 2;  behind a run: a match of 3
    16..31      a match of 2 + 3 bits, two bytes of distance; the one without distance ends the data
    32..63      a match of 2 + 5 bits, two bytes of distance
    64..127     a match of 3 + 1 bit, one byte of distance
    128..255    a match of 5 + 2 bits, one byte of distance

A length whose bits are all zero goes on in the bytes that follow: 255 for each zero byte, and the first other byte. The
lowest two bits of a match's last byte say how many literals follow it.

Source: "LZO stream format as understood by Linux' LZO decompressor", the kernel's documentation.
"""

from __future__ import annotations

from typing import Final

EXPANSION: Final = 255
"""The most that a byte of LZO data can make."""

_RUN: Final = 4  # the state behind a literal run


def lzo_size(data: bytes, limit: int) -> int:
    """Bytes that `data` expands to.  Stops behind `limit`: the answer is then more than that, not exact.

    Raises IndexError where the data ends inside an instruction.
    """
    at, made, state = 0, 0, 0
    first = data[0]
    if first > 17:
        at, made = first - 16, first - 17
        state = made if first < 22 else _RUN
    while made <= limit:
        code = data[at]
        at += 1
        if code < 16 and state == 0:
            length, at = _length(data, at, code, 15)
            at += length + 3
            made += length + 3
            state = _RUN
            continue
        if code < 16:
            length, last = (2 if state < _RUN else 3), code
            at += 1
        elif code < 64:
            mask = 7 if code < 32 else 31
            length, at = _length(data, at, code & mask, mask)
            length += 2
            low, high = data[at], data[at + 1]
            at += 2
            if 16 <= code < 24 and low < 4 and not high:
                return made
            last = low
        else:
            length = 3 + (code >> 5 & 1) if code < 128 else 5 + (code >> 5 & 3)
            last = code
            at += 1
        state = last & 3
        made += length + state
        at += state
    return made


def _length(data: bytes, at: int, bits: int, mask: int) -> tuple[int, int]:
    """A length and where the bytes of it end."""
    if bits:
        return bits, at
    zeros = at
    while not data[at]:
        at += 1
    return mask + EXPANSION * (at - zeros) + data[at], at + 1
