from __future__ import annotations

import contextlib
import ctypes
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.agents.abi import ENTRY, AgentStream, Change, Entry, EntryFlag, EntryType, Status
from filed.agents.page import (
    Page,
    PageReader,
    is_surely_sound,
    join_xattr,
    load,
    name_rule,
    pack_wants,
    split_xattr,
)
from filed.errors import AgentError
from tests.agents.pages import CAP, READER, PageMaker, tlv
from tests.native_host.libraries import native_directory

ENTRY_FIELDS = [*Entry._fields]


@contextlib.contextmanager
def only_violations() -> Iterator[None]:
    """Lets a refusal pass, and nothing else."""
    try:
        yield
    except AgentError as refused:
        if refused.code != Status.E_VIOLATION:
            raise


def refusal(maker: PageMaker, reader: PageReader = READER, **overrides: int) -> str:
    with pytest.raises(AgentError) as refused:
        maker.parse(reader, **overrides)
    assert refused.value.code == Status.E_VIOLATION
    return str(refused.value)


def test_entries_come_back_in_order_with_their_parts() -> None:
    maker = PageMaker()
    maker.add(b"/a/file", inline=b"content", small=[(3, b"\1\0\0\0nv"), (1, b"user::rw-")], size=7)
    maker.add(b"/a/empty", inline=b"")
    maker.add(b"/a/link", link=b"../elsewhere", type=EntryType.SYMLINK, streams=0)
    maker.add(b"/a/new", old_name=b"/a/old", change=Change.RENAMED)
    maker.add(b"/a", type=EntryType.DIRECTORY, streams=0)
    page = maker.parse()
    assert page.names == [b"/a/file", b"/a/empty", b"/a/link", b"/a/new", b"/a"]
    assert [page.name(entry) for entry in page.entries] == page.names
    file, empty, link, new, directory = page.entries
    assert (file.size, bytes(page.inline(file) or b"")) == (7, b"content")
    assert list(page.tlvs(file)) == [(3, b"\1\0\0\0nv"), (1, b"user::rw-")]
    assert page.inline(empty) == b""
    assert page.inline(directory) is None
    assert page.link(link) == b"../elsewhere"
    assert page.link(file) == b""
    assert page.old_name(new) == b"/a/old"
    assert [name for _, name in page] == page.names
    assert len(page) == 5


@pytest.fixture(scope="session")
def native() -> ctypes.CDLL:
    loaded = load(native_directory())
    assert loaded is not None
    return loaded


def surely_sound_said(native: ctypes.CDLL, said: list[bool]) -> PageReader:
    """A reader that notes what C says, and lets Python check each page, too."""

    def note(page: Page, cap: int) -> bool:
        said.append(is_surely_sound(page, cap, native))
        return False

    return PageReader("test 1.0", absolute=True, surely_sound=note)


def test_pages_of_every_day_need_no_other_check(native: ctypes.CDLL) -> None:
    maker = PageMaker()
    maker.add(b"/a/file", inline=b"content", small=[(3, b"\1\0\0\0nv")], size=7)
    maker.add(b"/a/empty", inline=b"")
    maker.add(b"/a/link", link=b"../elsewhere", type=EntryType.SYMLINK, streams=0)
    maker.add(b"/a/..b/.c", type=EntryType.DIRECTORY, streams=0)
    maker.add(b"/a", type=EntryType.DIRECTORY, streams=0, cookie=0)
    said = list[bool]()
    page = maker.parse(surely_sound_said(native, said))
    assert said == [True]
    assert page.first_and_last == (b"/a", b"/a/link")
    assert maker.parse().first_and_last == (min(page.names), max(page.names))


edits = st.tuples(
    st.integers(0, 4),
    st.sampled_from(ENTRY_FIELDS),
    st.one_of(st.integers(0, 8), st.integers(CAP - 200, CAP + 8), st.sampled_from([2**31, 2**32 - 1, 2**63, 10**9])),
)


