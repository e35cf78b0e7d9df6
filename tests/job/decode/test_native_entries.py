"""What C makes of the records of small entries is what Python makes of them, whatever is wrong with them."""

from __future__ import annotations

import ctypes
import os
import subprocess
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import build
from filed.job.decode import known as known_entries
from filed.job.decode.known import KnownEntries
from filed.job.decode.native_entries import Native, Plan, load
from filed.job.decode.record_check import RecordCheck
from filed.job.decode.renaming import Renaming
from filed.job.decode.whole_entries import Kept
from filed.pipeline import Decoder, Digest
from filed.process.outcome import Totals
from filed.volume import Record, Run
from filed.wire.attributes import FileType, Stat, attributes_of, encode_stat, pack_attributes
from filed.wire.stream import Stream
from tests.job.conftest import new_desk
from tests.job.decode.test_batches import ENTRIES, MD5, PLAIN, entry
from tests.job.decode.ways import OfCatalog, came, in_runs, one_by_one
from tests.native_host.libraries import native_directory


@pytest.fixture(scope="session")
def native() -> Native:
    loaded = load(native_directory())
    assert loaded is not None
    return loaded


def _changed(place: int, change: Callable[[Kept], Sequence[Kept]]) -> Callable[[list[Kept]], list[Kept]]:
    def applied(records: list[Kept]) -> list[Kept]:
        at = place % len(records)
        return [*records[:at], *change(records[at]), *records[at + 1 :]]

    return applied


