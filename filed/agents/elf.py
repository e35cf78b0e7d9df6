"""Is this file a whole library for this machine, and where would the dynamic linker look for others? Asked before it is loaded.

The linker dies of some cut files.

Source: elf(5). Only what is needed: the class and machine of the head, and where the segments end in the file.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path

_MACHINES = {3: "i386", 21: "ppc64", 22: "s390", 40: "arm", 62: "x86-64", 183: "aarch64", 243: "riscv"}
_HEAD_BYTES = 64
_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_NULL, _DT_STRTAB, _DT_RPATH, _DT_RUNPATH = 0, 5, 15, 29


def why_not_loadable(path: Path) -> str:
    """What is wrong with the file, as a sentence; "" when nothing shows."""
    with path.open("rb") as library:
        head = library.read(_HEAD_BYTES)
        size = path.stat().st_size
        with Path("/proc/self/exe").open("rb") as program:
            own = program.read(_HEAD_BYTES)
        if head[:2] == b"MZ":
            return f"{path} is a Windows library"
        if head[:4] != b"\x7fELF":
            return f"{path} is not a library"
        if len(head) < _HEAD_BYTES:
            return f"{path} is cut short: it has {size} bytes"
        if head[4:6] != own[4:6] or head[18:20] != own[18:20]:
            return f"{path} is for another machine: {_machine(head)}; this one is {_machine(own)}"
        table, entry_bytes, entries = _program_headers(head)
        library.seek(table)
        headers = library.read(entry_bytes * entries)
    if len(headers) < entry_bytes * entries:
        return f"{path} is cut short: it has {size} bytes"
    for at in range(0, len(headers), entry_bytes):
        kind, offset, _, length = _segment(headers[at : at + entry_bytes], head[4])
        if kind in (_PT_LOAD, _PT_DYNAMIC) and offset + length > size:
            return f"{path} is cut short: it has {size} bytes, its contents end at {offset + length}"
    return ""


def search_paths(path: Path) -> list[str]:
    """The directories of its RUNPATH and RPATH, as they are written. Of a library that `why_not_loadable` found nothing wrong with."""
    content = path.read_bytes()
    table, entry_bytes, entries = _program_headers(content)
    ends = range(table, table + entry_bytes * entries, entry_bytes)
    segments = [_segment(content[at : at + entry_bytes], content[4]) for at in ends]
    tags = [pair for kind, at, _, length in segments if kind == _PT_DYNAMIC for pair in _dynamic(content, at, length)]
    texts = next((value for tag, value in tags if tag == _DT_STRTAB), 0)
    found: list[str] = []
    for tag, value in tags:
        if tag in (_DT_RPATH, _DT_RUNPATH):
            for kind, offset, address, length in segments:
                if kind == _PT_LOAD and address <= texts + value < address + length:
                    at = offset + texts + value - address
                    found += os.fsdecode(content[at : content.index(0, at)]).split(":")
    return found


def made_for_python(path: Path) -> str:
    """The version of Python that is in it ("3.11"); "" when there is none."""
    found = re.search(rb"bplugin python (\d+\.\d+)\0", path.read_bytes())
    return found[1].decode() if found else ""


def _dynamic(content: bytes, at: int, length: int) -> Iterator[tuple[int, int]]:
    """(tag, value) up to the end of the table."""
    layout = struct.Struct("=qQ" if content[4] == 2 else "=iI")
    for tag, value in layout.iter_unpack(content[at : at + length - length % layout.size]):
        if tag == _DT_NULL:
            return
        yield tag, value


def _machine(head: bytes) -> str:
    order = "little" if head[5] == 1 else "big"
    number = int.from_bytes(head[18:20], order)  # type: ignore[arg-type]
    return f"{_MACHINES.get(number, f'machine {number}')}, {32 * head[4]}-bit"


def _program_headers(head: bytes) -> tuple[int, int, int]:
    """(offset, bytes each, how many)"""
    if head[4] == 2:
        return *struct.unpack_from("=Q", head, 32), *struct.unpack_from("=HH", head, 54)
    return *struct.unpack_from("=I", head, 28), *struct.unpack_from("=HH", head, 42)


def _segment(header: bytes, width: int) -> tuple[int, int, int, int]:
    """(type, offset in the file, address, bytes in the file)"""
    layout, (kind, offset, address, length) = ("=IIQQQQ", (0, 2, 3, 5)) if width == 2 else ("=IIIII", (0, 1, 2, 4))
    if len(header) < struct.calcsize(layout):
        return 0, 0, 0, 0
    fields = struct.unpack_from(layout, header)
    return fields[kind], fields[offset], fields[address], fields[length]
