from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filed.catalog import Change, ChangeKind, FileRow, path_glob
from filed.catalog.find import diff
from filed.wire.attributes import Stat, encode_stat
from tests.catalog.model import Item, backup, begin, open_catalog
from tests.catalog.test_tree import STEP, run_steps


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        (b"*.conf", [b"/etc/a.conf", b"/etc/b/c.conf", b"x.conf"], [b"/etc/a.conf.d/x", b"/etc/a.config"]),
        (b"/etc/*", [b"/etc/a", b"/etc/a/b", b"/etc/d/"], [b"/opt/etc/a", b"/etc"]),
        (b"/etc", [b"/etc", b"/etc/"], [b"/etc/a"]),
        (b"log/", [b"/var/log/", b"/var/log"], [b"/var/log/x", b"/var/blog"]),
        (b"caf\xe9?", [b"/caf\xe9\xff", b"/caf\xe9\n"], [b"/caf\xe9"]),
        (b"[ab].txt", [b"/d/a.txt"], [b"/d/c.txt"]),
    ],
)
def test_a_glob_takes_what_a_person_expects(glob: bytes, yes: list[bytes], no: list[bytes]) -> None:
    pattern = path_glob(glob).pattern
    assert [path for path in yes if not pattern.match(path)] == []
    assert [path for path in no if pattern.match(path)] == []


