"""The table of hard links of one Job."""

from __future__ import annotations

import pytest

from filed.job.select.hard_links import First, HardLinks, Inode, PassedName


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
