"""What an Incremental must not miss, and what it must not do."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.system.conftest import Store
from tests.system.program import NOBODY, filed, filed_program
from tests.system.trees import Directory, File, HardLink, assert_same, plant, survey


def test_swapped_directories_whose_files_are_of_the_same_moment(place: Path, store: Store) -> None:
    """Size and both times of the two files are the same: made in one tick of the kernel's clock, as by any script."""
    tree = place / "tree"
    for _ in range(1000):
        (tree / "first").mkdir(parents=True)
        (tree / "second").mkdir()
        for name in ("first", "second"):
            fd = os.open(tree / name / "f", os.O_CREAT | os.O_WRONLY)
            os.write(fd, name[:5].encode())
            os.close(fd)
        times = [(found.st_mtime_ns, found.st_ctime_ns) for found in map(os.stat, tree.glob("*/f"))]
        if times[0] == times[1]:
            break
        for name in ("first", "second"):
            (tree / name / "f").unlink()
            (tree / name).rmdir()
    else:
        pytest.skip("this kernel's clock has no ticks")
    store.backup("full", tree)
    (tree / "first").rename(tree / "aside")
    (tree / "second").rename(tree / "first")
    (tree / "aside").rename(tree / "second")
    store.backup("incremental", tree)
    store("restore", "--where", place / "r")
    assert_same(survey(tree), survey(place / "r" / tree.relative_to("/")))


def test_an_incremental_with_nothing_changed_opens_no_file(place: Path, store: Store, programs: object) -> None:
    """Seen from outside, by strace: directories are opened, files are not."""
    programs("strace")  # type: ignore[operator]
    entries = {b"file %d" % n: File(b"x" * n) for n in range(200)}
    linked = {b"one": File(b"names"), b"two": HardLink(b"linked/one")}
    tree = plant(
        place / "tree", Directory(entries={b"d": Directory(entries=entries), b"linked": Directory(entries=linked)})
    )
    store.backup("full", tree)
    trace = place / "trace"
    ran = filed_program(
        *("backup", "-s", store.path, "--level", "incremental", "--json", tree),
        under=("strace", "-f", "-qq", "-o", str(trace), "-e", "trace=open,openat,openat2,creat,open_by_handle_at"),
    )
    assert (ran.json["level"], ran.json["files"], ran.json["read_bytes"]) == ("Incremental", 0, 0)
    lines = trace.read_text(errors="replace").splitlines()
    assert any(f'"{tree.name}"' in line for line in lines), "the trace has seen the walk"
    names = re.compile(r'"(file \d+|one|two)"')
    assert [line for line in lines if names.search(line)] == []


@pytest.mark.root
def test_what_cannot_be_looked_at_is_not_deleted(place: Path) -> None:
    """As an ordinary user: a directory that was readable and is not any more."""
    home = place / "home"
    tree = plant(
        home,
        Directory(
            mode=0o755,
            entries={b"tree": Directory(entries={b"d": Directory(entries={b"f": File(b"x")}), b"g": File(b"y")})},
        ),
    )
    for path in (home, *home.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    tree, store = home / "tree", Store(home / "volumes")
    before = survey(tree)
    filed("backup", "-s", store.path, tree, user=NOBODY)
    os.chown(tree / "d", 0, 0)
    (tree / "d").chmod(0o700)
    (tree / "g").write_bytes(b"changed")
    ran = filed("backup", "-s", store.path, "--level", "incremental", "--json", tree, user=NOBODY, code=3)
    assert (ran.json["level"], ran.json["deleted"], ran.json["errors"]) == ("Incremental", 0, 1)
    assert f"{tree}/d: Permission denied" in ran.err
    assert f"{store.path} belongs to user {NOBODY}" in store("restore", "--where", place / "r", code=1).err
    os.chown(store.path, 0, 0)
    store("restore", "--where", place / "r")
    found = survey(place / "r" / tree.relative_to("/"))
    assert found.keys() == before.keys()
    assert found[b"d/f"] == before[b"d/f"]


def test_a_tree_that_is_not_there_at_all_is_not_taken_for_deleted(place: Path, store: Store) -> None:
    """A disk that is not mounted must not empty the backup."""
    tree = plant(place / "tree", Directory(entries={b"f": File(b"x")}))
    before = survey(tree)
    store.backup("full", tree)
    tree.rename(place / "unmounted")
    ran = store("backup", "--level", "incremental", "--json", tree, code=2)
    assert (ran.json["deleted"], ran.json["status"]) == (0, "f")
    assert f"{tree}: No such file or directory" in ran.err
    store("restore", "--where", place / "r")
    assert_same(before, survey(place / "r" / tree.relative_to("/")))
