from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from filed.agents.abi import AgentStream, Entry, EntryType, Has
from filed.catalog import INCOMPLETE, BaseList, BaseRow
from filed.fileset import Options
from filed.job.encode.attributes import encode_entry_extended, encode_entry_stat
from filed.job.select.changed_since import ChangedSince, has_fine_ctime
from filed.job.select.selection import Everything
from filed.wire.attributes import FileType
from filed.wire.stream import Stream
from tests.catalog.model import Item, backup, open_catalog

START = 1_795_000_000
KNOWN = int(Has.MODE | Has.OWNER | Has.SIZE | Has.BLOCKS | Has.INO | Has.NLINK | Has.ATIME | Has.MTIME | Has.CHTIME)
EXT4, EXFAT = 0xEF53, 0x2011BAB0
FILE = Entry(
    valid=KNOWN,
    type=EntryType.REGULAR,
    size=100,
    mode=0o644,
    ino=7,
    nlink=1,
    mtime=START - 500,
    mtime_ns=5,
    chtime=START - 400,
    chtime_ns=4,
    fs_type=EXT4,
    streams=AgentStream.DATA.bit,
)
OPTIONS = Options()
DIGEST = bytes([Stream.MD5_DIGEST]) + b"d" * 16


def row(entry: Entry, *, digest: bytes = DIGEST, nanoseconds: bool = True) -> BaseRow:
    """What the base has of an entry that it saved."""
    extended = encode_entry_extended(entry) if nanoseconds else b""
    return BaseRow(1, b"/f", FileType.REGULAR, 1, 1, encode_entry_stat(entry, 2), extended, digest, b"", 0)


@pytest.fixture
def base(tmp_path: Path) -> Iterator[BaseList]:
    with open_catalog(tmp_path) as catalog:
        job = backup(catalog, {b"/a": Item(1), b"/b": Item(2), b"/c/d": Item(3)})
        with catalog.base_list(job.job_id) as found:
            yield found


@pytest.fixture
def changed(base: BaseList) -> ChangedSince:
    return ChangedSince(base, START, digested=True, fine_ctime=True)


def test_a_full_wants_everything() -> None:
    everything = Everything()
    assert list(everything.lookup([b"/a", b"/b"])) == [None, None]
    assert everything.wants(FILE, row(FILE), OPTIONS)
    assert list(everything.deleted()) == []


def test_what_is_as_it_was_is_left_out(changed: ChangedSince) -> None:
    assert not changed.wants(FILE, row(FILE), OPTIONS)


def test_what_the_base_does_not_have_is_sent(changed: ChangedSince) -> None:
    assert changed.wants(FILE, None, OPTIONS)


@pytest.mark.parametrize("field", ["size", "mtime", "mtime_ns", "chtime", "chtime_ns", "ino"])
def test_each_difference_counts(changed: ChangedSince, field: str) -> None:
    assert changed.wants(FILE._replace(**{field: getattr(FILE, field) + 1}), row(FILE), OPTIONS)


def test_another_inode_is_another_file_though_all_times_are_the_same(changed: ChangedSince) -> None:
    """Two files made in one tick of the clock, and their directories swapped."""
    assert changed.wants(FILE._replace(ino=8), row(FILE), OPTIONS)


@pytest.mark.parametrize("ino", [1, 1 << 62, 1 << 63, (1 << 64) - 1])
def test_an_inode_of_any_number_is_known_again(changed: ChangedSince, ino: int) -> None:
    assert not changed.wants(FILE._replace(ino=ino), row(FILE._replace(ino=ino)), OPTIONS)


def test_where_inodes_are_invented_they_do_not_count(changed: ChangedSince) -> None:
    assert not changed.wants(FILE._replace(ino=8, fs_type=EXFAT), row(FILE), OPTIONS)


def test_an_agent_without_inodes_is_asked_for_none(changed: ChangedSince) -> None:
    entry = FILE._replace(ino=0, valid=KNOWN & ~Has.INO)
    assert not changed.wants(entry, row(entry), OPTIONS)


def test_a_file_whose_data_was_never_whole_is_sent_again(changed: ChangedSince) -> None:
    assert changed.wants(FILE, row(FILE, digest=b""), OPTIONS)


def test_an_entry_that_offers_no_content_needs_no_digest(changed: ChangedSince) -> None:
    """An agent's that has none: it was sent again in each Incremental."""
    without = FILE._replace(streams=0)
    assert not changed.wants(without, row(without, digest=b""), OPTIONS)
    assert changed.wants(without._replace(mtime=START - 499), row(without, digest=b""), OPTIONS)


def test_without_parts_of_a_second_the_last_one_is_not_trusted(changed: ChangedSince) -> None:
    before = FILE._replace(chtime=START - 2)
    within = FILE._replace(chtime=START)
    assert not changed.wants(before, row(before, nanoseconds=False), OPTIONS)
    assert changed.wants(within, row(within, nanoseconds=False), OPTIONS)


def test_a_file_that_could_not_be_read_to_its_end_is_sent_again(changed: ChangedSince) -> None:
    assert changed.wants(FILE, row(FILE)._replace(extended=INCOMPLETE), OPTIONS)


def test_with_a_coarse_clock_a_change_around_the_base_job_is_not_missed(base: BaseList) -> None:
    coarse = ChangedSince(base, START, digested=True, fine_ctime=False)
    before, within = FILE._replace(chtime=START - 2), FILE._replace(chtime=START)
    assert not coarse.wants(before, row(before), OPTIONS)
    assert coarse.wants(within, row(within), OPTIONS)


@pytest.mark.parametrize(
    ("release", "fine"),
    [("6.18.44-x", True), ("6.13", True), ("6.12.9", False), ("5.10.0-32-amd64", False), ("7.0", True), ("odd", False)],
)
def test_the_kernel_says_how_fine_its_stamps_are(release: str, fine: bool) -> None:  # noqa: FBT001  a table's column
    assert has_fine_ctime(release) is fine


def test_what_nobody_saw_is_deleted_but_not_below_what_failed(base: BaseList) -> None:
    changed = ChangedSince(base, START, digested=True, fine_ctime=True)
    changed.seen(changed.lookup([b"/a"])[0])
    changed.failed(b"/c/")
    assert [gone.path for gone in changed.deleted()] == [b"/b"]
