"""Restores onto what is there already: what gives way, what stays, and that nothing is written elsewhere."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from tests.system.conftest import Store
from tests.system.trees import Directory, File, HardLink, Special, Symlink, assert_same, plant, survey

SAVED, OLDER, NEWER = 1_500_000_000 * 10**9, 1_400_000_000 * 10**9, 1_600_000_000 * 10**9


@pytest.fixture
def tree(memory: Path) -> Path:
    names = {name: File(b"saved", mtime_ns=SAVED) for name in (b"older there", b"newer there", b"as old there")}
    inner = {b"file": File(b"saved"), b"link": Symlink(b"file"), b"FIFO": Special(kind=stat.S_IFIFO)}
    return plant(
        memory / "tree",
        Directory(
            entries={
                **names,
                b"not there": File(b"saved"),
                b"one": File(b"two names"),
                b"two": HardLink(b"one"),
                b"d": Directory(entries=inner, mode=0o750),
            }
        ),
    )


@pytest.fixture
def store(memory: Path, tree: Path) -> Store:
    store = Store(memory / "volumes")
    store.backup("full", tree)
    return store


def there(path: Path, what: Directory) -> Path:
    """Something stands at `path` already."""
    path.parent.mkdir(parents=True)
    return plant(path, what)


@pytest.mark.parametrize(
    ("replace", "kept"),
    [
        ("always", set()),
        ("never", {"older there", "newer there", "as old there"}),
        ("ifnewer", {"newer there", "as old there"}),
        ("ifolder", {"older there", "as old there"}),
    ],
)
def test_what_gives_way(memory: Path, tree: Path, store: Store, replace: str, kept: set[str]) -> None:
    times = {b"older there": OLDER, b"newer there": NEWER, b"as old there": SAVED}
    top = there(
        memory / "r" / tree.relative_to("/"),
        Directory(
            entries={
                **{name: File(b"was there", mtime_ns=when) for name, when in times.items()},
                b"nobody's": File(b"stays"),
                b"d": Directory(entries={b"other": File(b"stays")}),
            }
        ),
    )
    report = store("restore", "--where", memory / "r", "--replace", replace, "--json").json
    assert (report["errors"], report["skipped"]) == (0, len(kept))
    for name in times:
        assert (top / os.fsdecode(name)).read_bytes() == (b"was there" if os.fsdecode(name) in kept else b"saved")
    assert (top / "nobody's").read_bytes() == (top / "d" / "other").read_bytes() == b"stays"
    assert (top / "not there").read_bytes() == (top / "d" / "file").read_bytes() == b"saved"
    assert (top / "one").stat().st_ino == (top / "two").stat().st_ino


def test_a_second_restore_changes_nothing(memory: Path, tree: Path, store: Store) -> None:
    for _ in range(2):
        store("restore", "--where", memory / "r")
        assert_same(survey(tree), survey(memory / "r" / tree.relative_to("/")))


def test_back_in_place(tree: Path, store: Store) -> None:
    expected = survey(tree)
    shutil.rmtree(tree)
    store("restore", "--where", "/", tree)
    assert_same(expected, survey(tree))
    (tree / "d" / "file").write_bytes(b"spoilt")
    store("restore", "--where", "/", tree / "d" / "file")
    assert survey(tree)[b"d/file"] == expected[b"d/file"]


def test_what_is_of_another_kind_gives_way_but_a_directory_with_something_in_it_does_not(
    memory: Path, tree: Path, store: Store
) -> None:
    top = there(
        memory / "r" / tree.relative_to("/"),
        Directory(
            entries={
                b"d": File(b"a file, where a directory belongs"),
                b"one": Symlink(b"/etc/passwd"),
                b"not there": Directory(entries={b"precious": File(b"x")}),
            }
        ),
    )
    before = Path("/etc/passwd").stat()
    ran = store("restore", "--where", memory / "r", code=2)
    assert "not there: a directory is in the way" in ran.err
    assert (top / "not there" / "precious").exists()
    assert (top / "d" / "file").read_bytes() == b"saved"
    assert (top / "one").read_bytes() == b"two names"
    assert not (top / "one").is_symlink()
    assert Path("/etc/passwd").stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize("replace", ["always", "never", "ifnewer", "ifolder"])
def test_nothing_is_written_through_a_link_that_stands_there(
    memory: Path, tree: Path, store: Store, replace: str
) -> None:
    outside = plant(memory / "outside", Directory(entries={b"file": File(b"not yours", mtime_ns=OLDER)}))
    before = survey(outside)
    top = there(memory / "r" / tree.relative_to("/"), Directory(entries={b"d": Symlink(os.fsencode(outside))}))
    ran = store("restore", "--where", memory / "r", "--replace", replace, code=2)
    assert survey(outside) == before
    assert ran.code == 2
    assert "a symbolic link is in the way" in ran.err
    if replace == "always":  # the directory's own entry came last, and took the link's place
        store("restore", "--where", memory / "r")
        assert (top / "d" / "file").read_bytes() == b"saved"
    assert survey(outside) == before


def test_not_even_when_the_link_is_above_all_that_is_restored(memory: Path, tree: Path, store: Store) -> None:
    outside = plant(memory / "outside", Directory(entries={b"file": File(b"not yours")}))
    before = survey(outside)
    way = memory / "r" / tree.relative_to("/")
    way.parent.parent.mkdir(parents=True)
    way.parent.symlink_to(outside)
    ran = store("restore", "--where", memory / "r", code=2)
    assert "symbolic link" in ran.err
    assert survey(outside) == before


def test_where_itself_may_be_a_link_of_the_users(memory: Path, tree: Path, store: Store) -> None:
    (memory / "real").mkdir()
    (memory / "r").symlink_to("real")
    store("restore", "--where", memory / "r")
    assert_same(survey(tree), survey(memory / "real" / tree.relative_to("/")))


def test_a_relative_where_and_one_with_dots_are_what_a_shell_would_make_of_them(
    memory: Path, tree: Path, store: Store
) -> None:
    store("restore", "--where", f"{memory}/a/../b/./c")
    assert_same(survey(tree), survey(memory / "b" / "c" / tree.relative_to("/")))
    store("restore", "--where", "here", before=lambda: os.chdir(memory))
    assert_same(survey(tree), survey(memory / "here" / tree.relative_to("/")))


def test_a_path_that_was_never_saved_is_an_error(memory: Path, tree: Path, store: Store) -> None:
    ran = store("restore", "--where", memory / "r", tree / "no such", code=1)
    assert "no good backup holds" in ran.err
    assert "filed find" in ran.err
