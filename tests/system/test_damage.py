"""Volumes and catalogs that are damaged, cut short or gone: it is told, and the rest comes back."""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.conftest import Store, restored, some_files
from tests.system.odd_tree import noise
from tests.system.program import Running, fork, wait_until
from tests.system.trees import Directory, File, assert_same, differences, plant, survey

FLIPS = int(os.environ.get("FILED_FLIPS", "24"))


@pytest.mark.parametrize("number", range(FLIPS))
def test_a_flipped_bit_costs_what_it_hits_and_is_told(number: int, memory: Path) -> None:
    rng = random.Random(number)
    entries = {b"%d of %d" % (n, size): File(noise(size, n)) for n, size in enumerate([0, 10, 100, 5000, 70_000] * 12)}
    tree, store = plant(memory / "tree", Directory(entries=entries)), Store(memory / "volumes")
    expected = survey(tree)
    store.backup("full", tree, "--compress", rng.choice(("none", "gzip1")))
    volume = store.path / "Vol-0001"
    at, bit = rng.randrange(volume.stat().st_size), 1 << rng.randrange(8)
    with volume.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ bit]))
    what = f"bit {bit} at {at} of {volume.stat().st_size}"
    verified = store("verify", code=2)
    assert "Vol-0001" in verified.err, f"{what}: {verified}"
    found, ran = restored(store, tree, memory / "r", code=2)
    for path in expected.keys() - found.keys():
        assert os.fsdecode(path) in ran.err, f"{what}: {path!r} is lost, and not told: {ran}"
    beside = {path for path in found if path.endswith(b".corrupt")}
    kept = {path: known for path, known in found.items() if path in expected and path}
    assert differences({path: expected[path] for path in kept}, kept) == [], f"{what}: {ran}"
    assert found.keys() - expected.keys() == beside
    assert len(expected) - len(kept) <= 40, f"{what}: one block is lost, not more: {ran}"
    # And the next backup goes on, in this Volume or in another.
    store.backup("full", tree)
    assert_same(expected, restored(store, tree, memory / "again")[0])


def test_what_is_left_of_an_entry_is_never_taken_for_part_of_another(memory: Path) -> None:
    """The block that is lost ends between the attributes of the second file and its content, whose digest is right."""
    for size in range(128_200, 128_680, 20):
        place = memory / str(size)
        place.mkdir()
        first, second, store = place / "first", place / "second", Store(place / "volumes")
        first.write_bytes(noise(size, 1))
        second.write_bytes(noise(100, 2))
        store.backup("full", first, second, "--compress", "none")
        with (store.path / "Vol-0001").open("r+b") as file:
            file.seek(100_000)
            file.write(b"damage")
        store("restore", "--where", place / "r", code=2)
        for path in (first, second):
            found = place / "r" / path.relative_to("/")
            assert not found.exists() or found.read_bytes() == path.read_bytes(), f"{size}: {path.name}"


@pytest.mark.parametrize("part", [0, 0.01, 0.3, 0.9, 0.999])
def test_what_is_left_of_a_truncated_volume_comes_back(part: float, memory: Path) -> None:
    tree, store = some_files(memory), Store(memory / "volumes")
    expected = survey(tree)
    store.backup("full", tree)
    volume = store.path / "Vol-0001"
    os.truncate(volume, int(volume.stat().st_size * part))
    assert "Vol-0001" in store("verify", code=2).err
    ran = store("restore", "--where", memory / "r", code=2)
    assert "Vol-0001" in ran.err
    top = memory / "r" / tree.relative_to("/")
    found = survey(top) if top.exists() else {}
    files = {path: known for path, known in found.items() if known.kind == "file" and not path.endswith(b".corrupt")}
    assert [path for path, known in files.items() if known != expected[path]] == []
    assert len(files) >= int((len(expected) - 60) * part) - 1
    store.backup("full", tree)
    assert_same(expected, restored(store, tree, memory / "again")[0])


