"""What users of backup programs reported in public, where no other test of this project has it."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.system.conftest import Store, restored
from tests.system.program import filed
from tests.system.test_disks import small_disk
from tests.system.trees import assert_same, survey

LONG_AGO = 978_307_200
MIB = 1 << 20


@pytest.fixture
def tree(place: Path) -> Path:
    made = place / "tree"
    made.mkdir()
    return made


def below(where: Path, path: Path) -> Path:
    return where / path.relative_to("/")


def conf(place: Path, store: Store, tree: Path) -> Path:
    made = place / "filed.conf"
    made.write_text(
        "Job { Name = J; FileSet = F; Storage = D }\n"
        f"FileSet {{ Name = F; Include {{ Options {{ signature = MD5; xattrsupport = yes }}\n File = {tree}\n }} }}\n"
        f"Storage {{ Name = D; Archive Device = {store.path} }}\n"
    )
    return made


@contextmanager
def mounted(image: Path, where: Path) -> Iterator[int]:
    """Yields its device number."""
    subprocess.run(["mount", "-o", "loop", image, where], check=True)
    try:
        yield where.stat().st_dev
    finally:
        subprocess.run(["umount", where], check=True)


@pytest.mark.root
def test_another_device_number_is_no_change(place: Path, store: Store, tree: Path) -> None:
    image, other, elsewhere = place / "image", place / "other", place / "elsewhere"
    for file in (image, other):
        with file.open("wb") as made:
            made.truncate(8 * MIB)
        subprocess.run(["mkfs.ext4", "-q", file], check=True)
    elsewhere.mkdir()
    with mounted(image, tree) as before:
        (tree / "one").write_text("content")
        (tree / "two").hardlink_to(tree / "one")
        store.backup("full", tree)
    with mounted(other, elsewhere), mounted(image, tree) as after:
        assert before != after
        assert store.backup("incremental", tree)["files"] == 0
        store("restore", "--where", place / "r")
    assert below(place / "r", tree / "one").samefile(below(place / "r", tree / "two"))


@pytest.mark.root
def test_files_of_two_file_systems_with_the_same_inode_numbers_are_not_mixed_up(
    place: Path, store: Store, tree: Path
) -> None:
    names = ("here", "there")
    for name in names:
        (tree / name).mkdir()
    with small_disk(tree / "here", MIB), small_disk(tree / "there", MIB):
        for name in names:
            (tree / name / "one").write_text(name)
            (tree / name / "two").hardlink_to(tree / name / "one")
        assert (tree / "here" / "one").stat().st_ino == (tree / "there" / "one").stat().st_ino
        ran = store("backup", tree)
        for name in names:
            assert f"{tree / name} is a different filesystem" in ran.err
        store("backup", "--all-filesystems", tree)
        found, _ = restored(store, tree, place / "r")
        assert_same(survey(tree), found)


def test_what_is_moved_in_or_renamed_with_its_old_times_is_saved(place: Path, store: Store, tree: Path) -> None:
    for directory in (tree / "A" / "x", tree / "B", place / "outside"):
        directory.mkdir(parents=True)
        (directory / "file").write_text(str(directory))
        os.utime(directory / "file", (LONG_AGO, LONG_AGO))
    store.backup("full", tree)
    (tree / "A").rename(tree / "C")
    (tree / "B").rename(tree / "A")
    (tree / "C").rename(tree / "B")
    (place / "outside").rename(tree / "inside")
    (tree / "A" / "file").rename(tree / "A" / "renamed")
    store.backup("incremental", tree)
    assert_same(survey(tree), restored(store, tree, place / "r")[0])


def test_a_directory_becomes_a_file_and_a_file_a_directory(place: Path, store: Store, tree: Path) -> None:
    (tree / "d" / "inner").mkdir(parents=True)
    (tree / "d" / "inner" / "f").write_text("1")
    (tree / "f").write_text("a file")
    store.backup("full", tree)
    subprocess.run(["rm", "-r", tree / "d", tree / "f"], check=True)
    (tree / "d").write_text("a file now")
    (tree / "f").mkdir()
    (tree / "f" / "x").write_text("in it")
    store.backup("incremental", tree)
    assert_same(survey(tree), restored(store, tree, place / "r")[0])
    store("restore", "1", "--where", place / "full")
    assert below(place / "full", tree / "d" / "inner" / "f").read_text() == "1"


@pytest.mark.root
def test_times_before_1970_and_of_the_year_four_million(place: Path, store: Store) -> None:
    with small_disk(place / "disk", MIB) as disk:
        times = {"second": -1, "half": -2, "old": -9_000_000_000_000, "far": 139_000_000_000_000}
        for name, seconds in times.items():
            (disk / name).write_text(name)
            subprocess.run(["touch", "-d", f"@{seconds}{'.5' if name == 'half' else ''}", disk / name], check=True)
        store.backup("full", disk)
        assert "far" in store("ls", "-l").out
        assert store.backup("incremental", disk)["files"] == 0
        store("restore", "--where", disk / "r")
        for name in times:
            assert below(disk / "r", disk / name).stat().st_mtime_ns == (disk / name).stat().st_mtime_ns, name


def test_each_name_of_a_file_comes_back_alone(place: Path, store: Store, tree: Path) -> None:
    (tree / "a").write_text("data")
    for name in ("b", "c"):
        (tree / name).hardlink_to(tree / "a")
    store.backup("full", tree)
    for name in ("a", "b", "c"):
        store("restore", "latest", tree / name, "--where", place / name)
        assert below(place / name, tree / name).read_text() == "data"


@pytest.mark.root
def test_an_attribute_that_the_target_has_no_room_for_costs_nothing_else(place: Path, store: Store) -> None:
    with small_disk(place / "disk", MIB) as disk:
        (disk / "f").write_text("content")
        os.setxattr(disk / "f", "user.small", b"s")
        os.setxattr(disk / "f", "user.large", b"l" * 50_000)
        image = place / "image"
        with image.open("wb") as made:
            made.truncate(8 * MIB)
        subprocess.run(["mkfs.ext4", "-q", image], check=True)
        (place / "target").mkdir()
        filed("backup", "-c", conf(place, store, disk))
        with mounted(image, place / "target"):
            ran = store("restore", "--where", place / "target", code=3)
            assert "user.large" in ran.err
            back = below(place / "target", disk / "f")
            assert (back.read_text(), os.listxattr(back)) == ("content", ["user.small"])
        store("restore", "--where", disk / "r")
        assert len(os.getxattr(below(disk / "r", disk / "f"), "user.large")) == 50_000


@pytest.mark.root
def test_more_names_of_attributes_than_the_kernel_lists_are_a_warning(place: Path, store: Store) -> None:
    with small_disk(place / "disk", 4 * MIB) as disk:
        (disk / "f").write_text("content")
        for number in range(300):
            os.setxattr(disk / "f", f"user.{number:0240}", b"v")
        ran = filed("backup", "-c", conf(place, store, disk), code=3)
        assert f"{disk / 'f'}: {os.strerror(errno.E2BIG)}" in ran.err


@pytest.mark.root
def test_what_may_not_be_replaced_is_named_and_costs_nothing_else(place: Path, store: Store) -> None:
    image, disk = place / "image", place / "disk"
    disk.mkdir()
    with image.open("wb") as made:
        made.truncate(8 * MIB)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    with mounted(image, disk):
        for name in ("fixed", "d/f", "free"):
            (disk / "s" / name).parent.mkdir(parents=True, exist_ok=True)
            (disk / "s" / name).write_text("new")
        store.backup("full", disk / "s")
        for name in ("fixed", "free"):
            (disk / "s" / name).write_text("old")
        fixed = [disk / "s" / "fixed", disk / "s" / "d"]
        subprocess.run(["chattr", "+i", *fixed], check=True)
        try:
            ran = store("restore", "--where", "/", code=2)
        finally:
            subprocess.run(["chattr", "-i", *fixed], check=True)
        assert {name for name in ("fixed", "d/f", "free") if f"s/{name}: Operation not permitted" in ran.err} == {
            "fixed",
            "d/f",
        }
        assert (disk / "s" / "free").read_text() == "new"
        assert list((disk / "s").rglob(".filed-*")) == []
