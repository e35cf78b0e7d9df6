"""Is this file a whole library for this machine, as Windows has them? Asked before it is loaded, since Windows' own words say little.

Source: Microsoft's PE format. Only what is needed: the machine, the kind of image, and where the sections end in the file.
"""

from __future__ import annotations

import platform
import struct
from pathlib import Path

_MACHINES = {0x014C: "i386, 32-bit", 0x01C4: "arm, 32-bit", 0x8664: "x86-64, 64-bit", 0xAA64: "aarch64, 64-bit"}
_OURS = {"AMD64": 0x8664, "x86_64": 0x8664, "ARM64": 0xAA64, "aarch64": 0xAA64}
_HEAD_AT, _IS_LIBRARY = 0x3C, 0x2000
_HEAD = struct.Struct(
    "<4sHHIIIHH"
)  # signature, machine, sections, time, symbols, their number, bytes of the optional head, kind
_SECTION_BYTES = 40
_MAX_SECTIONS = 96


def why_not_loadable(path: Path) -> str:
    """What is wrong with the file, as a sentence; "" when nothing shows."""
    size = path.stat().st_size
    with path.open("rb") as library:
        start = library.read(_HEAD_AT + 4)
        if start[:4] == b"\x7fELF":
            return f"{path} is a Linux library"
        if start[:2] != b"MZ":
            return f"{path} is not a library"
        if len(start) < _HEAD_AT + 4:
            return f"{path} is cut short: it has {size} bytes"
        (at,) = struct.unpack_from("<I", start, _HEAD_AT)
        library.seek(at)
        head = library.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return f"{path} is cut short: it has {size} bytes"
        signature, machine, sections, _, _, _, more, kind = _HEAD.unpack(head)
        if signature != b"PE\0\0" or sections > _MAX_SECTIONS:
            return f"{path} is not a library"
        ours = _OURS.get(platform.machine(), 0)
        if machine != ours:
            return f"{path} is for another machine: {_name(machine)}; this one is {_name(ours)}"
        if not kind & _IS_LIBRARY:
            return f"{path} is a program, not a library"
        library.seek(more, 1)
        table = library.read(sections * _SECTION_BYTES)
    if len(table) < sections * _SECTION_BYTES:
        return f"{path} is cut short: it has {size} bytes"
    for section in range(0, len(table), _SECTION_BYTES):
        length, begin = struct.unpack_from("<II", table, section + 16)
        if begin + length > size:
            return f"{path} is cut short: it has {size} bytes, its contents end at {begin + length}"
    return ""


def search_paths(_path: Path) -> list[str]:
    """Directories to look for other libraries in, which the file itself names: a library of Windows names none."""
    return []


def made_for_python(_path: Path) -> str:
    """The version of Python that it was written for; agents in Python are made on Linux alone."""
    return ""


def _name(machine: int) -> str:
    return _MACHINES.get(machine, f"machine 0x{machine:04x}")
