"""The table of hard links of one Job."""

from __future__ import annotations

import pytest

from filed.agents import Entry, EntryType, Has
from filed.job.select.hard_links import First, HardLinks, Inode, PassedName, inode_of


@pytest.fixture
def links():
    with HardLinks() as table:
        yield table


def test_the_first_name_of_an_inode_is_unknown_until_it_is_saved(links):
    inode = Inode(7, 42, 3)
    assert links.first(inode) is None
    assert links.saved(inode, 5, b"/a") == []
    assert links.first(inode) == First(5, b"/a")


def test_an_inode_is_forgotten_with_its_last_name(links):
    inode = Inode(7, 42, 3)
    links.saved(inode, 5, b"/a")
    links.linked(inode)
    assert links.first(inode) == First(5, b"/a")
    links.linked(inode)
    assert links.first(inode) is None


def test_inode_numbers_of_64_bits_are_kept_apart(links):
    high, low = Inode(2**64 - 1, 2**64 - 1, 2), Inode(2**63 - 1, 2**63 - 1, 2)
    links.saved(high, 1, b"/high")
    assert links.first(low) is None
    assert links.first(high) == First(1, b"/high")


def test_the_digest_of_the_first_name_is_there_for_its_links(links):
    inode = Inode(1, 2, 2)
    links.saved(inode, 9, b"/x")
    assert links.digest(inode) is None
    links.note_digest(inode, 3, b"d" * 16)
    assert links.digest(inode) == (3, b"d" * 16)


def test_names_passed_over_come_back_when_another_name_is_saved(links):
    inode = Inode(1, 2, 3)
    first, second = PassedName(b"/b", b"stat b", b"ns"), PassedName(b"/a", b"stat a", b"")
    links.passed(inode, first)
    links.passed(inode, second)
    links.passed(Inode(1, 3, 2), PassedName(b"/other", b"", b""))
    assert sorted(links.saved(inode, 4, b"/c"), key=lambda name: name.path) == [second, first]
    assert links.saved(Inode(1, 9, 2), 5, b"/d") == []


def test_the_table_has_no_name_on_the_disk_so_that_a_crash_leaves_none(tmp_path):
    with HardLinks(tmp_path) as table:
        table.saved(Inode(1, 2, 3), 4, b"/a")
        assert list(tmp_path.iterdir()) == []
        assert table.first(Inode(1, 2, 3)) == First(4, b"/a")


BORN = Entry(
    type=EntryType.REGULAR, valid=Has.BTIME, dev=1, ino=2, nlink=3, btime=9, size=5, mtime=7, chtime=8, uid=1, gid=1
)
UNBORN = BORN._replace(valid=0)


@pytest.mark.parametrize(
    "other",
    [
        {"btime": 10},
        {"btime_ns": 1},
        {"size": 6},
        {"mtime": 8},
        {"mtime_ns": 1},
        {"uid": 0},
        {"gid": 0},
        {"type": EntryType.FIFO},
    ],
    ids=str,
)
def test_a_name_that_was_looked_at_as_another_file_is_saved_for_itself(links, other):
    links.saved(inode_of(BORN), 5, b"/a")
    links.note_digest(inode_of(BORN), 3, b"d" * 16)
    changed = inode_of(BORN._replace(**other))
    assert links.first(changed) is None
    links.saved(changed, 6, b"/b")
    links.note_digest(inode_of(BORN), 3, b"e" * 16)
    assert (links.first(changed), links.digest(changed)) == (First(6, b"/b"), None)


def test_a_link_made_meanwhile_changes_nothing_where_the_birth_is_known(links):
    links.saved(inode_of(BORN), 5, b"/a")
    assert links.first(inode_of(BORN._replace(chtime=9, nlink=4))) == First(5, b"/a")


def test_without_a_birth_the_time_of_change_has_to_be_the_same(links):
    links.saved(inode_of(UNBORN), 5, b"/a")
    assert links.first(inode_of(UNBORN)) == First(5, b"/a")
    assert links.first(inode_of(UNBORN._replace(chtime=9))) is None


@pytest.mark.parametrize(("entry", "other"), [(BORN, {"btime": 10}), (UNBORN, {"uid": 0})])
def test_a_name_passed_over_is_no_link_to_a_later_file_of_that_number(links, entry, other):
    links.passed(inode_of(entry), PassedName(b"/a", b"stat", b""))
    assert links.saved(inode_of(entry._replace(**other)), 5, b"/b") == []
    grown = entry._replace(size=6, mtime=8)
    assert links.saved(inode_of(grown), 6, b"/c") == [PassedName(b"/a", b"stat", b"")]
