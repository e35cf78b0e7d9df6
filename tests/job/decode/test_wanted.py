"""Which records a restore reads."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.catalog import Catalog, Level
from filed.job.decode.wanted import IndexSet, choose
from filed.wire.attributes import FileType
from tests.job.forged import attributes, file, forge
from tests.system_agents.jobs import Place, line


@given(st.sets(st.integers(0, 20_000)), st.sets(st.integers(0, 20_000)))
def test_a_set_of_indexes_is_a_set(added: set[int], dropped: set[int]) -> None:
    indexes = IndexSet()
    for index in added:
        indexes.add(index)
        indexes.add(index)
    for index in dropped:
        indexes.discard(index)
    left = added - dropped
    assert indexes.count == len(left)
    assert {index for index in range(20_001) if index in indexes} == left
    ranges = list(indexes.ranges())
    assert [index for first, last in ranges for index in range(first, last + 1)] == sorted(left)
    assert all(after[0] > before[1] + 1 for before, after in itertools.pairwise(ranges))


def test_a_full_set_is_one_range() -> None:
    indexes = IndexSet()
    for index in range(1, 100_001):
        indexes.add(index)
    assert list(indexes.ranges()) == [(1, 100_000)]
    assert -1 not in indexes


def test_an_index_far_beyond_all_others_takes_no_memory_and_no_time() -> None:
    indexes = IndexSet()
    for index in (1, 2, 1 << 15, (1 << 31) - 1):
        indexes.add(index)
    assert list(indexes.ranges()) == [(1, 2), (1 << 15, 1 << 15), ((1 << 31) - 1, (1 << 31) - 1)]
    indexes.discard((1 << 31) - 1)
    indexes.discard(3 << 15)
    assert (indexes.count, (1 << 31) - 1 in indexes) == (3, False)


@pytest.mark.parametrize("first", [1 << 40, (1 << 63) - 1, -5])
def test_a_link_that_names_a_first_name_of_no_volume_is_read_alone(jobs: Place, first: int) -> None:
    link = attributes(1, b"/link", FileType.HARD_LINK, link=b"/first", first=first)
    jobid = forge(jobs.volumes, [link, *file(2, b"/file", b"content")])
    with Catalog.read(jobs.volumes) as catalog:
        (part,) = choose(catalog, jobid, ())
    assert list(part.file_indexes.ranges()) == [(1, 2)]


class Tree:
    """A directory that the filesystem agent saves."""

    def __init__(self, jobs: Place, root: Path) -> None:
        self.jobs, self.root = jobs, root
        root.mkdir()

    def path(self, name: str) -> bytes:
        return os.fsencode(self.root / name)

    def save(self, level: Level = Level.INCREMENTAL) -> int:
        ran = self.jobs.backup(line("filesystem"), files=[os.fsencode(self.root)], level=level)
        assert ran.outcome.status.good, ran.messages
        return ran.outcome.jobid

    def restore(self, jobid: int, where: Path, *names: str) -> Path:
        ran = self.jobs.restore(jobid, where, line("filesystem"), paths=[self.path(name) for name in names])
        assert ran.outcome.status.value == "T", ran.messages
        return where / self.root.relative_to("/")


def test_of_each_job_only_the_last_word_about_a_path_is_read(jobs: Place, tmp_path: Path) -> None:
    tree = Tree(jobs, tmp_path / "tree")
    for name in ("same", "changed", "gone"):
        (tree.root / name).write_text(name)
    first = tree.save(Level.FULL)
    (tree.root / "changed").write_text("changed again")
    (tree.root / "gone").unlink()
    second = tree.save()
    with Catalog.read(jobs.volumes) as catalog:
        parts = choose(catalog, second, ())
        assert [part.job.job_id for part in parts] == [first, second]
        assert parts[0].file_indexes.count == 1
        (part,) = choose(catalog, second, [tree.path("changed")])
        assert part.job.job_id == second
        assert part.data_bytes == len("changed again")
        assert choose(catalog, second, [tree.path("gone")]) == []


def test_a_link_asked_for_alone_brings_the_data_of_its_first_name(jobs: Place, tmp_path: Path) -> None:
    tree = Tree(jobs, tmp_path / "tree")
    for directory in ("a", "b", "c"):
        (tree.root / directory).mkdir()
    (tree.root / "a" / "first").write_text("the data")
    os.link(tree.root / "a" / "first", tree.root / "b" / "second")
    os.link(tree.root / "a" / "first", tree.root / "c" / "third")
    jobid = tree.save(Level.FULL)
    for names in (("a",), ("b",), ("c",)):
        root = tree.restore(jobid, tmp_path / names[0], *names)
        (file,) = [path for path in root.rglob("*") if path.is_file()]
        assert file.read_text() == "the data"
    root = tree.restore(jobid, tmp_path / "two", "b", "c")
    assert (root / "b" / "second").samefile(root / "c" / "third")
    assert (root / "b" / "second").read_text() == "the data"


def test_a_link_whose_first_name_was_deleted_since_takes_its_place(jobs: Place, tmp_path: Path) -> None:
    tree = Tree(jobs, tmp_path / "tree")
    (tree.root / "first").write_text("the data")
    os.link(tree.root / "first", tree.root / "second")
    tree.save(Level.FULL)
    (tree.root / "first").unlink()
    root = tree.restore(tree.save(), tmp_path / "r")
    assert [path.name for path in root.iterdir()] == ["second"]
    assert (root / "second").read_text() == "the data"
