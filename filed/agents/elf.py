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
from typing import BinaryIO

_MACHINES = {3: "i386", 21: "ppc64", 22: "s390", 40: "arm", 62: "x86-64", 183: "aarch64", 243: "riscv"}
_HEAD_BYTES = 64
_PT_LOAD, _PT_DYNAMIC, _PT_NOTE = 1, 2, 4
_NOTE_OF_GO = struct.Struct("=III4s")  # length of the name, length of what follows, type; the linker of Go writes one
_GO = b"Go\0\0"
_MOST_NOTES = 64 << 10
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
        segments = [_segment(headers[at : at + entry_bytes], head[4]) for at in range(0, len(headers), entry_bytes)]
        for kind, offset, _, length in segments:
            if kind in (_PT_LOAD, _PT_DYNAMIC) and offset + length > size:
                return f"{path} is cut short: it has {size} bytes, its contents end at {offset + length}"
        inside = [(offset, length) for kind, offset, _, length in segments if kind == _PT_NOTE and offset < size]
        if any(_is_of_go(_at(library, offset, length)) for offset, length in inside):
            return (
                f"{path} is written in Go, whose runtime takes the signal handlers of the process and never lets go of"
                " its threads: build it as a program, and run that by an agent in C, C++ or Rust, or by the agent pipe"
            )
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


def _at(library: BinaryIO, offset: int, length: int) -> bytes:
    library.seek(offset)
    return library.read(min(length, _MOST_NOTES))


def _is_of_go(notes: bytes) -> bool:
    """Notes, one after another, each part of them a multiple of 4 long."""
    at = 0
    while at + _NOTE_OF_GO.size <= len(notes):
        name, rest, _, text = _NOTE_OF_GO.unpack_from(notes, at)
        if name == len(_GO) and text == _GO:
            return True
        at += 12 + (name + 3 & ~3) + (rest + 3 & ~3)
    return False


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
