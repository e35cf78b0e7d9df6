from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filed.catalog import BaseList, Catalog
from filed.errors import CatalogError
from tests.catalog.model import Item, backup, open_catalog
from tests.catalog.test_tree import PATHS, STEP, is_below, run_steps


@settings(max_examples=60)
@given(
    st.lists(STEP, min_size=1, max_size=6),
    st.sets(PATHS),
    st.sets(PATHS, max_size=2),
    st.lists(PATHS | st.just(b"/"), max_size=2),
)
def test_lookup_and_what_stays_unseen_are_what_a_model_says(
    steps: list, met: set[bytes], failed: set[bytes], prefixes: list[bytes]
) -> None:
    with tempfile.TemporaryDirectory() as directory, open_catalog(Path(directory)) as catalog:
        job, model = run_steps(catalog, steps)[-1]
        model = {p: item for p, item in model.items() if not prefixes or any(is_below(p, q) for q in prefixes)}
        with catalog.base_list(job.job_id, prefixes) as base:
            paths = sorted(met)
            for path, row in zip(paths, base.lookup(paths), strict=True):
                if path not in model:
                    assert row is None
                    continue
                assert row is not None
                assert (row.path, row.lstat, row.digest_record[1:]) == (path, model[path].lstat, model[path].digest)
                base.mark_seen(row.number)
            unseen = [row.path for row in base.unseen(failed)]
        assert unseen == sorted(
            path for path in model if path not in met and not any(is_below(path.rstrip(b"/"), f) for f in failed)
        )


def test_pages_of_any_length_come_back_in_their_order(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        job = backup(catalog, {b"/%04d" % n: Item(n) for n in range(1000)})
        with catalog.base_list(job.job_id) as base:
            for count in (0, 1, 2, 16, 17, 256, 257, 1000):
                paths = [b"/%04d" % ((n * 7919) % 1100) for n in range(count)]
                rows = base.lookup(paths)
                known = [path if path < b"/1000" else None for path in paths]
                assert [row and row.path for row in rows] == known


def test_a_path_asked_twice_is_answered_twice(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        job = backup(catalog, {b"/a": Item(1)})
        with catalog.base_list(job.job_id) as base:
            assert [row is not None for row in base.lookup([b"/a", b"/b", b"/a"])] == [True, False, True]


def test_a_row_tells_all_that_a_comparison_needs(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        full = backup(catalog, {b"/a": Item(1), b"/l": Item(2, 1, b"/a")})
        job = backup(catalog, {}, "I", full)
        with catalog.base_list(job.job_id) as base:
            plain, link = base.lookup([b"/a", b"/l"])
            assert plain is not None
            assert link is not None
            assert (plain.type, plain.file_index, plain.job_id, plain.extended) == (3, 1, full.job_id, b"ns:1,2,3|")
            assert plain.digest_record == b"\x03" + Item(1).digest
            assert (link.type, link.link, link.digest_record) == (1, b"/a", b"")


def test_the_catalog_is_free_while_a_base_list_lives(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        job = backup(catalog, {b"/a": Item(1)})
        with catalog.base_list(job.job_id) as base:
            backup(catalog, {b"/a": Item(2)}, "I", job)
            with catalog.database.transaction() as connection:
                connection.execute("DELETE FROM file")
            (row,) = base.lookup([b"/a"])
            assert row is not None
            assert row.lstat == Item(1).lstat


def test_nothing_is_left_on_the_disk(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        job = backup(catalog, {b"/a": Item(1)})
        (tmp_path / "elsewhere").mkdir()
        with catalog.base_list(job.job_id, directory=tmp_path / "elsewhere"):
            assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_base_list_of_a_read_only_catalog(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        job = backup(catalog, {b"/a": Item(1)})
    with Catalog.read(tmp_path) as catalog, catalog.base_list(job.job_id) as base:
        assert base.lookup([b"/a"]) != [None]


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"cannot keep the list of the base in .*missing"):
        BaseList.empty(tmp_path / "missing")


def test_a_directors_list_is_filled_entry_by_entry(tmp_path: Path) -> None:
    with BaseList.empty(tmp_path) as base:
        for n in range(2500):
            base.add(b"/%04d" % (2499 - n), Item(n).lstat, b"\x03" + Item(n).digest)
        base.add(b"/0000", Item(7).lstat)
        first, last, none = base.lookup([b"/0000", b"/2499", b"/2500"])
        assert first is not None
        assert last is not None
        assert none is None
        assert (first.lstat, first.digest_record) == (Item(7).lstat, b"")
        assert last.digest_record[1:] == Item(0).digest
        for row in base.lookup([b"/%04d" % n for n in range(2400)]):
            assert row is not None
            base.mark_seen(row.number)
        assert [row.path for row in base.unseen([b"/2400"])] == [b"/%04d" % n for n in range(2401, 2500)]


def test_marks_can_be_taken_back_and_listed(tmp_path: Path) -> None:
    with BaseList.empty(tmp_path) as base:
        assert len(base) == 0
        for name in (b"/c", b"/a", b"/b"):
            base.add(name, b"stat")
        assert len(base) == 3
        for row in base.lookup([b"/a", b"/c"]):
            assert row is not None
            base.mark_seen(row.number)
        assert [row.path for row in base.seen()] == [b"/a", b"/c"]
        (row,) = base.lookup([b"/a"])
        assert row is not None
        base.unmark(row.number)
        assert [row.path for row in base.seen()] == [b"/c"]
        assert [row.path for row in base.unseen()] == [b"/a", b"/b"]
