"""Whole entries of a restore, given to an agent by the page: a loop in C makes the calls, see `native_host/restore_loop`.

A page holds what the calls are made with, laid out as that file draws it. The loop comes back for all that is not plain success,
and goes on behind it when it is run again. Without the library, on a machine where it was not built, BY_PAGE is False, and nobody makes pages.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from struct import Struct
from typing import Any, NamedTuple

from filed.agents.abi import ENTRY, SIZE_UNKNOWN, AgentStream, BpAgentApi, Entry, Replace
from filed.agents.buffers import Buffer
from filed.process.native import native_library
from filed.process.status_page import Call, Slot

PAGE_BYTES = 1 << 20
PAGE_ENTRIES = 256

_HEAD = Struct("=4I")
_ITEM = Struct(f"{_HEAD.format}{ENTRY.format[1:]}")
_STREAM = Struct("=2I2Q")
_NAMES = Entry._fields.index("old_name_off")  # offsets and lengths of name and link come before
_NO_OTHER_NAMES = (0,) * (Entry._fields.index("cookie") - _NAMES)  # old name, inline data, small streams
_PADDING = tuple(bytes(count) for count in range(8))


class WholeStream(NamedTuple):
    """One stream of a whole entry. announced: its size as it was saved, None when unknown."""

    stream: AgentStream
    announced: int | None
    data: Buffer


class WholePage:
    """Entries, each with its names and its streams, in the order in which they are restored."""

    def __init__(self) -> None:
        self._parts: list[Buffer] = []
        self._ends: list[int] = []  # of each entry
        self._laid_out = b""
        self.size = 0

    def __len__(self) -> int:
        return len(self._ends)

    @property
    def full(self) -> bool:
        return self.size >= PAGE_BYTES or len(self._ends) >= PAGE_ENTRIES

    def add(
        self, fields: tuple[int, ...], name: bytes, link: bytes, dest: bytes, streams: Iterable[WholeStream] = ()
    ) -> None:
        """One entry; HOT. fields: those of an `Entry` from its cookie on. No name may hold a NUL. dest, link: as for `restore_entry`."""
        name_len, link_len, dest_len = len(name), len(link), len(dest)
        link_off = ENTRY.size + name_len + 1
        dest_off = _HEAD.size + link_off + link_len + 1
        padding = -(dest_off + dest_len + 1) & 7
        size = begin = dest_off + dest_len + 1 + padding
        parts: list[Buffer] = [b"", b"%b\0%b\0%b\0%b" % (name, link, dest, _PADDING[padding])]
        for stream, announced, data in streams:
            length = len(data)
            padding = -length & 7
            parts += (
                _STREAM.pack(stream, 0, SIZE_UNKNOWN if announced is None else announced, length),
                data,
                _PADDING[padding],
            )
            size += _STREAM.size + length + padding
        places = (ENTRY.size, name_len, link_off if link else 0, link_len)
        parts[0] = _ITEM.pack(size, begin, dest_off, dest_len, *places, *_NO_OTHER_NAMES, *fields)
        self._parts += parts
        self.size += size
        self._ends.append(self.size)

    def add_laid_out(self, entries: bytes, ends: Iterable[int]) -> None:
        """Entries that are as the loop reads them already. ends: where each ends in `entries`."""
        self._parts.append(entries)
        self._ends += [self.size + end for end in ends]
        self.size += len(entries)

    def laid_out(self) -> bytes:
        """As the loop reads it."""
        if self._parts:
            self._laid_out = b"".join((self._laid_out, *self._parts)) if self._laid_out else b"".join(self._parts)
            self._parts = []
        return self._laid_out

    def begin_of(self, number: int) -> int:
        return self._ends[number - 1] if number else 0

    def number_at(self, begin: int) -> int:
        """Which entry begins there?"""
        return self._ends.index(begin) + 1 if begin else 0

    def dest(self, number: int) -> bytes:
        """The final path of an entry."""
        page, begin = self.laid_out(), self.begin_of(number)
        _, _, at, length = _HEAD.unpack_from(page, begin)
        return page[begin + at : begin + at + length]

    def name(self, number: int) -> bytes:
        """Its name as the agent listed it, without a slash at the end."""
        page, begin = self.laid_out(), self.begin_of(number) + _HEAD.size
        at, length, *_ = ENTRY.unpack_from(page, begin)
        return page[begin + at : begin + at + length]

    def content(self, number: int) -> memoryview | None:
        """None where none is stored."""
        page, begin = self.laid_out(), self.begin_of(number)
        size, at, _, _ = _HEAD.unpack_from(page, begin)
        while at < size:
            stream, _, _, length = _STREAM.unpack_from(page, begin + at)
            at += _STREAM.size
            if stream == AgentStream.DATA:
                return memoryview(page)[begin + at : begin + at + length]
            at += length + (-length & 7)
        return None


class _Handing(ctypes.Structure):
    """`restore_loop` of native_host/restore_loop/restore_loop.c."""

    next: int
    item: int
    status: int
    action: int
    number: int
    untaken: int
    _fields_ = (
        ("api", ctypes.c_void_p),
        ("job", ctypes.c_void_p),
        ("status_page", ctypes.c_void_p),
        ("trouble", ctypes.c_void_p),
        ("slot_bits", ctypes.c_uint64),
        ("pid", ctypes.c_int32),
        ("replace", ctypes.c_uint32),
        ("at", ctypes.c_uint64),
        ("stream", ctypes.c_uint64),
        ("next", ctypes.c_uint32),
        ("wants_data", ctypes.c_uint32),
        ("item", ctypes.c_uint64),
        ("status", ctypes.c_int32),
        ("action", ctypes.c_uint32),
        ("number", ctypes.c_uint64),
        ("restored", ctypes.c_uint64),
        ("skipped", ctypes.c_uint64),
        ("bytes", ctypes.c_uint64),
        ("untaken", ctypes.c_uint64),
    )


class Handed(NamedTuple):
    """So far, of one Job of an agent. read: bytes of content of what the agent wanted."""

    restored: int
    skipped: int
    read: int


class RestoreLoop:
    """The loop, for one Job of an agent: `start` a page, then `run` until it says that nothing is left."""

    def __init__(self, api: BpAgentApi, job: int, status_page: int, trouble: int, slot: Slot) -> None:
        """Addresses of the agent's bp_job, of the status page, and of the word that is set when a callback has something to say."""
        self._api = api  # the loop calls through it
        self._state = _Handing(ctypes.addressof(api), job, status_page, trouble, slot << 16, os.getpid())
        self._state_at = ctypes.addressof(self._state)
        self._page, self._bytes, self._end = WholePage(), b"", 0

    def start(self, page: WholePage, replace: Replace, first: int, end: int) -> None:
        """Entries first..end-1 of the page."""
        self._page, self._bytes, self._end = page, page.laid_out(), page.begin_of(end)
        self._state.at, self._state.next = page.begin_of(first), Call.restore_entry
        self._state.replace = replace

    def run(self) -> int:
        """Makes calls, until one is to be judged: returns which `Call` that was; 0: all is done. Without the GIL."""
        assert LOOP is not None
        call: int = LOOP(self._state_at, self._bytes, self._end)
        return call

    def skip(self) -> None:
        """What is left of the entry at hand is not to be done."""
        if self.entered:
            self._state.at = self._page.begin_of(self.number + 1)
            self._state.next = Call.restore_entry

    @property
    def number(self) -> int:
        """The entry that the last call was about."""
        return self._page.number_at(self._state.item)

    @property
    def entered(self) -> bool:
        """Is an entry prepared whose restore_done was not called?"""
        return self._state.next != Call.restore_entry

    @property
    def stream(self) -> int:
        """Of the last call, when that was restore_stream."""
        return self._state.number

    @property
    def status(self) -> int:
        return self._state.status

    @property
    def action(self) -> int:
        return self._state.action

    @property
    def untaken(self) -> int:
        """Bytes of content of the last entry, which the agent made and wants no content for."""
        return self._state.untaken

    @property
    def handed(self) -> Handed:
        return Handed(self._state.restored, self._state.skipped, self._state.bytes)


def _load() -> Any:
    library = native_library("restore_loop")
    if library is None:
        return None
    loop = library.hand_over
    loop.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint64)
    loop.restype = ctypes.c_uint32
    return loop


LOOP = _load()
BY_PAGE = LOOP is not None
