"""Builds pages as an agent would, right or wrong."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from filed.agents.abi import ENTRY, AgentStream, Entry, EntryType, Has
from filed.agents.page import Page, PageReader

CAP = 64 << 10
READER = PageReader("test 1.0", absolute=True)


def tlv(stream: int, data: bytes) -> bytes:
    return struct.pack("=II", stream, len(data)) + data + bytes(-len(data) % 8)


class PageMaker:
    """`add` puts an entry and its parts into the page; fields given by name win over what was placed."""

    def __init__(self, cap: int = CAP) -> None:
        self.memory = bytearray(cap)
        self.low = cap
        self.count = 0

    def take(self, data: bytes, align: int = 1) -> int:
        self.low = (self.low - len(data)) // align * align
        self.memory[self.low : self.low + len(data)] = data
        return self.low

    def add(
        self,
        name: bytes,
        *,
        link: bytes = b"",
        old_name: bytes = b"",
        inline: bytes | None = None,
        small: Iterable[tuple[int, bytes]] = (),
        **fields: int,
    ) -> PageMaker:
        parts = {"name_off": self.take(name), "name_len": len(name)}
        if link:
            parts |= {"link_off": self.take(link), "link_len": len(link)}
        if old_name:
            parts |= {"old_name_off": self.take(old_name), "old_name_len": len(old_name)}
        if inline is not None:
            parts |= {"inline_off": self.take(inline), "inline_len": len(inline)}
        area = b"".join(tlv(stream, data) for stream, data in small)
        if area:
            parts |= {"tlv_off": self.take(area, 8), "tlv_len": len(area)}
        plain = {
            "type": EntryType.REGULAR,
            "cookie": self.count + 1,
            "streams": AgentStream.DATA.bit,
            "valid": int(Has.SIZE),
        }
        entry = Entry(**plain | parts | fields)
        ENTRY.pack_into(self.memory, self.count * ENTRY.size, *entry)
        self.count += 1
        return self

    def parse(self, reader: PageReader = READER, **overrides: int) -> Page:
        numbers = {"stride": ENTRY.size, "max_entries": 256, "count": self.count, "heap_low": self.low} | overrides
        return reader.parse("next_entries", memoryview(self.memory), **numbers)
