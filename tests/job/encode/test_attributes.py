"""Entries of agents as attributes records, and back."""

from __future__ import annotations

import stat as st

import pytest
from hypothesis import given
from hypothesis import strategies as some

from filed.agents.abi import AgentStream, Entry, EntryType, Has
from filed.errors import StreamError
from filed.job.decode.attributes import entry_to_restore
from filed.job.encode.attributes import (
    encode_entry_extended,
    encode_entry_stat,
    looked_for,
    wire_type,
)
from filed.job.select.chosen import stored_path
from filed.wire.attributes import Attributes, FileType, Stat, decode_stat, encode_stat, parse_nanoseconds
from filed.wire.stream import Stream

u32, u64 = some.integers(0, 2**32 - 1), some.integers(0, 2**63 - 1)
times, parts = some.integers(-(2**40), 2**40), some.integers(0, 999_999_999)
EVERYTHING = sum(Has)
ACLS = AgentStream.ACL_ACCESS.bit | AgentStream.ACL_DEFAULT.bit
KINDS = {
    EntryType.REGULAR: FileType.REGULAR,
    EntryType.DIRECTORY: FileType.DIRECTORY,
    EntryType.SYMLINK: FileType.SYMLINK,
    EntryType.FIFO: FileType.SPECIAL,
    EntryType.CHARDEV: FileType.SPECIAL,
    EntryType.BLOCKDEV: FileType.SPECIAL,
}


def test_a_directory_ends_in_a_slash_and_nothing_else_does() -> None:
    assert stored_path(b"/etc", EntryType.DIRECTORY) == b"/etc/"
    assert stored_path(b"/", EntryType.DIRECTORY) == b"/"
    assert stored_path(b"/etc/passwd", EntryType.REGULAR) == b"/etc/passwd"


@pytest.mark.parametrize(("kind", "wire"), KINDS.items())
def test_each_type_has_its_number_on_the_wire(kind: EntryType, wire: FileType) -> None:
    assert wire_type(Entry(type=kind, size=1, valid=EVERYTHING), with_data=False) is wire


def test_a_file_that_all_may_read_and_that_is_empty_is_called_so() -> None:
    empty = Entry(type=EntryType.REGULAR, mode=0o644, valid=EVERYTHING)
    assert wire_type(empty, with_data=True) is FileType.EMPTY
    assert wire_type(empty._replace(mode=0o640), with_data=True) is FileType.REGULAR
    assert wire_type(empty._replace(valid=0), with_data=True) is FileType.REGULAR  # nobody knows its size


def test_content_of_fifos_and_devices_makes_another_type() -> None:
    assert wire_type(Entry(type=EntryType.FIFO), with_data=True) is FileType.FIFO_DATA
    assert wire_type(Entry(type=EntryType.BLOCKDEV), with_data=True) is FileType.RAW_DEVICE


@given(
    kind=some.sampled_from(list(KINDS)), mode=some.integers(0, 0o7777), uid=u32, gid=u32, ino=u64, dev=u64, rdev=u64,
    size=u64, mtime=times, chtime=times, nanoseconds=some.tuples(parts, parts, parts),
)  # fmt: skip
def test_what_is_saved_is_what_is_restored(  # noqa: PLR0917  hypothesis gives each field
    kind, mode, uid, gid, ino, dev, rdev, size, mtime, chtime, nanoseconds
) -> None:
    entry = Entry(
        type=kind, valid=EVERYTHING, mode=mode, uid=uid, gid=gid, ino=ino, dev=dev, rdev=rdev, size=size, nlink=1,
        mtime=mtime, chtime=chtime, atime_ns=nanoseconds[0], mtime_ns=nanoseconds[1], chtime_ns=nanoseconds[2],
    )  # fmt: skip
    record = Attributes(
        7, wire_type(entry, with_data=False), b"/x", encode_entry_stat(entry, Stream.FILE_DATA), b"target",
        encode_entry_extended(entry),
    )  # fmt: skip
    back = entry_to_restore(record)
    names = ("type", "mode", "uid", "gid", "ino", "dev", "rdev", "size", "mtime", "chtime", "mtime_ns", "chtime_ns")
    assert [getattr(back, name) for name in names] == [getattr(entry, name) for name in names]