@given(
    edits=st.lists(edits, max_size=3),
    heap=st.lists(st.tuples(st.integers(1, 120), st.sampled_from(b"/.\0a")), max_size=3),
)
def test_c_passes_no_page_that_python_refuses(
    native: ctypes.CDLL, edits: list[tuple[int, str, int]], heap: list[tuple[int, int]]
) -> None:
    maker = PageMaker()
    maker.add(b"/a/file", inline=b"content", small=[(3, b"\1\0\0\0nv")], size=7)
    maker.add(b"/a/d", type=EntryType.DIRECTORY, streams=0)
    maker.add(b"/a/link", link=b"../elsewhere", type=EntryType.SYMLINK, streams=0)
    maker.add(b"/a/x.y", inline=b"")
    maker.add(b"/a", type=EntryType.DIRECTORY, streams=0)
    records = [list(ENTRY.unpack_from(maker.memory, n * ENTRY.size)) for n in range(maker.count)]
    for number, field, value in edits:
        place = ENTRY_FIELDS.index(field)
        with contextlib.suppress(struct.error):
            changed = [*records[number]]
            changed[place] = value
            ENTRY.pack(*changed)
            records[number] = changed
    for number, record in enumerate(records):
        ENTRY.pack_into(maker.memory, number * ENTRY.size, *record)
    for back, byte in heap:
        maker.memory[CAP - back] = byte
    said = list[bool]()
    try:
        page = maker.parse(surely_sound_said(native, said))
    except AgentError:
        assert said == [False]
    else:
        assert len(page) == 5


def test_a_page_without_entries_is_one() -> None:
    page = PageMaker().parse()
    assert (len(page), page.end, page.complete) == (0, False, False)


def test_what_the_agent_writes_later_is_not_seen() -> None:
    maker = PageMaker().add(b"/name", inline=b"before")
    page = maker.parse()
    maker.memory[:] = bytes(CAP)
    assert page.names == [b"/name"]
    assert page.inline(page.entries[0]) == b"before"


def test_a_wider_record_of_a_later_host_is_read_at_its_stride() -> None:
    narrow = PageMaker().add(b"/one").add(b"/two")
    wide = PageMaker()
    wide.low, wide.memory[narrow.low :] = narrow.low, narrow.memory[narrow.low :]
    stride = ENTRY.size + 16
    for number in range(2):
        record = narrow.memory[number * ENTRY.size : (number + 1) * ENTRY.size]
        wide.memory[number * stride : number * stride + ENTRY.size] = record
    wide.count = 2
    assert wide.parse(stride=stride).names == [b"/one", b"/two"]


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"name_len": 0}, "has no name"),
        ({"name_off": 8}, "name at 8, 5 bytes long, outside the page's heap"),
        ({"name_off": CAP - 4}, "outside the page's heap"),
        ({"name_len": 0xFFFF_FFFF}, "outside the page's heap"),
        ({"link_off": CAP, "link_len": 1, "type": EntryType.SYMLINK, "streams": 0}, "link at"),
        ({"type": EntryType.SYMLINK, "streams": 0}, "leads nowhere"),
        ({"inline_off": CAP + 1}, "inline data at"),
        ({"inline_off": 8}, "inline data at 8"),
        ({"inline_off": CAP, "streams": 0}, "inline data of an entry without data"),
        ({"tlv_off": CAP - 8, "tlv_len": 16}, "small streams at"),
        ({"tlv_off": CAP - 1, "tlv_len": 1}, "not a multiple of 8"),
        ({"old_name_off": CAP - 4, "old_name_len": 4}, "RENAMED and an old name go together"),
        ({"change": Change.RENAMED}, "RENAMED and an old name go together"),
        ({"change": Change.DELETED}, "DELETED entry has streams"),
        ({"change": 3}, "change 3 is unknown"),
        ({"type": 0}, "type 0 is unknown"),
        ({"type": 9}, "type 9 is unknown"),
        ({"type": EntryType.HARDLINK}, "type 4 is unknown or not for a backup"),
        ({"flags": 16}, "flags 0x10"),
        ({"valid": 1 << 13}, "valid 0x2000"),
        ({"streams": 1 << 5}, "streams 0x20"),
        ({"size": 1 << 63}, "2^63"),
        ({"blocks": 1 << 63}, "2^63"),
        *(({f"{time}_ns": 10**9}, "nanoseconds") for time in ("atime", "mtime", "chtime", "btime")),
    ],
)
def test_an_entry_that_breaks_a_rule_is_refused_by_name(fields: dict[str, int], rule: str) -> None:
    maker = PageMaker().add(b"/good").add(b"/bad!", **fields).add(b"/fine")
    text = refusal(maker)
    assert rule in text
    assert text.startswith("agent test 1.0: next_entries: broke the contract: ")


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        (b"relative", "does not start with /"),
        (b"/a//b", "empty part"),
        (b"//", "empty part"),
        (b"/a/", "empty part"),
        (b"/a/./b", "part . or .."),
        (b"/..", "part . or .."),
        (b"/a/..", "part . or .."),
        (b"/.", "part . or .."),
        (b"/a\0b", "NUL"),
    ],
)
def test_a_name_that_breaks_a_rule_is_refused(name: bytes, rule: str) -> None:
    assert rule in refusal(PageMaker().add(b"/good").add(name))
    assert rule in name_rule(name)


