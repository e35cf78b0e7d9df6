"""Libraries of Windows, made up byte by byte: what is wrong with one is reported before it is loaded."""

from __future__ import annotations

import platform
import struct
from pathlib import Path

import pytest

from filed.agents.pe import why_not_loadable

OURS = {"x86_64": 0x8664, "AMD64": 0x8664, "aarch64": 0xAA64, "ARM64": 0xAA64}[platform.machine()]
I386, LIBRARY, PROGRAM = 0x014C, 0x2022, 0x0022
CONTENT = 512


def library(machine: int = OURS, kind: int = LIBRARY, signature: bytes = b"PE\0\0") -> bytes:
    """One section of 512 bytes behind 512 bytes of heads."""
    head = struct.pack("<4sHHIIIHH", signature, machine, 1, 0, 0, 0, 240, kind)
    section = struct.pack("<8sIIII16s", b".text", CONTENT, 4096, CONTENT, 512, b"")
    start = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 128)
    return (start.ljust(128, b"\0") + head + bytes(240) + section).ljust(512, b"\0") + bytes(CONTENT)


@pytest.mark.parametrize(
    ("content", "flaw"),
    [
        (library(), ""),
        (library(I386), "is for another machine: i386, 32-bit; this one is"),
        (library(0x1234), "is for another machine: machine 0x1234; this one is"),
        (library(kind=PROGRAM), "is a program, not a library"),
        (library(signature=b"NE\0\0"), "is not a library"),
        (b"\x7fELF" + bytes(60), "is a Linux library"),
        (b"#!/bin/sh\n", "is not a library"),
        (b"", "is not a library"),
    ],
)
def test_what_is_wrong_with_a_library_is_told(tmp_path: Path, content: bytes, flaw: str) -> None:
    path = tmp_path / "agent.dll"
    path.write_bytes(content)
    said = why_not_loadable(path)
    assert (said == "") == (flaw == "")
    assert flaw in said


def test_a_library_that_is_cut_short_anywhere_is_told(tmp_path: Path) -> None:
    whole = library()
    path = tmp_path / "agent.dll"
    for size in range(2, len(whole), 7):
        path.write_bytes(whole[:size])
        assert "is cut short" in why_not_loadable(path), size
