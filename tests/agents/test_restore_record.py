from __future__ import annotations

import ctypes

import pytest

from filed.agents.abi import ENTRY, Entry, EntryType
from filed.agents.restore_record import RestoreRecord
from filed.errors import ItemError


def read(address: int) -> tuple[Entry, bytes, bytes]:
    entry = Entry._make(ENTRY.unpack(ctypes.string_at(address, ENTRY.size)))
    name = ctypes.string_at(address + entry.name_off)
    return entry, name, ctypes.string_at(address + entry.link_off) if entry.link_off else b""


def test_names_stand_behind_the_record_and_end_in_a_nul() -> None:
    record = RestoreRecord()
    given = Entry(type=EntryType.SYMLINK, mtime=-5, uid=7, inline_off=99, tlv_len=3)
    entry, name, link = read(record.write(given, b"/a/link", b"target", b"/where/a/link"))
    assert (name, link) == (b"/a/link", b"target")
    assert (entry.name_len, entry.link_len) == (7, 6)
    assert (entry.type, entry.mtime, entry.uid) == (EntryType.SYMLINK, -5, 7)
    assert (entry.inline_off, entry.inline_len, entry.tlv_off, entry.tlv_len) == (0, 0, 0, 0)


def test_the_next_record_leaves_nothing_of_the_one_before() -> None:
    record = RestoreRecord()
    record.write(Entry(), b"/a/long/name", b"a/link", b"/d")
    entry, name, link = read(record.write(Entry(), b"/b", b"", b"/d"))
    assert (name, link, entry.link_len) == (b"/b", b"", 0)


def test_names_longer_than_any_path_fit() -> None:
    name = b"/" + b"x" * 100_000
    record = RestoreRecord()  # it owns the memory that is read
    assert read(record.write(Entry(), name, name, b"/d"))[1:] == (name, name)


@pytest.mark.parametrize("names", [(b"/a\0b", b"", b"/d"), (b"/a", b"x\0", b"/d"), (b"/a", b"", b"/d\0")])
def test_a_nul_would_cut_a_name_short_and_is_refused(names: tuple[bytes, bytes, bytes]) -> None:
    with pytest.raises(ItemError, match="NUL"):
        RestoreRecord().write(Entry(), *names)
