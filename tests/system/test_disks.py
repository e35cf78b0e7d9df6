"""Disks that are full or may not be written: what is told, what stays, and whether one can go on."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.system.conftest import Store, restored, some_files
from tests.system.program import NOBODY, filed
from tests.system.trees import Directory, File, assert_same, plant, survey

MIB = 1 << 20


@contextmanager
def mounted(where: Path, *arguments: str) -> Iterator[Path]:
    where.mkdir(exist_ok=True)
    subprocess.run(["mount", *arguments, where], check=True)
    try:
        yield where
    finally:
        subprocess.run(["umount", where], check=True)


def small_disk(where: Path, size: int) -> contextmanager:  # type: ignore[type-arg]
    return mounted(where, "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs")


@pytest.mark.root
@pytest.mark.parametrize("size", [256 << 10, MIB, 3 * MIB])
def test_a_full_disk_fails_the_job_and_nothing_else(place: Path, size: int) -> None:
    """256 kB: the catalog itself fills it."""
    small, tree = plant(place / "small", Directory(entries={b"f": File(b"x")})), some_files(place)
    with small_disk(place / "disk", size) as disk:
        store = Store(disk / "volumes")
        store.backup("full", small)
        left = Path(disk / "volumes" / "Vol-0001").stat().st_size
        ran = store("backup", tree, code=2)
        assert "No space left on device" in ran.err or "disk is full" in ran.err
        assert str(disk) in ran.err
        assert "prune" in ran.err or "free" in ran.err
        assert [job["status"] for job in store.jobs()] == ["T", "f"]
        assert [path.name for path in store.path.glob("Vol-*")] == ["Vol-0001"]
        assert (store.path / "Vol-0001").stat().st_size == left
        store("verify")
        assert store.backup("incremental", small)["level"] == "Incremental"
        subprocess.run(["mount", "-o", "remount,size=20m", disk], check=True)
        store.backup("full", tree)
        assert_same(survey(tree), restored(store, tree, place / "r")[0])


def test_a_limit_on_the_size_of_files_fails_the_job_with_a_hint(place: Path, store: Store) -> None:
    tree = some_files(place)
    ran = filed(
        *("backup", "-s", store.path, tree),
        before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, MIB)),
        code=2,
    )
    assert "File too large" in ran.err
    assert "Maximum Volume Bytes" in ran.err
    assert [job["status"] for job in store.jobs()] == ["f"]
    store.backup("full", tree, "--max-volume-bytes", "1000000")
    assert len(list(store.path.glob("Vol-*"))) > 3
    assert_same(survey(tree), restored(store, tree, place / "r")[0])


@pytest.mark.root
def test_a_full_disk_ends_a_restore_and_leaves_only_whole_files(place: Path, store: Store) -> None:
    tree = some_files(place)
    store.backup("full", tree)
    with small_disk(place / "disk", 2 * MIB) as disk:
        ran = store("restore", "--where", disk / "r", code=2)
        assert "No space left on device" in ran.err
        expected, found = survey(tree), survey(disk / "r" / tree.relative_to("/"))
        files = {path: known for path, known in found.items() if known.kind == "file"}
        assert files
        assert [path for path, known in files.items() if known.content != expected[path].content] == []
        subprocess.run(["mount", "-o", "remount,size=20m", disk], check=True)
        assert_same(expected, restored(store, tree, disk / "r")[0])


@pytest.mark.root
def test_a_directory_that_is_read_only_can_be_read(place: Path) -> None:
    tree = some_files(place)
    store = Store(place / "there" / "volumes")
    store.path.parent.mkdir()
    store.backup("full", tree)
    store("prune")
    with mounted(place / "shown", "--bind", "-o", "ro", str(store.path.parent)) as shown:
        there = Store(shown / "volumes")
        assert len(there.jobs()) == 1
        there("verify")
        there("ls")
        assert_same(survey(tree), restored(there, tree, place / "r")[0])
        ran = there("backup", tree, code=(1, 2))
        assert "ead-only file system" in ran.err
        assert str(shown) in ran.err


@pytest.mark.root
def test_a_directory_of_somebody_else_is_refused_with_its_name(place: Path) -> None:
    tree = some_files(place, 2)
    store = Store(place / "volumes")
    store.backup("full", tree)
    for arguments in (("backup", tree), ("restore", "--where", place / "r"), ("jobs",), ("verify",), ("prune",)):
        ran = filed(arguments[0], "-s", store.path, *arguments[1:], user=NOBODY, code=(1, 2))
        assert "ermission denied" in ran.err or "is not readable" in ran.err, str(ran)
        assert str(store.path) in ran.err
        assert "Traceback" not in ran.err