def test_files_are_found_over_all_jobs_or_some(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        full = backup(catalog, {b"/etc/a.conf": Item(1), b"/etc/b": Item(1)})
        last = backup(catalog, {b"/etc/a.conf": Item(2), b"/etc/c.conf": None}, "I", full)
        found = [(row.job_id, row.path) for row in catalog.find(path_glob(b"*.conf"))]
        assert found == [(full.job_id, b"/etc/a.conf"), (last.job_id, b"/etc/a.conf"), (last.job_id, b"/etc/c.conf")]
        assert [row.job_id for row in catalog.find(path_glob(b"a.conf"), [full.job_id])] == [full.job_id]


GLOBS = st.lists(
    st.sampled_from([b"/", b"a", b"b", b"*", b"?", b"[", b"]", b"!", b"[ab]", b"[!a]", b"[]a]", b"\xff", b"."]),
    max_size=6,
).map(b"".join)


@settings(max_examples=60, deadline=None)
@given(globs=st.lists(GLOBS, min_size=1, max_size=8), paths=st.sets(GLOBS.map(b"/".__add__), min_size=1, max_size=30))
def test_what_is_found_is_what_matches_of_all_rows(globs: list[bytes], paths: set[bytes]) -> None:
    with tempfile.TemporaryDirectory() as directory, open_catalog(Path(directory)) as catalog:
        backup(catalog, {path: Item(1) for path in paths})
        for glob in globs:
            matches = path_glob(glob).pattern.match
            assert [row.path for row in catalog.find(path_glob(glob))] == sorted(filter(matches, paths)), glob


def test_few_rows_are_looked_at(tmp_path: Path) -> None:
    """By the number of rows that SQLite gives to Python: a pattern that begins like a path uses the index, others what they hold."""
    with open_catalog(tmp_path) as catalog:
        backup(catalog, {b"/d%02d/%03d.txt" % (n // 100, n): Item(1) for n in range(2000)})
        steps = list[None]()
        catalog.database.connection.set_progress_handler(lambda: steps.append(None), 100)
        assert sum(1 for _ in catalog.find(path_glob(b"/d07/*"))) == 100
        by_index = len(steps)
        assert sum(1 for _ in catalog.find(path_glob(b"?0777.*"))) == 0
        assert sum(1 for _ in catalog.find(path_glob(b"1777.t?t"))) == 1
        assert by_index * 5 < len(steps) - by_index


def test_versions_of_a_path_come_oldest_first_with_its_deletion(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        full = backup(catalog, {b"/a": Item(1)})
        second = backup(catalog, {b"/b": Item(1)}, "I", full)
        third = backup(catalog, {b"/a": None}, "I", second)
        feed = catalog.feed(begin(catalog, "I", third).job_id)
        feed.record(1, 1, b"1 3 /a\0A\0\0\0000\0")
        feed.flush()
        assert [(row.job_id, row.type) for row in catalog.versions(b"/a")] == [(full.job_id, 3), (third.job_id, 23)]


def test_entries_with_a_digest_can_be_verified(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        job = backup(catalog, {b"/a": Item(1), b"/d/": Item(1, 5), b"/l": Item(1, 4, b"a")})
        assert [(row.path, row.digest) for row in catalog.digests(job.job_id)] == [(b"/a", Item(1).digest)]


@settings(max_examples=40)
@given(st.lists(STEP, min_size=2, max_size=6), st.data())
def test_the_difference_of_any_two_jobs_is_what_a_model_says(steps: list, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as directory, open_catalog(Path(directory)) as catalog:
        made = run_steps(catalog, steps)
        old, before = data.draw(st.sampled_from(made))
        new, after = data.draw(st.sampled_from(made))
        changes = list(catalog.diff(old.job_id, new.job_id))
        kinds = {
            path: "-" if path not in after else "+" if path not in before else "M"
            for path in before.keys() | after.keys()
            if before.get(path) != after.get(path)
        }
        assert {change.path: change.kind.value for change in changes} == kinds
        assert [change.path for change in changes] == sorted(kinds)


PLAIN = Stat(mode=0o100644, size=5, mtime=100)


@dataclass(frozen=True, slots=True)
class Side:
    type: int = 3
    stat: Stat = PLAIN
    extended: bytes = b"ns:0,0,0"
    digest: bytes = b"\x03dddddddddddddddd"
    link: bytes = b""

    def row(self, job_id: int) -> FileRow:
        return FileRow(b"/f", self.type, 1, job_id, encode_stat(self.stat), self.extended, self.digest, self.link, 0)


def what(old: Side, new: Side) -> tuple[str, ...]:
    changes: list[Change] = list(diff(iter([old.row(1)]), iter([new.row(2)])))
    assert all(change.kind == ChangeKind.CHANGED for change in changes)
    return changes[0].what if changes else ()


@pytest.mark.parametrize(
    ("new", "names"),
    [
        (Side(stat=Stat(mode=0o100644, size=5, mtime=100, atime=9, ctime=9, ino=7, data_stream=4)), ()),
        (Side(type=1, link=b"/other"), ()),
        (Side(digest=b"\x0aother algorithm....."), ()),
        (Side(extended=b""), ()),
        (Side(extended=b"ns:5,0,5"), ()),
        (Side(extended=b"ns:0,5,0"), ("time",)),
        (Side(digest=b"\x03DDDDDDDDDDDDDDDD"), ("content",)),
        (Side(stat=Stat(mode=0o100600, size=6, mtime=101, uid=1)), ("size", "mode", "owner", "time")),
        (Side(stat=Stat(mode=0o100644, size=5, mtime=100, rdev=1)), ("device",)),
        (Side(type=4, digest=b""), ("type",)),
    ],
)
def test_a_change_is_what_would_differ_on_disk(new: Side, names: tuple[str, ...]) -> None:
    assert what(Side(), new) == names


def test_where_a_link_points_is_a_change() -> None:
    assert what(Side(type=4, link=b"a", digest=b""), Side(type=4, link=b"b", digest=b"")) == ("link",)


def test_attributes_that_cannot_be_read_still_compare() -> None:
    broken = FileRow(b"/f", 3, 1, 2, b"?", b"", b"", b"", 0)
    (change,) = diff(iter([Side(digest=b"").row(1)]), iter([broken]))
    assert change.what == ("attributes",)
    assert list(diff(iter([broken._replace(job_id=1)]), iter([broken]))) == []