@pytest.mark.parametrize(
    "name",
    [b"/", b"/...", b"/.a", b"/a/..b/c..", b"/a.", b"/.../x", b"/\xff\xfe", b"/new\nline", b"/ ", b"/a/ /b", b"/\\"],
)
def test_a_strange_name_is_a_name(name: bytes) -> None:
    assert PageMaker().add(name).add(b"/").parse().names == [name, b"/"]


def test_an_agent_of_plugin_lines_may_use_names_of_its_own_making() -> None:
    reader = PageReader("test 1.0", absolute=False)
    assert PageMaker().add(b"dump.sql").add(b"/x").parse(reader).names == [b"dump.sql", b"/x"]
    assert "part . or .." in refusal(PageMaker().add(b"../dump.sql"), reader)


@pytest.mark.parametrize(
    ("overrides", "rule"),
    [
        ({"count": 257}, "257 entries on a page for 256"),
        ({"count": 2**32 - 1}, "entries on a page"),
        ({"heap_low": CAP + 1}, "behind the page's"),
        ({"heap_low": ENTRY.size - 1}, "inside the 1 records"),
    ],
)
def test_a_frame_that_makes_no_sense_is_refused(overrides: dict[str, int], rule: str) -> None:
    assert rule in refusal(PageMaker().add(b"/one"), **overrides)


def test_a_cookie_is_unique_in_its_page_but_for_the_deleted() -> None:
    assert "cookie 1 is twice" in refusal(PageMaker().add(b"/one", cookie=1).add(b"/two", cookie=1))
    maker = PageMaker().add(b"/one", cookie=1)
    for name in (b"/two", b"/three"):
        maker.add(name, cookie=0, change=Change.DELETED, streams=0, type=0)
    assert len(maker.parse()) == 3


def test_a_link_with_a_nul_is_refused() -> None:
    text = refusal(PageMaker().add(b"/link", link=b"a\0b", type=EntryType.SYMLINK, streams=0))
    assert "link's target holds a NUL, entry /link" in text


def test_an_old_name_keeps_the_rules_of_names() -> None:
    assert "old name: a name has a part" in refusal(PageMaker().add(b"/n", old_name=b"/../o", change=Change.RENAMED))


def test_a_failed_symlink_needs_no_target() -> None:
    assert PageMaker().add(b"/l", type=EntryType.SYMLINK, streams=0, flags=int(EntryFlag.FAILED)).parse().names == [
        b"/l"
    ]


@pytest.mark.parametrize(
    ("area", "rule"),
    [
        (tlv(1, b"x")[:4], "head is cut short"),
        (struct.pack("=II", 1, 9) + bytes(8), "9 bytes is longer than its area"),
        (struct.pack("=II", 1, 0xFFFF_FFFF), "longer than its area"),
        (tlv(4, b"fine") + tlv(77, b""), "stream 77"),
        (tlv(1, b"user::rwx\nall"), "not the text of an ACL"),
        (tlv(3, b"\4\0\0\0nam"), "no proper name, entry /x"),
    ],
)
def test_a_broken_small_stream_is_refused(area: bytes, rule: str) -> None:
    maker = PageMaker()
    at = maker.take(area, 8)
    page = maker.add(b"/x", tlv_off=at, tlv_len=len(area)).parse()
    with pytest.raises(AgentError, match=rule):
        list(page.tlvs(page.entries[0]))


