from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from filed.catalog import BaseOfChain, BaseRow, Catalog, Job
from filed.catalog.base_chain import what_pays
from filed.catalog.base_list import PAGE_PATHS
from tests.catalog.model import Item, backup, open_catalog
from tests.catalog.test_tree import PATHS, STEP, run_steps

SEARCHES = st.sampled_from((0, 1, 3, 1000))


def base_of(catalog: Catalog, job: Job, searches: int | None = None) -> BaseOfChain:
    return BaseOfChain(catalog.database, catalog.chain(job.job_id), searches)


def answer(row: BaseRow) -> tuple:
    return row[1:]  # but for its number


@settings(max_examples=60)
@given(
    st.lists(STEP, min_size=1, max_size=6), st.lists(st.lists(PATHS, max_size=3), max_size=4), st.sets(PATHS), SEARCHES
)
def test_it_answers_as_the_list_of_all_whenever_that_is_made(
    steps: list, pages: list[list[bytes]], failed: set[bytes], searches: int
) -> None:
    with tempfile.TemporaryDirectory() as directory, open_catalog(Path(directory)) as catalog:
        job, _ = run_steps(catalog, steps)[-1]
        with base_of(catalog, job, searches) as base, catalog.base_list(job.job_id) as whole:
            met = [(base.lookup(page), whole.lookup(page)) for page in pages]
            for ours, theirs in met:  # rows of pages before and behind the making of the list
                assert [row and answer(row) for row in ours] == [row and answer(row) for row in theirs]
                for our, their in zip(ours, theirs, strict=True):
                    if our is not None and their is not None:
                        base.mark_seen(our.number)
                        whole.mark_seen(their.number)
            for top in (b"/", b"/a/", b"/a/b/"):
                assert [answer(row) for row in base.below(top)] == [answer(row) for row in whole.below(top)]
            assert [answer(row) for row in base.unseen(failed)] == [answer(row) for row in whole.unseen(failed)]


def test_what_is_below_is_found_while_it_is_marked(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        job = backup(catalog, {b"/d/%03d" % n: Item(n) for n in range(300)} | {b"/d2": Item(1), b"/d/": Item(1, 4)})
        with base_of(catalog, job) as base:
            found = []
            for row in base.below(b"/d/"):
                found.append(row.path)
                base.mark_seen(row.number)
                base.lookup([b"/d2"])  # enough of them, and the list is made meanwhile
            assert found == [b"/d/%03d" % n for n in range(300)]
            assert [row.path for row in base.unseen()] == [b"/d/", b"/d2"]


def test_however_long_the_chain_few_paths_are_kept_in_memory(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        job = backup(catalog, {b"/a": Item(1)})
        assert what_pays([job]) == PAGE_PATHS
        assert what_pays([replace(job, files=100_000_000)]) <= 4_000


def test_few_paths_make_no_list(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        job = backup(catalog, {b"/%03d" % n: Item(n) for n in range(300)})
        with base_of(catalog, job) as base:
            assert base.lookup([b"/007", b"/300"])[1] is None
            with catalog.database.transaction() as connection:
                connection.execute("DELETE FROM file")
            assert base.lookup([b"/007"]) == [None]


def test_whose_an_entry_is_comes_from_the_catalog(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        job = backup(catalog, {b"/a": Item(1)})
        with base_of(catalog, job) as base:
            (row,) = base.lookup([b"/a"])
            assert row is not None
            assert base.command(row) == b""
            assert base.command(row._replace(plugin_id=77)) is None
