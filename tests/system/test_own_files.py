"""A directory of Volumes inside the tree that is saved."""

from __future__ import annotations

from pathlib import Path

from tests.system.conftest import Store


def listed(store: Store) -> set[str]:
    return {Path(line).name for line in store("ls").out.splitlines()}


def test_volumes_and_catalog_are_not_saved_into_themselves(place: Path) -> None:
    tree = place / "s"
    tree.mkdir()
    (tree / "a").write_bytes(b"x" * 300_000)
    store = Store(tree / "st")
    line = f"{store.path} holds the Volumes and the catalog of this backup: they are not saved into themselves"
    for level in ("full", "full", "incremental"):
        said = store("backup", "--level", level, "--compress", "none", "--max-volume-bytes", "100000", tree)
        assert said.err.count(line) == 1
        assert listed(store) == {"s", "a", "st"}
    (store.path / "notes.txt").write_text("somebody's own file, beside the Volumes")
    (store.path / "photos.sqlite").write_text("another one")
    store("backup", tree)
    assert listed(store) == {"s", "a", "st", "notes.txt", "photos.sqlite"}
    said = store("verify", "--disk", code=(0, 4))  # the times of their directory may be others
    assert "Vol-" not in said.err


def test_another_path_to_them_changes_nothing(place: Path) -> None:
    store = Store(place / "st")
    tree = place / "s"
    tree.mkdir()
    store("backup", tree)
    (tree / "other name").hardlink_to(store.path / "Vol-0001")
    store("backup", tree)
    assert listed(store) == {"s"}