def test_what_an_agent_does_not_know_gets_the_values_of_plugins_entries() -> None:
    stat = decode_stat(encode_entry_stat(Entry(type=EntryType.REGULAR, uid=7, size=9, valid=0), Stream.FILE_DATA, 3))
    assert stat == Stat(mode=st.S_IFREG | 0o600, nlink=1, size=-1, blksize=4096, blocks=1, link_fi=3, data_stream=2)
    directory = decode_stat(encode_entry_stat(Entry(type=EntryType.DIRECTORY, valid=0), Stream.FILE_DATA))
    assert st.filemode(directory.mode) == "drwx------"
    link = decode_stat(encode_entry_stat(Entry(type=EntryType.SYMLINK, valid=0), Stream.FILE_DATA))
    assert st.filemode(link.mode) == "lrwxrwxrwx"


def test_a_missing_ctime_is_the_mtime() -> None:
    entry = Entry(type=EntryType.REGULAR, valid=int(Has.MTIME), mtime=1234, chtime=99, atime=98)
    stat = decode_stat(encode_entry_stat(entry, Stream.FILE_DATA))
    assert (stat.mtime, stat.ctime, stat.atime) == (1234, 1234, 1234)


def test_bits_of_the_mode_that_say_a_kind_are_ours() -> None:
    entry = Entry(type=EntryType.REGULAR, valid=EVERYTHING, mode=st.S_IFDIR | 0o4755)
    assert st.filemode(decode_stat(encode_entry_stat(entry, Stream.FILE_DATA)).mode) == "-rwsr-xr-x"


def restored(kind: FileType, mode: int) -> Entry:
    return entry_to_restore(Attributes(1, kind, b"/x", encode_stat(Stat(mode=mode)), b"", b""))


@pytest.mark.parametrize(
    ("kind", "mode", "found"),
    [
        (FileType.HARD_LINK, st.S_IFREG, EntryType.HARDLINK),
        (FileType.EMPTY, st.S_IFREG, EntryType.REGULAR),
        (FileType.SPECIAL, st.S_IFIFO, EntryType.FIFO),
        (FileType.SPECIAL, st.S_IFCHR, EntryType.CHARDEV),
        (FileType.RAW_DEVICE, st.S_IFBLK, EntryType.BLOCKDEV),
        (FileType.FIFO_DATA, st.S_IFIFO, EntryType.FIFO),
    ],
)
def test_special_files_are_told_apart_by_their_mode(kind: FileType, mode: int, found: EntryType) -> None:
    assert restored(kind, mode).type == found


@pytest.mark.parametrize(("kind", "mode"), [(FileType.SPECIAL, st.S_IFSOCK), (FileType.SPECIAL, st.S_IFREG), (99, 0)])
def test_what_no_agent_can_restore_is_a_stream_error(kind: FileType, mode: int) -> None:
    with pytest.raises(StreamError, match="no agent restores a file of type"):
        restored(kind, mode)


def test_an_unknown_size_stays_unknown_and_odd_numbers_fit() -> None:
    hostile = Stat(mode=st.S_IFREG, size=-1, uid=-1, nlink=-1, ino=-1, dev=-1, rdev=-1)
    entry = entry_to_restore(Attributes(1, FileType.REGULAR, b"/x", encode_stat(hostile), b"", b""))
    assert not entry.valid & Has.SIZE
    assert (entry.size, entry.uid, entry.ino) == (0, 2**32 - 1, 2**64 - 1)


def test_nanoseconds_travel_beside_the_stat() -> None:
    entry = Entry(atime_ns=1, mtime_ns=999_999_999, chtime_ns=3)
    assert parse_nanoseconds(encode_entry_extended(entry)) == (1, 999_999_999, 3)


@pytest.mark.parametrize("streams", [0, ACLS, AgentStream.XATTR.bit, ACLS | AgentStream.XATTR.bit])
def test_a_restore_knows_what_was_looked_for_at_a_directory(streams: int) -> None:
    extended = encode_entry_extended(Entry(), looked_for(streams))
    stat = encode_stat(Stat(mode=st.S_IFDIR | 0o755))
    assert entry_to_restore(Attributes(1, FileType.DIRECTORY, b"/x/", stat, b"", extended)).streams == streams