def test_the_last_small_stream_needs_no_padding() -> None:
    maker = PageMaker()
    at = maker.take(struct.pack("=II", 4, 3) + b"abc", 8)
    page = maker.add(b"/x", tlv_off=at, tlv_len=11).parse()
    assert list(page.tlvs(page.entries[0])) == [(4, b"abc")]


NAMES = st.lists(
    st.binary(min_size=1, max_size=8).filter(lambda p: not set(p) & set(b"/\0") and p not in (b".", b".."))
)


@given(st.lists(NAMES.map(lambda parts: b"/" + b"/".join(parts)), max_size=20))
def test_every_proper_name_passes(names: list[bytes]) -> None:
    maker = PageMaker()
    for name in names:
        maker.add(name)
    assert maker.parse().names == names


@given(
    st.lists(st.binary(max_size=12).map(lambda b: b.replace(b"a", b"/").replace(b"b", b".")), min_size=1, max_size=5)
)
def test_the_fast_check_of_names_agrees_with_the_exact_one(names: list[bytes]) -> None:
    maker = PageMaker()
    for name in names:
        maker.add(name)
    if any(name_rule(name) for name in names):
        refusal(maker)
    else:
        assert maker.parse().names == names


EDGES = st.sampled_from([0, 1, 7, 8, 207, 208, 416, CAP - 9, CAP - 8, CAP - 1, CAP, CAP + 1, 2**31, 2**32 - 1])
FIELDS = st.dictionaries(
    st.sampled_from((*Entry._fields[:10], "type", "change", "flags", "mode", "atime_ns")), EDGES, max_size=6
) | st.dictionaries(st.sampled_from(Entry._fields[10:18]), EDGES | st.just(2**64 - 1), max_size=3)


@given(st.lists(FIELDS, min_size=1, max_size=4), EDGES, st.integers(0, 300))
def test_numbers_of_all_kinds_give_a_page_or_a_violation(entries: list[dict[str, int]], low: int, count: int) -> None:
    maker = PageMaker()
    for number, fields in enumerate(entries):
        maker.add(b"/%d" % number, **fields)
    _parse_or_violation(maker, heap_low=low, count=count)
    _parse_or_violation(maker)


@given(st.binary(min_size=CAP // 64, max_size=CAP // 64), st.integers(0, CAP // 64 + 8), st.integers(0, 6))
def test_bytes_of_all_kinds_give_a_page_or_a_violation(content: bytes, low: int, count: int) -> None:
    maker = PageMaker()
    maker.memory = bytearray(content)
    _parse_or_violation(maker, heap_low=low, count=count)


def _parse_or_violation(maker: PageMaker, **overrides: int) -> None:
    with only_violations():
        page = maker.parse(PageReader("test 1.0", absolute=True), **overrides)
        for entry, name in page:
            assert not name_rule(name)
            assert page.name(entry) == name
            inline = page.inline(entry)
            assert inline is None or len(inline) == entry.inline_len
            assert len(page.link(entry)) == entry.link_len
            list(page.tlvs(entry))


@given(st.binary(max_size=64))
def test_small_streams_of_all_kinds_are_read_or_refused(area: bytes) -> None:
    maker = PageMaker()
    page = maker.add(b"/x", tlv_off=maker.take(area, 8), tlv_len=len(area)).parse()
    found: list[tuple[int, bytes]] = []
    with only_violations():
        found += page.tlvs(page.entries[0])
    assert sum(8 + len(data) for _, data in found) <= len(area)


@given(st.binary(min_size=1, max_size=40).filter(lambda n: b"\0" not in n), st.binary(max_size=40))
def test_an_extended_attribute_splits_as_it_was_joined(name: bytes, value: bytes) -> None:
    assert split_xattr(join_xattr(name, value)) == (name, value)


@pytest.mark.parametrize(
    "data", [b"", b"\0\0\0", b"\0\0\0\0value", b"\5\0\0\0abc", b"\1\0\0\0\0", b"\xff\xff\xff\xffx"]
)
def test_what_is_no_extended_attribute_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="extended attribute"):
        split_xattr(data)


def test_wants_are_three_words_each() -> None:
    assert pack_wants([(1, AgentStream.DATA.bit, 0), (2, 8, 5)]) == struct.pack("=6Q", 1, 1, 0, 2, 8, 5)
