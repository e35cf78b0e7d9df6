"""What an agent wrote into a page: parsed and checked as if it came from an attacker.

A page is the host's memory. Records (`bp_entry`, fixed stride) stand at its start, a heap of names and data at its end:

    | record 0 | record 1 | ... | free | heap ...                        |
    0          stride              heap_low                             cap

Records and heap are copied once, before anything is looked at, so nothing an agent's thread writes later can be seen. What most pages are like,
a loop in C sees (`native_host/page_check`): they keep all rules. All others, and each page where that library is not there, are checked here, column by
column, about 1 us an entry in all; only when one of the checks trips are entries looked at one by one, to name the rule. Any page that breaks a
rule raises AgentError with E_VIOLATION, whatever the bytes; nothing else is raised.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterable, Iterator
from operator import add, itemgetter
from pathlib import Path
from struct import Struct
from typing import NoReturn

from filed.agents.abi import (
    ENTRY,
    STREAM_MASK,
    AgentStream,
    Change,
    Entry,
    EntryAt,
    EntryFlag,
    EntryType,
    Has,
    Status,
)
from filed.errors import AgentError, LocalProtocolError
from filed.process.native import DIRECTORY, native_library
from filed.wire.acl import pack_acl

# Agents report sizes as u64; what comes after us (files, databases, the wire) counts in i64.
MAX_SIZE = 2**63 - 1
NSEC_PER_S = 10**9
TLV_HEAD = Struct("=II")
XATTR_HEAD = Struct("=I")

# Of names between NULs: an empty part, a / at the end, a part . or ..
_SUSPICIOUS = re.compile(rb"/(?:[/\0]|\.\.?[/\0])").search
_VALID_MASK = sum(Has)
_FLAGS_MASK = sum(EntryFlag)
_BACKUP_TYPES = frozenset(EntryType) - {EntryType.HARDLINK}
_kind_of = itemgetter(
    Entry._fields.index("streams"),
    Entry._fields.index("valid"),
    Entry._fields.index("type"),
    Entry._fields.index("change"),
    Entry._fields.index("flags"),
)
# Columns of a record, as u32 or u64 words; the length of each part stands behind its offset.
_NAME, _LINK, _OLD_NAME = EntryAt.name_off // 4, EntryAt.link_off // 4, EntryAt.old_name_off // 4
_INLINE, _TLV = EntryAt.inline_off // 4, EntryAt.tlv_off // 4
_TYPE, _CHANGE = EntryAt.type // 4, EntryAt.change // 4
_STREAMS_U64, _SIZE_U64, _BLOCKS_U64 = EntryAt.streams // 8, EntryAt.size // 8, EntryAt.blocks // 8
_NSEC = tuple(at // 4 for at in (EntryAt.atime_ns, EntryAt.mtime_ns, EntryAt.chtime_ns, EntryAt.btime_ns))


class Page:
    """The entries of one answer of `next_entries` or `fetch`, in the agent's order.

    names: of each entry, at the same index. end: BP_END came with it. complete: and every name was listed, so what only
    the base has of this agent's claims is deleted. Everything handed out is a copy and stays valid.

    records, stride, heap, low: the copy itself, for code that looks at all entries at once; offsets of entries count from `low` bytes
    before the heap. Entries and names are made of it when they are asked for first.
    """

    __slots__ = ("_agent", "_call", "_entries", "_names", "complete", "end", "heap", "low", "records", "stride")

    def __init__(
        self,
        *,
        agent: str,
        call: str,
        records: bytes,
        stride: int,
        heap: bytes,
        low: int,
        end: bool,
        complete: bool,
    ) -> None:
        self._agent, self._call = agent, call
        self.records, self.stride = records, stride
        self.heap, self.low = heap, low
        self.end, self.complete = end, complete
        self._entries: list[Entry] | None = None
        self._names: list[bytes] | None = None

    @property
    def entries(self) -> list[Entry]:
        if self._entries is None:
            self._entries = _entries(self.records, self.stride)
        return self._entries

    @property
    def names(self) -> list[bytes]:
        if self._names is None:
            heap, low = self.heap, self.low
            self._names = [heap[off - low : off - low + length] for off, length in map(_name_of, self.entries)]
        return self._names

    @property
    def first_and_last(self) -> tuple[bytes, bytes]:
        """Of the names in their order. Not of an empty page."""
        if self._names is None and _NATIVE is not None:
            places = (ctypes.c_uint32 * 2)()
            _NATIVE.first_and_last(self.records, len(self), self.stride, self.heap, self.low, places)
            words, step = memoryview(self.records).cast("I"), self.stride // 4
            first, last = (self._slice(words[step * n + _NAME], words[step * n + _NAME + 1]) for n in places)
            return first, last
        return min(self.names), max(self.names)

    def without(self, places: bytes) -> Page:
        """The same without those entries whose byte is not 0."""
        records, stride = self.records, self.stride
        left = b"".join(records[n * stride : (n + 1) * stride] for n, gone in enumerate(places) if not gone)
        return Page(
            agent=self._agent,
            call=self._call,
            records=left,
            stride=stride,
            heap=self.heap,
            low=self.low,
            end=self.end,
            complete=self.complete,
        )

    def __len__(self) -> int:
        return len(self.records) // self.stride

    def __iter__(self) -> Iterator[tuple[Entry, bytes]]:
        return zip(self.entries, self.names, strict=True)

    def name(self, entry: Entry) -> bytes:
        return self._slice(entry.name_off, entry.name_len)

    def link(self, entry: Entry) -> bytes:
        return self._slice(entry.link_off, entry.link_len)

    def old_name(self, entry: Entry) -> bytes:
        return self._slice(entry.old_name_off, entry.old_name_len)

    def inline(self, entry: Entry) -> memoryview | None:
        """The entry's whole data when it travelled in the page, else None. An empty file is an empty view."""
        if not entry.inline_off:
            return None
        at = entry.inline_off - self.low
        return memoryview(self.heap)[at : at + entry.inline_len]

    def tlvs(self, entry: Entry) -> Iterator[tuple[int, bytes]]:
        """The small streams that came along: (number, bytes), in order. Raises AgentError at the first broken one."""
        area = self._slice(entry.tlv_off, entry.tlv_len)
        at = 0
        while at < len(area):
            if len(area) - at < TLV_HEAD.size:
                self._violated("a small stream's head is cut short", entry)
            stream, length = TLV_HEAD.unpack_from(area, at)
            at += TLV_HEAD.size
            if length > len(area) - at:
                self._violated(f"a small stream of {length} bytes is longer than its area", entry)
            if not STREAM_MASK >> stream & 1:
                self._violated(f"stream {stream} is not one of this version", entry)
            data = area[at : at + length]
            rule = _content_rule(stream, data)
            if rule:
                self._violated(rule, entry)
            yield stream, data
            at += length + (-length % 8)

    def _slice(self, offset: int, length: int) -> bytes:
        return self.heap[offset - self.low : offset - self.low + length] if length else b""

    def _violated(self, rule: str, entry: Entry) -> NoReturn:
        violated(self._agent, self._call, rule, self.name(entry))


