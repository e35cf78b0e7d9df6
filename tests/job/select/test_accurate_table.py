"""The table that C makes of a Director's list, and what it leaves out of a page: as the list in SQLite and the rules in Python have it."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from filed.agents.abi import ENTRY, AgentStream, Entry, EntryFlag, EntryType, Has
from filed.agents.page import Page
from filed.catalog import BaseRow
from filed.errors import CatalogError, RemoteProtocolError
from filed.fileset import Options
from filed.job.select.accurate import DiffersFrom
from filed.job.select.accurate_list import append_packet, list_in_sqlite
from filed.job.select.accurate_table import AccurateTable, BadEntryError, load
from filed.job.select.chosen import stored_path
from filed.wire.attributes import Stat, encode_stat
from tests.agents.pages import PageMaker
from tests.native_host.libraries import native_directory

LSTAT = b"P4A IOv0 IGk B A A A EAAC BAA I BrBBIG BrBBGe BrBBGe A A C"
SMALL_RUN = 300  # bytes of entries that are sorted at once: a handful


@pytest.fixture(scope="session")
def library() -> ctypes.CDLL:
    loaded = load(native_directory())
    assert loaded is not None
    return loaded


@contextmanager
def list_file(packets: list[bytes]) -> Iterator[Path]:
    with TemporaryDirectory() as name:
        path = Path(name, "list")
        with path.open("wb") as file:
            for packet in packets:
                append_packet(file, packet)
        yield path


def without_number(row: BaseRow | None) -> tuple[object, ...] | None:
    return None if row is None else row[1:]


numbers = st.one_of(
    st.integers(-3, 3), st.integers(-(1 << 63), (1 << 63) - 1), st.sampled_from([1_700_000_000, 0o100644])
)
stats = st.one_of(
    st.just(LSTAT),
    st.lists(numbers, min_size=16, max_size=16).map(encode_stat),
    st.lists(st.sampled_from([b"A", b"-B", b"BrBBGe", b"/////////", b"P//////////"]), min_size=12, max_size=26).map(
        b" ".join
    ),
    st.sampled_from(
        [b"", b"A", LSTAT + b" A A A", LSTAT + b" ", b" " + LSTAT, LSTAT.replace(b"IGk", b"I=k"), b"A" * 13]
    ),
)
paths = st.one_of(
    st.sampled_from([b"/", b"/a", b"/a/", b"/a/b", b"/a/b/", b"/a.b", b"/a\xff"]),
    st.binary(max_size=6).map(lambda tail: b"/" + tail.replace(b"\0", b"")),
    st.integers(1, 8000).map(b"/long".__mul__),
)
digests = st.one_of(
    st.just(b"0"), st.just(b""), st.just(b"J7/v4niFXPssE/AnQKOpgtveH1Y"), st.binary(max_size=24), st.just(b"A" * 22)
)
good = st.builds(
    lambda path, stat, rest: b"\0".join([path, stat, *rest]),
    paths,
    st.lists(st.integers(-2, 1 << 40), min_size=16, max_size=16).map(encode_stat),
    st.lists(digests.map(lambda text: text.replace(b"\0", b"")), max_size=3),
)
any_packet = st.one_of(good, st.builds(lambda path, stat: path + b"\0" + stat, paths, stats), st.binary(max_size=80))


@given(
    packets=st.lists(good, max_size=40),
    run_bytes=st.sampled_from([SMALL_RUN, 16 << 20]),
    asked=st.lists(paths, max_size=9),
    below=st.sampled_from([b"/", b"/a/", b"/a/b/", b"/long/"]),
    failed=st.lists(st.sampled_from([b"/", b"/a", b"/a/b", b"/nothing"]), max_size=2),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_the_table_answers_as_the_list_in_sqlite_does(  # noqa: PLR0917  of one example
    library: ctypes.CDLL,
    packets: list[bytes],
    run_bytes: int,
    asked: list[bytes],
    below: bytes,
    failed: list[bytes],
) -> None:
    known = [packet.split(b"\0")[0] for packet in packets]
    asked = [*asked, *known, *reversed(known)]
    with (
        list_file(packets) as path,
        list_in_sqlite(path, path.parent) as expected,
        AccurateTable.of_list(library, path, path.parent, run_bytes) as table,
    ):
        assert len(table) == len(expected)
        rows, wanted = table.lookup(asked), expected.lookup(asked)
        assert list(map(without_number, rows)) == list(map(without_number, wanted))
        for row, other in zip(rows[::3], wanted[::3], strict=True):
            if row is not None and other is not None:
                table.mark_seen(row.number)
                expected.mark_seen(other.number)
        for row, other in zip(rows[::9], wanted[::9], strict=True):
            if row is not None and other is not None:
                table.unmark(row.number)
                expected.unmark(other.number)
        for one, another in (
            (table.seen(), expected.seen()),
            (table.unseen(failed), expected.unseen(failed)),
            (table.unseen(), expected.unseen()),
            (table.below(below), expected.below(below)),
        ):
            assert list(map(without_number, one)) == list(map(without_number, another))


@given(packets=st.lists(any_packet, max_size=8))
@settings(deadline=None)
def test_what_is_no_entry_is_none_for_both(library: ctypes.CDLL, packets: list[bytes]) -> None:
    with list_file(packets) as path:
        try:
            list_in_sqlite(path, path.parent).close()
        except RemoteProtocolError:
            with pytest.raises(BadEntryError):
                AccurateTable.of_list(library, path, path.parent)
        else:
            AccurateTable.of_list(library, path, path.parent).close()


def test_a_table_leaves_nothing_behind_and_refuses_after_its_end(library: ctypes.CDLL, tmp_path: Path) -> None:
    with list_file([b"/a\0" + LSTAT]) as path:
        table = AccurateTable.of_list(library, path, tmp_path)
        assert list(tmp_path.iterdir()) == []
        rows = table.unseen()
        table.close()
        table.close()
        for ask in (lambda: next(rows), lambda: table.lookup([b"/a"]), lambda: table.mark_seen(0), lambda: len(table)):
            with pytest.raises(CatalogError, match="closed"):
                ask()


def test_many_blocks_are_found_in_any_order(library: ctypes.CDLL) -> None:
    """More than the table holds at once."""
    names = [b"/%06d" % (number * 7919 % 5000) for number in range(5000)]
    with (
        list_file([name + b"\0" + LSTAT for name in names]) as path,
        AccurateTable.of_list(library, path, path.parent, 4096) as table,
    ):
        assert [row and row.path for row in table.lookup(names)] == names
        assert [row.path for row in table.unseen()] == sorted(names)


# ---- what is left out of a page -----------------------------------------------------------------------------------

ALL_VALID = int(Has.MODE | Has.OWNER | Has.SIZE | Has.BLOCKS | Has.INO | Has.NLINK | Has.ATIME | Has.MTIME | Has.CHTIME)
FIELDS = {"size": 5, "ino": 9, "mode": 0o644, "nlink": 1, "uid": 0, "gid": 7, "atime": 1, "mtime": 2, "chtime": 3}
PLACES = {"size": "size", "ino": "ino", "mode": "mode", "nlink": "nlink", "uid": "uid", "gid": "gid"} | {
    "atime": "atime",
    "mtime": "mtime",
    "chtime": "ctime",
}
WITH_DATA = {"type": EntryType.REGULAR, "streams": AgentStream.DATA.bit, "flags": int(EntryFlag.REREAD)}
KINDS = [
    WITH_DATA,
    {"type": EntryType.DIRECTORY, "streams": 0},
    {"type": EntryType.FIFO, "streams": 0},
    WITH_DATA | {"flags": int(EntryFlag.SELECTED)},
    WITH_DATA | {"flags": int(EntryFlag.FAILED)},
    WITH_DATA | {"valid": 0},
    WITH_DATA | {"nlink": 2},
    {"type": EntryType.OBJECT, "streams": AgentStream.OBJECT.bit},
]
changes = st.dictionaries(st.sampled_from(list(FIELDS)), st.integers(0, 3), max_size=2)
items = st.tuples(st.sampled_from(KINDS[:2] * 3 + KINDS), changes, changes, st.booleans())
letters = st.sampled_from([None, "mcs", "pinsugmc", "dia", "mcs5", "s1", "A", "mcsM", "ms9", "xyz", ""])


def page_and_list(
    entries: list[tuple[dict[str, int], dict[str, int], dict[str, int], bool]],
) -> tuple[Page, list[bytes]]:
    """Each entry with what differs of it from the list, and whether that has it."""
    maker, packets = PageMaker(), list[bytes]()
    for number, (kind, was, now, listed) in enumerate(entries):
        name = b"/d/%d" % number
        maker.add(name, **{"valid": ALL_VALID} | FIELDS | now | kind)
        if listed:
            stat = Stat()._replace(**{PLACES[field]: value for field, value in (FIELDS | was).items()})
            packets.append(b"\0".join((stored_path(name, kind["type"]), encode_stat(stat), b"A" * 22)))
    return maker.parse(), packets


def is_left_out(selection: DiffersFrom, entry: Entry, row: BaseRow | None, options: Options) -> bool:
    """By the rules in Python, and without anything else to do."""
    plain = not entry.flags & ~EntryFlag.REREAD and (entry.nlink <= 1 or entry.type == EntryType.DIRECTORY)
    if not plain or entry.type == EntryType.OBJECT or selection.wants(entry, row, options):
        return False
    return selection.content_check(entry, row, options) is None


@given(entries=st.lists(items, min_size=1, max_size=12), letters_=letters, masked=st.booleans())
@settings(deadline=None)
def test_exactly_what_the_rules_leave_out_is_left_out(
    library: ctypes.CDLL,
    entries: list[tuple[dict[str, int], dict[str, int], dict[str, int], bool]],
    letters_: str | None,
    masked: bool,  # noqa: FBT001  of an example
) -> None:
    page, packets = page_and_list(entries)
    options = Options(accurate=letters_)
    candidates = bytes(place % 2 for place in range(len(page))) if masked else None
    with list_file(packets) as path, list_in_sqlite(path, path.parent) as base:
        rules = DiffersFrom(base, 0)
        assert not rules.sifts
        rows = base.lookup([stored_path(name, entry.type) for entry, name in page])
        expected = [
            is_left_out(rules, entry, row, options) and (candidates is None or bool(candidates[place]))
            for place, (entry, row) in enumerate(zip(page.entries, rows, strict=True))
        ]
        with AccurateTable.of_list(library, path, path.parent) as table:
            selection = DiffersFrom(table, 0)
            assert selection.sifts
            found = selection.sift(page, options, candidates) or bytes(len(page))
            seen = {row.path for row in table.seen()}
    if not {"A", "M"}.isdisjoint(letters_ or ""):
        assert not any(found)
    else:
        # A regular file of an agent that reads nothing twice, or whose size may have changed, is left to Python with a digest letter.
        assert all(not one or other for one, other in zip(found, expected, strict=True))
        if not {"5", "1", "9"} & set(letters_ or ""):
            assert [bool(one) for one in found] == expected
    assert seen == {stored_path(name, entry.type) for (entry, name), one in zip(page, found, strict=True) if one}


def test_a_page_that_has_a_path_twice_is_left_to_python(library: ctypes.CDLL) -> None:
    page, packets = page_and_list([(KINDS[0], {}, {}, True)] * 3)
    twice = PageMaker()
    for name in page.names * 2:
        twice.add(name, **{"valid": ALL_VALID} | FIELDS | KINDS[0])
    with list_file(packets) as path, AccurateTable.of_list(library, path, path.parent) as table:
        assert DiffersFrom(table, 0).sift(twice.parse(), Options(), None) is None
        assert DiffersFrom(table, 0).sift(page, Options(), None) == b"\1\1\1"


@given(st.binary(max_size=3 * ENTRY.size), st.binary(max_size=40), st.integers(0, 1 << 16))
@settings(deadline=None)
def test_no_page_makes_it_read_beyond_the_page(library: ctypes.CDLL, records: bytes, heap: bytes, low: int) -> None:
    """Pages were checked; here they are not. Without a sanitizer this shows little."""
    records = records[: len(records) // ENTRY.size * ENTRY.size]
    page = Page(agent="x", call="x", records=records, stride=ENTRY.size, heap=heap, low=low, end=False, complete=False)
    with list_file([b"/a\0" + LSTAT]) as path, AccurateTable.of_list(library, path, path.parent) as table:
        DiffersFrom(table, 0).sift(page, Options(), None)