def _flipped(bit: int) -> Callable[[Kept], Sequence[Kept]]:
    def flipped(record: Kept) -> Sequence[Kept]:
        data = bytearray(record[2] or b"\0")
        data[bit // 8 % len(data)] ^= 1 << bit % 8
        return [(record[0], record[1], bytes(data))]

    return flipped


places = st.integers(0, 1000)
words = st.sampled_from([*range(50), 1998, 1007, Stream.FILE_DATA | 1 << 26, (1 << 31) - 1])
changes = st.one_of(
    places.map(lambda at: _changed(at, lambda _: [])),
    places.map(lambda at: _changed(at, lambda record: [record, record])),
    st.tuples(places, words).map(lambda one: _changed(one[0], lambda r: [(one[1], r[1], r[2])])),
    st.tuples(places, st.integers(1, 9)).map(lambda one: _changed(one[0], lambda r: [(r[0], one[1], r[2])])),
    st.tuples(places, places).map(lambda one: _changed(one[0], lambda r: [(r[0], r[1], bytes(r[2])[: one[1]])])),
    st.tuples(places, st.binary(max_size=9)).map(lambda one: _changed(one[0], lambda r: [(r[0], r[1], bytes(r[2]) + one[1])])),
    st.tuples(places, places).map(lambda one: _changed(one[0], _flipped(one[1]))),
)  # fmt: skip
files = st.lists(st.sampled_from([*ENTRIES, "plain", "plain", "sparse and compressed"]), min_size=1, max_size=9)
record_lists = st.tuples(files, st.lists(changes, max_size=3)).map(lambda one: _applied(*one))
runs = st.lists(st.integers(0, 7), max_size=4)


def _applied(names: Sequence[str], faults: Sequence[Callable[[list[Kept]], list[Kept]]]) -> list[Kept]:
    records = [record for number, name in enumerate(names, 1) for record in ENTRIES[name](number)]
    for fault in faults:
        records = fault(records) if records else records
    return records


@given(record_lists, runs)
@settings(deadline=None)
def test_both_ways_are_one(native: Native, records: list[Kept], sizes: list[int]) -> None:
    expected = came(one_by_one(records), None)
    assert came(one_by_one(records), native) == expected
    assert came(in_runs(records, sizes), native) == expected
    assert came(in_runs(records, sizes), None) == expected


@given(record_lists, record_lists, runs, st.frozensets(st.integers(1, 9), max_size=2))
@settings(deadline=None)
def test_both_ways_compare_with_the_catalog(
    native: Native, saved: list[Kept], records: list[Kept], sizes: list[int], renamed: frozenset[int]
) -> None:
    """Some of the records are those of the catalog."""
    mixed = [*saved, *records]
    for some in (saved, mixed):
        assert came(in_runs(some, sizes), native, OfCatalog(saved, renamed)) == came(
            one_by_one(some), None, OfCatalog(saved, renamed)
        )


paths = st.one_of(st.sampled_from([b"/", b"//", b"/a/", b"a", b"a b/ c"]), st.binary(min_size=1, max_size=9)).map(
    lambda path: path.replace(b"\0", b"/")
)
links = st.binary(max_size=9).map(lambda link: link.replace(b"\0", b"/"))
numbers = st.one_of(
    st.integers(-2, 2), st.integers(-(1 << 63), (1 << 64) - 1), st.sampled_from([0o10644, 0o20600, 0o60600])
)
stats = st.one_of(
    st.lists(numbers, min_size=16, max_size=16).map(encode_stat),
    st.lists(
        st.sampled_from([b"A", b"-B", b"P//////////", b"-P//////////", b"IGk", b"-"]), min_size=12, max_size=25
    ).map(b" ".join),
)
extended = st.one_of(
    st.sampled_from([b"", b"ns:1,2,3", b"ns:1,2,3;ax", b"ns:1,2,3;ax|0f", b"ns:1,2,3|", b"ns:1,2,3|g", b"ns:1234567890,2,3", b"x"]),
    st.from_regex(rb"ns:[0-9]{1,10},[0-9]{1,9},[0-9]{0,2};?[ax]{0,3}\|?[0-9a-f]{0,3}", fullmatch=True),
)  # fmt: skip


heads = st.builds(pack_attributes, st.just(1), st.integers(0, 40), paths, stats, links, extended, st.integers(0, 2))


@given(heads, st.binary(max_size=3))
@settings(deadline=None)
def test_attributes_are_read_alike(native: Native, head: bytes, tail: bytes) -> None:
    record = head + tail
    records: list[Kept] = [(Stream.UNIX_ATTRIBUTES, 1, record), *entry(2, b"/behind", *PLAIN)]
    expected = came(one_by_one(records), None)
    assert came(in_runs(records, [2]), native) == expected


@given(st.binary(max_size=300), st.binary(max_size=80), st.sampled_from([4, 7]))
@settings(deadline=None)
def test_compressed_content_is_read_alike(native: Native, content: bytes, damage: bytes, stream: int) -> None:
    packed = zlib.compress(content)
    stat = encode_stat(Stat(size=len(content), data_stream=stream))
    for data in (packed, packed[:-1], packed + damage, damage, damage + packed, packed[:20] + damage + packed[21:]):
        records: list[Kept] = [
            (Stream.UNIX_ATTRIBUTES, 1, pack_attributes(1, FileType.REGULAR, b"/f", stat)),
            (stream, 1, bytes(8 * (stream == Stream.SPARSE_GZIP_DATA)) + data),
        ]
        assert came(in_runs(records, []), native) == came(one_by_one(records), None)


def test_a_million_bytes_fill_a_page(native: Native) -> None:
    big = os.urandom(60_000)
    stat = encode_stat(Stat(size=len(big)))
    records: list[Kept] = []
    for number in range(1, 60):
        records += [
            (Stream.UNIX_ATTRIBUTES, number, pack_attributes(number, FileType.REGULAR, b"/f%d" % number, stat)),
            (Stream.FILE_DATA, number, big),
        ]
    assert came(in_runs(records, []), native) == came(one_by_one(records), None)


def test_names_of_every_length_fit(native: Native) -> None:
    records = [record for size in (16_000, 90_000, 98_000) for record in entry(size, b"/" + b"n" * size, *PLAIN)]
    records = [*records, *ENTRIES["plain"](200_000)] * 12
    assert came(in_runs(records, [5]), native) == came(one_by_one(records), None)


def test_where_names_change_in_ways_that_only_python_knows_all_goes_there() -> None:
    renaming = Renaming(prelinks=True)
    records = ENTRIES["plain"](1)
    assert came(one_by_one(records), load(), renaming) == came(one_by_one(records), None, renaming)


def test_the_hash_is_siphash_1_3(native: Native) -> None:
    """The key 00..0f and the text 00..0e give what the reference implementation gives, SipHash-1-3."""
    native.calls.siphash.restype = ctypes.c_uint64
    native.calls.siphash.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_uint64)
    key, text = bytes(range(16)), bytes(range(15))
    assert native.calls.siphash(key, text, len(text)) == _siphash_1_3(key, text)