def violated(agent: str, call: str, rule: str, entry: bytes = b"") -> NoReturn:
    raise AgentError(agent, call, Status.E_VIOLATION, f"broke the contract: {rule}", entry)


def load(directory: Path = DIRECTORY) -> ctypes.CDLL | None:
    """The checks in C; None on a machine where they were not built."""
    loaded = native_library("page_check", directory)
    if loaded is None:
        return None
    page = (ctypes.c_char_p, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_char_p, ctypes.c_uint32)
    loaded.page_is_sound.argtypes = (*page, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint32)
    loaded.page_is_sound.restype = ctypes.c_int
    loaded.first_and_last.argtypes = (*page, ctypes.POINTER(ctypes.c_uint32))
    loaded.first_and_last.restype = None
    return loaded


_NATIVE = load()


def is_surely_sound(page: Page, cap: int, native: ctypes.CDLL | None = _NATIVE) -> bool:
    """Whether a page of absolute names keeps all rules, as far as C can tell: False says nothing. cap: where the page ends."""
    return native is not None and bool(
        native.page_is_sound(
            *(page.records, len(page), page.stride, page.heap, page.low, cap),
            *(STREAM_MASK, _VALID_MASK, _FLAGS_MASK),
        )
    )


class PageReader:
    """Parses and checks the pages of one agent.

    absolute: its names must start with `/`; so for every agent that takes `File =` lines.  surely_sound: may say that a page needs no check.
    """

    def __init__(
        self, agent: str, *, absolute: bool, surely_sound: Callable[[Page, int], bool] = is_surely_sound
    ) -> None:
        self._agent = agent
        self._absolute = absolute
        self._surely_sound = surely_sound
        self._known_kinds: set[tuple[int, ...]] = set()

    def violated(self, call: str, rule: str, entry: bytes = b"") -> NoReturn:
        violated(self._agent, call, rule, entry)

    def parse(
        self,
        call: str,
        page: memoryview,
        *,
        stride: int,
        max_entries: int,
        count: int,
        heap_low: int,
        end: bool = False,
        complete: bool = False,
    ) -> Page:
        """page: all of it, as bytes. count, heap_low: as the agent left them."""
        if count > max_entries:
            violated(self._agent, call, f"{count} entries on a page for {max_entries}")
        if heap_low > len(page):
            violated(self._agent, call, f"the heap starts at {heap_low}, behind the page's {len(page)} bytes")
        if count * stride > heap_low:
            violated(self._agent, call, f"the heap starts at {heap_low}, inside the {count} records")
        page_ = Page(
            agent=self._agent,
            call=call,
            records=bytes(page[: count * stride]),
            stride=stride,
            heap=bytes(page[heap_low:]) if count else b"",
            low=heap_low,
            end=end,
            complete=complete,
        )
        if count and not self._surely_sound(page_, len(page)):
            self._check(call, page_, len(page))
        return page_

    def _check(self, call: str, page: Page, cap: int) -> None:
        """All rules, whatever was looked at before. cap: where the page ends."""
        entries = page.entries
        words = memoryview(page.records).cast("I")
        step = page.stride // 4
        if not self._sound(words, step, entries, page.low, cap):
            self._explain(call, entries, page.heap, page.low, cap)
        if not self._proper(page.names):
            for name in page.names:
                rule = _name_rule(name, absolute=self._absolute)
                if rule:
                    violated(self._agent, call, rule, name)
        if len(set(map(_cookie_of, entries))) != len(page):
            self._check_cookies(call, page)
        if any(words[_LINK + 1 :: step].tolist()) or any(words[_OLD_NAME + 1 :: step].tolist()):
            self._check_links(call, page)

    def _sound(self, words: memoryview, step: int, entries: list[Entry], low: int, cap: int) -> bool:
        """Do all numbers of all entries keep the rules? Says only yes or no, fast."""
        longs = words.cast("B").cast("Q")
        kinds = set(map(_kind_of, entries))
        if not kinds <= self._known_kinds:
            if any(_kind_rule(*kind) for kind in kinds):
                return False
            if len(self._known_kinds) < 1000:  # no agent that is not hostile has so many
                self._known_kinds |= kinds
        if max(max(words[column::step].tolist()) for column in _NSEC) >= NSEC_PER_S:
            return False
        if (
            max(longs[_SIZE_U64 :: step // 2].tolist()) > MAX_SIZE
            or max(longs[_BLOCKS_U64 :: step // 2].tolist()) > MAX_SIZE
        ):
            return False
        offsets, lengths = words[_NAME::step].tolist(), words[_NAME + 1 :: step].tolist()
        if min(lengths) == 0 or min(offsets) < low or max(map(add, offsets, lengths)) > cap:
            return False
        symlinks = words[_TYPE::step].tolist().count(EntryType.SYMLINK)
        if symlinks and not all(map(_has_its_link, entries)):
            return False
        renamed = words[_CHANGE::step].tolist().count(Change.RENAMED)
        if renamed != sum(map(bool, words[_OLD_NAME + 1 :: step].tolist())):
            return False
        for column in (_LINK, _OLD_NAME, _INLINE, _TLV):
            # Zero is "none", of the offset for inline data, which may be empty; a page without any costs one scan.
            if any(words[column + (column != _INLINE) :: step].tolist()):
                lengths = words[column + 1 :: step].tolist()
                offsets = words[column::step].tolist()
                for offset, length in zip(offsets, lengths, strict=True):
                    used = offset if column == _INLINE else length
                    if used and not low <= offset <= offset + length <= cap:
                        return False
                if column == _TLV and any(o % 8 for o, n in zip(offsets, lengths, strict=True) if n):
                    return False
                if column == _INLINE:
                    streams = longs[_STREAMS_U64 :: step // 2].tolist()
                    if any(o and not s & AgentStream.DATA.bit for o, s in zip(offsets, streams, strict=True)):
                        return False
        return True

    def _proper(self, names: list[bytes]) -> bool:
        """Are all names surely well-formed? False may be a false alarm, for "/" alone or a relative name."""
        joined = b"\0" + b"\0".join(names) + b"\0"
        return joined.count(b"\0") == len(names) + 1 and joined.count(b"\0/") == len(names) and not _SUSPICIOUS(joined)

    def _explain(self, call: str, entries: list[Entry], heap: bytes, low: int, cap: int) -> NoReturn:
        for entry in entries:
            rule = _entry_rule(entry, low, cap)
            if rule:
                inside = low <= entry.name_off and entry.name_off + entry.name_len <= cap
                name = heap[entry.name_off - low : entry.name_off - low + entry.name_len] if inside else b""
                violated(self._agent, call, rule, name)
        raise AssertionError("the fast and the exact checks disagree")

    def _check_cookies(self, call: str, page: Page) -> None:
        """Unique in the page, but for what nobody will ever ask for."""
        seen: set[int] = set()
        for entry, name in page:
            if entry.change != Change.DELETED:
                if entry.cookie in seen:
                    violated(self._agent, call, f"cookie {entry.cookie} is twice on its page", name)
                seen.add(entry.cookie)

    def _check_links(self, call: str, page: Page) -> None:
        for entry, name in page:
            if entry.link_len and b"\0" in page.link(entry):
                violated(self._agent, call, "a link's target holds a NUL", name)
            if entry.old_name_len:
                rule = _name_rule(page.old_name(entry), absolute=self._absolute)
                if rule:
                    violated(self._agent, call, f"old name: {rule}", name)


_name_of = itemgetter(Entry._fields.index("name_off"), Entry._fields.index("name_len"))
_cookie_of = itemgetter(Entry._fields.index("cookie"))


def _entries(records: bytes, stride: int) -> list[Entry]:
    layout = ENTRY if stride == ENTRY.size else Struct(f"{ENTRY.format}{stride - ENTRY.size}x")
    return list(map(Entry._make, layout.iter_unpack(records)))


def _has_its_link(entry: Entry) -> bool:
    return bool(
        entry.type != EntryType.SYMLINK
        or entry.link_len
        or entry.flags & EntryFlag.FAILED
        or entry.change == Change.DELETED
    )


def _entry_rule(entry: Entry, low: int, cap: int) -> str:
    """The first rule that an entry's numbers break; "" for none."""
    rule = _kind_rule(*_kind_of(entry))
    if rule:
        return rule
    if max(entry.atime_ns, entry.mtime_ns, entry.chtime_ns, entry.btime_ns) >= NSEC_PER_S:
        return "a time has a thousand million nanoseconds or more"
    if entry.size > MAX_SIZE or entry.blocks > MAX_SIZE:
        return "size or blocks is not below 2^63"
    if not entry.name_len:
        return "an entry has no name"
    if not _has_its_link(entry):
        return "a symbolic link leads nowhere"
    if entry.tlv_off % 8 and entry.tlv_len:
        return f"small streams at {entry.tlv_off}, not a multiple of 8"
    if entry.inline_off and not entry.streams & AgentStream.DATA.bit:
        return "inline data of an entry without data"
    if (entry.change == Change.RENAMED) != bool(entry.old_name_len):
        return "RENAMED and an old name go together"
    for what, offset, length in (
        ("name", entry.name_off, entry.name_len),
        ("link", entry.link_off, entry.link_len),
        ("old name", entry.old_name_off, entry.old_name_len),
        ("inline data", entry.inline_off, entry.inline_len),
        ("small streams", entry.tlv_off, entry.tlv_len),
    ):
        used = offset if what == "inline data" else length
        if used and not low <= offset <= offset + length <= cap:
            return f"{what} at {offset}, {length} bytes long, outside the page's heap ({low} to {cap})"
    return ""


def _kind_rule(streams: int, valid: int, kind: int, change: int, flags: int) -> str:
    if streams & ~STREAM_MASK:
        return f"streams {streams:#x} has bits that this version does not know"
    if valid & ~_VALID_MASK:
        return f"valid {valid:#x} has bits that this version does not know"
    if change not in _CHANGES:
        return f"change {change} is unknown"
    if kind not in _BACKUP_TYPES and not (kind == 0 and change == Change.DELETED):
        return f"type {kind} is unknown or not for a backup"
    if change == Change.DELETED and streams:
        return "a DELETED entry has streams"
    if flags & ~_FLAGS_MASK:
        return f"flags {flags:#x} has bits that this version does not know"
    return ""


_CHANGES = frozenset(Change)


def _content_rule(stream: int, data: bytes) -> str:
    """The rule that a small stream's content breaks; "" for none."""
    try:
        if stream == AgentStream.XATTR:
            split_xattr(data)
        elif stream in (AgentStream.ACL_ACCESS, AgentStream.ACL_DEFAULT):
            pack_acl(data)
    except (ValueError, LocalProtocolError) as error:
        return str(error)
    return ""


def _name_rule(name: bytes, *, absolute: bool) -> str:
    """The first rule that a name breaks; "" for none."""
    if not name:
        return "an entry has no name"
    if b"\0" in name:
        return "a name holds a NUL"
    if not name.startswith(b"/"):
        if absolute:
            return "a name does not start with /"
        name = b"/" + name
    if name == b"/":
        return ""
    parts = name[1:].split(b"/")
    if b"" in parts:
        return "a name has an empty part, such as // or a / at its end"
    if b"." in parts or b".." in parts:
        return "a name has a part . or .."
    return ""


def name_rule(name: bytes, *, absolute: bool = True) -> str:
    """The first rule of the contract that a name breaks, as text; "" for none."""
    return _name_rule(name, absolute=absolute)


def split_xattr(data: bytes) -> tuple[bytes, bytes]:
    """(name, value) of one XATTR stream. Raises ValueError when it is none."""
    if len(data) < XATTR_HEAD.size:
        raise ValueError("an extended attribute is cut short")
    (length,) = XATTR_HEAD.unpack_from(data)
    name = data[XATTR_HEAD.size : XATTR_HEAD.size + length]
    if not length or len(name) != length or b"\0" in name:
        raise ValueError("an extended attribute has no proper name")
    return name, data[XATTR_HEAD.size + length :]


def join_xattr(name: bytes, value: bytes) -> bytes:
    return XATTR_HEAD.pack(len(name)) + name + value


def pack_wants(wants: Iterable[tuple[int, int, int]]) -> bytes:
    """`bp_want` records of (cookie, streams, options)."""
    flat = [number for want in wants for number in want]
    return Struct(f"={len(flat)}Q").pack(*flat)
