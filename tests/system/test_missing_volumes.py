"""Volumes that are gone, or cut: no Job builds on them, and a rebuild names what is missing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.system.conftest import Store


def tree(place: Path) -> Path:
    found = place / "s"
    found.mkdir()
    (found / "a").write_bytes(os.urandom(240_000))
    return found


def two_jobs(store: Store, source: Path) -> None:
    store("backup", source)
    (source / "b").write_text("b")
    store("backup", "--level", "incremental", source)


def cut(volume: Path) -> None:
    os.truncate(volume, volume.stat().st_size - 100)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (Path.unlink, "Warning: Volume Vol-0001 of JobId 1 is missing: doing a Full instead of an Incremental"),
        (cut, "Warning: Volume Vol-0001 of JobId 2 is too short: "),
    ],
)
def test_no_job_builds_on_volumes_that_are_gone(store: Store, place: Path, spoil: object, why: str) -> None:
    source = tree(place)
    two_jobs(store, source)
    assert callable(spoil)
    spoil(store.path / "Vol-0001")
    said = store("backup", "--level", "incremental", source, code=3)
    assert why in said.err
    assert [(job["level"], job["status"]) for job in store.jobs()][-1] == ("F", "W")
    store("restore", "--where", place / "r")
    assert (place / "r" / source.relative_to("/") / "b").read_text() == "b"
    store("backup", "--level", "incremental", source)


def test_a_rebuild_names_what_is_missing(store: Store, place: Path) -> None:
    source = tree(place)
    store("backup", "--max-volume-bytes", "150000", source)  # over two Volumes
    store("backup", "--max-volume-bytes", "1", "--level", "incremental", source)
    names = sorted(path.name for path in store.path.glob("Vol-*"))
    assert names == ["Vol-0001", "Vol-0002", "Vol-0003"]
    full, incremental = (job["job"] for job in store.jobs())
    (store.path / "Vol-0001").rename(place / "away")
    said = store("catalog", "rebuild", code=3)
    assert "Volume Vol-0002: session" in said.err
    assert "is the end of a Job whose first Volume is missing" in said.err
    assert f"JobId 2 ({incremental}) cannot be restored: it builds on Job {full}, whose Volumes are missing" in said.err
    (place / "away").rename(store.path / "Vol-0001")
    (store.path / "Vol-0002").unlink()
    assert (
        f"JobId 1 ({full}) has no end: it died, or its last Volume is missing"
        in store("catalog", "rebuild", code=3).err
    )