def test_a_missing_volume_is_named_and_the_others_are_restored(memory: Path) -> None:
    tree, store = some_files(memory), Store(memory / "volumes")
    expected = survey(tree)
    store.backup("full", tree, "--max-volume-bytes", "1000000", "--compress", "none")
    assert len(list(store.path.glob("Vol-*"))) >= 4
    (store.path / "Vol-0002").rename(memory / "lent")
    assert "Vol-0002" in store("verify", code=2).err
    found, ran = restored(store, tree, memory / "r", code=2)
    assert "Vol-0002" in ran.err
    files = {path for path, known in found.items() if known.kind == "file" and not path.endswith(b".corrupt")}
    assert len(files) > 60
    assert [path for path in files if found[path] != expected[path]] == []
    (memory / "lent").rename(store.path / "Vol-0002")
    store("verify")
    assert_same(expected, restored(store, tree, memory / "again")[0])


def damage(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(noise(20_000))


@pytest.mark.parametrize(
    "how",
    [
        Path.unlink,
        lambda path: path.write_bytes(b"this is no database, but long enough to look like one" * 100),
        lambda path: path.write_bytes(b""),
    ],
)
def test_a_catalog_that_is_gone_is_made_anew_when_asked_for(how: Callable[[Path], object], memory: Path) -> None:
    """A backup does not begin another one beside Volumes: that would hide what they hold."""
    tree, store = some_files(memory), Store(memory / "volumes")
    expected = survey(tree)
    store.backup("full", tree)
    how(store.path / "catalog.sqlite")
    commands: tuple[tuple[str | Path, ...], ...] = (
        ("jobs",),
        ("ls",),
        ("find", "*"),
        ("restore", "--where", memory / "nothing"),
        ("verify",),
        ("prune",),
        ("backup", "--level", "incremental", tree),
        ("backup", tree),
    )
    for command, *arguments in commands:
        ran = store(str(command), *arguments, code=(1, 2))
        assert f"filed catalog rebuild -s {store.path}" in ran.err, str(ran)
        assert "Traceback" not in ran.err
    assert not (memory / "nothing").exists()
    store("catalog", "rebuild")
    store("catalog", "check")
    assert_same(expected, restored(store, tree, memory / "r")[0])
    assert store.backup("incremental", tree)["level"] == "Incremental"


@pytest.mark.parametrize("seed", range(5))
def test_a_damaged_catalog_never_restores_something_else(seed: int, memory: Path) -> None:
    rng = random.Random(seed)
    tree, store = some_files(memory, 20, 1000), Store(memory / "volumes")
    expected = survey(tree)
    store.backup("full", tree)
    catalog = store.path / "catalog.sqlite"
    with catalog.open("r+b") as file:
        file.seek(rng.randrange(100, catalog.stat().st_size - 3000))
        file.write(rng.randbytes(3000))
    ran = store("restore", "--where", memory / "r", code=(0, 1, 2))
    assert "Traceback" not in ran.err
    assert ran.code == 0 or "catalog" in ran.err or "JobId" in ran.err, str(ran)
    top = memory / "r" / tree.relative_to("/")
    found = survey(top) if top.exists() else {}
    assert {path: known for path, known in found.items() if known.kind == "file" and known != expected.get(path)} == {}
    if ran.code == 0:
        assert_same(expected, found)
    store("catalog", "check", code=(0, 1, 4))
    store("catalog", "rebuild")
    store("catalog", "check")
    assert_same(expected, restored(store, tree, memory / "again")[0])


def test_a_catalog_that_somebody_holds_is_waited_for(memory: Path) -> None:
    tree, store = some_files(memory, 3), Store(memory / "volumes")
    store.backup("full", tree)
    holds = memory / "holds"
    holder = fork()
    if holder == 0:
        connection = sqlite3.connect(store.path / "catalog.sqlite", isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        holds.touch()
        wait_until(lambda: not holds.exists())
        connection.execute("ROLLBACK")
        os._exit(0)
    wait_until(holds.exists)
    waiting = Running("backup", "-s", store.path, "--level", "incremental", tree)
    wait_until(waiting.job_process)
    assert os.waitpid(waiting.pid, os.WNOHANG) == (0, 0)
    holds.unlink()
    waiting.ended(code=0)
    os.waitpid(holder, 0)
