from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from filed.catalog import Catalog, Job
from filed.catalog.tree import ranges, tree
from tests.catalog.model import Changes, Item, Tree, as_rows, backup, open_catalog, tree_of

NAMES = st.sampled_from([b"a", b"b", b"a-x", b"a.", b"b\xff", b"c/", b"c/d", b"c/d/e", b"c0", b"c!"])
PATHS = NAMES.map(lambda name: b"/" + name)
STEP = st.tuples(
    st.sampled_from("FIDIII"),
    st.dictionaries(PATHS, st.none() | st.integers(1, 9).map(Item), max_size=6),
)


def run_steps(catalog: Catalog, steps: list[tuple[str, dict[bytes, Item | None]]]) -> list[tuple[Job, Tree]]:
    """Make a Job of each step; returns each with the tree it left, as a model keeps it."""
    made: list[tuple[Job, Tree]] = []
    fulls: list[tuple[Job, Tree]] = []
    for level, changes in steps:
        if level == "F" or not made:
            kept: Tree = {path: item for path, item in changes.items() if item is not None}
            made.append((backup(catalog, kept), kept))
            fulls.append(made[-1])
            continue
        base, before = fulls[-1] if level == "D" else made[-1]
        after = dict(before)
        sent: dict[bytes, Item | None] = {}
        for path, item in changes.items():
            if item is not None:
                after[path] = sent[path] = item
            elif path in after:
                del after[path]
                sent[path] = None
        made.append((backup(catalog, sent, level, base), after))
    return made


def is_below(path: bytes, prefix: bytes) -> bool:
    top = prefix.rstrip(b"/")
    return path == top or path.startswith(top + b"/")


@settings(max_examples=60)
@given(st.lists(STEP, max_size=8), st.lists(PATHS | st.just(b"/"), max_size=3))
def test_the_tree_of_any_job_is_what_a_model_says(steps: list, prefixes: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as directory, open_catalog(Path(directory)) as catalog:
        for job, model in run_steps(catalog, steps):
            rows = list(catalog.tree(job.job_id))
            assert [row.path for row in rows] == sorted(model)
            assert tree_of(catalog, job) == as_rows(model)
            part = tree_of(catalog, job, prefixes)
            wanted = {p: item for p, item in model.items() if not prefixes or any(is_below(p, q) for q in prefixes)}
            assert part == as_rows(wanted)
            assert list(part) == sorted(part)


def test_a_chain_longer_than_one_statement_is_merged_too(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        changes: Changes = {b"/%03d" % n: Item(1) for n in range(230)}
        job = backup(catalog, changes)
        for n in range(230):
            job = backup(catalog, {b"/%03d" % n: Item(2) if n % 3 else None}, "I", job)
        rows = list(catalog.tree(job.job_id))
        assert [row.path for row in rows] == [b"/%03d" % n for n in range(230) if n % 3]
        assert {row.lstat for row in rows} == {Item(2).lstat}


def test_a_row_says_which_job_holds_the_content(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        full = backup(catalog, {b"/a": Item(1), b"/b": Item(1)})
        last = backup(catalog, {b"/b": Item(2)}, "I", full)
        assert [(row.path, row.job_id, row.file_index) for row in catalog.tree(last.job_id)] == [
            (b"/a", full.job_id, 1),
            (b"/b", last.job_id, 1),
        ]


def test_the_order_of_a_chain_and_not_of_numbers_decides(tmp_path: Path) -> None:
    """After a rebuild of Volumes from two places a base can have the higher JobId."""
    with open_catalog(tmp_path) as catalog:
        newer = backup(catalog, {b"/a": Item(2)})
        older = backup(catalog, {b"/a": Item(1)})
        rows = list(tree(catalog.database, [older.job_id, newer.job_id]))
        assert [row.lstat for row in rows] == [Item(2).lstat]


def test_an_empty_tree_is_empty(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        assert list(catalog.tree(backup(catalog, {}).job_id)) == []


def test_an_entry_is_found_by_its_exact_path(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        full = backup(catalog, {b"/c/": Item(1, 5)})
        last = backup(catalog, {b"/c/": None}, "I", full)
        assert catalog.entry(full.job_id, b"/c") is None
        assert catalog.entry(full.job_id, b"/c/") is not None
        gone = catalog.entry(last.job_id, b"/c/")
        assert gone is not None
        assert gone.type == 23


def test_ranges_are_apart_and_in_order() -> None:
    assert ranges([]) == [(b"", None)]
    assert ranges([b"/a/", b"/a", b"/a/b"]) == [(b"/a", b"/a\0"), (b"/a/", b"/a0")]
    assert ranges([b"/a", b"/"]) == [(b"/", b"0")]
    assert ranges([b"/a", b""]) == [(b"", None)]
    assert ranges([b"/a", b"/a-b"]) == [(b"/a", b"/a\0"), (b"/a-b", b"/a-b\0"), (b"/a-b/", b"/a-b0"), (b"/a/", b"/a0")]