def _siphash_1_3(key: bytes, data: bytes) -> int:
    mask = (1 << 64) - 1

    def rotated(x: int, bits: int) -> int:
        return (x << bits | x >> 64 - bits) & mask

    def mixed(v0: int, v1: int, v2: int, v3: int) -> tuple[int, int, int, int]:
        v0, v2 = (v0 + v1) & mask, (v2 + v3) & mask
        v1, v3 = rotated(v1, 13) ^ v0, rotated(v3, 16) ^ v2
        v0 = rotated(v0, 32)
        v2, v0 = (v2 + v1) & mask, (v0 + v3) & mask
        v1, v3 = rotated(v1, 17) ^ v2, rotated(v3, 21) ^ v0
        return v0, v1, rotated(v2, 32), v3

    k0, k1 = (int.from_bytes(key[at : at + 8], "little") for at in (0, 8))
    state = (k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573)
    whole = data + bytes(7 - len(data) % 8) + bytes((len(data) & 255,))
    for at in range(0, len(whole), 8):
        word = int.from_bytes(whole[at : at + 8], "little")
        v0, v1, v2, v3 = mixed(state[0], state[1], state[2], state[3] ^ word)
        state = v0 ^ word, v1, v2, v3
    state = (state[0], state[1], state[2] ^ 255, state[3])
    for _ in range(3):
        state = mixed(*state)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def test_what_a_catalog_has_is_found_by_either_hash(native: Native, monkeypatch: pytest.MonkeyPatch) -> None:
    records = entry(5, b"/a", *PLAIN)
    attributes = attributes_of(5, records[0][2])
    for hashes in (known_entries.native_hashes(), None):
        monkeypatch.setattr(known_entries, "HASHES", hashes)
        known = OfCatalog(records).known
        assert known.has_attributes(5, attributes)
        assert not known.has_attributes(5, attributes._replace(path=b"/b"))
        assert known.has_digest(5, bytes((Stream.MD5_DIGEST,)) + MD5)
        assert not known.has_digest(5, b"")


def test_the_plan_is_as_in_c(tmp_path: Path) -> None:
    names = [name for name, _ in Plan._fields_]
    source = tmp_path / "plan.c"
    lines = "".join(f'  printf("%zu\\n", offsetof(plan, {name}));\n' for name in names)
    source.write_text(
        f'#include <stdio.h>\n#include "whole_entries.h"\nint main(void) {{\n{lines}'
        f'  printf("%zu\\n", sizeof(plan));\n  return 0;\n}}\n'
    )
    expected = [*(getattr(Plan, name).offset for name in names), ctypes.sizeof(Plan)]
    assert [int(line) for line in _run(source, tmp_path / "plan")] == expected


def _run(source: Path, program: Path) -> list[str]:
    headers = build.ROOT / "native_host" / "whole_entries"
    subprocess.run(["gcc", f"-I{headers}", str(source), "-o", str(program)], check=True)
    return subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout.splitlines()


class Verified(NamedTuple):
    wrong: list[tuple[int, str]]
    totals: Totals
    entries: int
    texts: list[str]


def _verified(given: Iterable[Record | Run], known: KnownEntries, native: Native | None) -> Verified:
    wrong: list[tuple[int, str]] = []
    decoder = Decoder()
    decoder.digests.saw(Digest)
    with new_desk() as desk:
        context = desk.context
        check = RecordCheck(
            decoder,
            context.messages,
            context.counters,
            lambda error, text: wrong.append((error.stream, text)),
            known=known,
            native=native,
        )
        for some in given:
            if isinstance(some, Run):
                check.run(some.data, some.begin, some.end)
            else:
                check.record(some.stream, some.file_index, some.data)
        check.end()
        return Verified(wrong, context.counters.totals, check.entries, desk.texts())


@given(record_lists, record_lists, runs)
@settings(deadline=None, max_examples=50)
def test_a_verify_finds_the_same(native: Native, saved: list[Kept], others: list[Kept], sizes: list[int]) -> None:
    for records in (saved, [*saved, *others]):
        for known in (KnownEntries(), OfCatalog(saved).known):
            expected = _verified(one_by_one(records), known, None)
            assert _verified(in_runs(records, sizes), known, native) == expected
            assert _verified(one_by_one(records), known, native) == expected


def test_what_is_checked_by_the_page_is_counted_by_the_page(native: Native) -> None:
    records = [record for number in range(1, 601) for record in ENTRIES["plain"](number)]
    pages: list[tuple[int, int, int]] = []
    with new_desk() as desk:
        check = RecordCheck(
            Decoder(),
            desk.context.messages,
            desk.context.counters,
            lambda _error, text: pytest.fail(text),
            lambda attributes: (
                pytest.fail(f"{attributes.file_index} is plain") if attributes.file_index < 600 else None
            ),
            known=OfCatalog(records).known,
            native=native,
            on_page=lambda page: pages.append((len(page), page.found, page.last_index)),
        )
        for some in in_runs(records, [1800]):
            assert isinstance(some, Run)
            check.run(some.data, some.begin, some.end)
        check.end()
    assert pages == [(256, 256, 256), (256, 256, 512), (87, 87, 599)]
