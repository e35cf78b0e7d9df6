"""Digest letters: content is read where nothing else differs, and left out where its digest is that of the list."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from filed.job.description import Changes, Level
from filed.process.outcome import JobStatus
from tests.job.ends.test_director_backup import as_list, entries
from tests.job.network import Run, backup_of, run
from tests.job.storage import Storage

SIZES = {"small": 100, "large": 3_000_000, "empty": 0}


def plant(source: Path) -> None:
    source.mkdir()
    for name, size in SIZES.items():
        (source / name).write_bytes(b"x" * size)
    with (source / "holes").open("wb") as file:
        file.seek(1_000_000)
        file.write(b"content")
    for path in source.iterdir():
        os.utime(path, (1_000_000, 1_000_000))


def incremental(tmp_path: Path, letters: str, change: bytes = b"", **options: object) -> tuple[Run, set[str]]:
    """What is sent again after the first byte of each became `change`, with another mtime."""
    source, listed = tmp_path / "tree", tmp_path / "list"
    plant(source)
    with Storage() as storage:
        run(backup_of(source, tmp_path, storage.port, **options))
        as_list(storage.records, listed)
        storage.records.clear()
        for path in source.iterdir():
            if change and path.stat().st_size:
                with path.open("r+b") as file:
                    file.write(change)
            os.utime(path, (2_000_000, 2_000_000))
        changes = Changes(since=1, accurate=listed)
        job = backup_of(
            source, tmp_path, storage.port, level=Level.INCREMENTAL, changes=changes, accurate=letters, **options
        )
        done = run(job)
    assert done.outcome.status is JobStatus.OK, done.outcome.text
    return done, {Path(os.fsdecode(path)).name for path in entries(storage.records)} - {"tree"}


@pytest.mark.parametrize("sparse", [False, True])
def test_what_was_touched_alone_is_read_and_not_sent(tmp_path: Path, sparse: bool) -> None:  # noqa: FBT001
    done, sent = incremental(tmp_path, "spug5", sparse=sparse)
    assert sent == set()
    assert (done.outcome.totals.read_bytes, done.outcome.totals.job_bytes) == (0, 0), "only what is sent counts as read"


def test_what_has_other_content_is_sent_whole_with_its_digest(tmp_path: Path) -> None:
    done, sent = incremental(tmp_path, "spug5", b"y")
    assert sent == {"small", "large", "holes"}
    assert done.outcome.totals.job_bytes == 100 + 3_000_000 + 1_000_007


def test_other_letters_need_no_look_at_the_content(tmp_path: Path) -> None:
    _, sent = incremental(tmp_path, "m5")
    assert sent == {*SIZES, "holes"}


def test_further_names_of_an_inode_are_compared_as_well(tmp_path: Path) -> None:
    source, listed = tmp_path / "tree", tmp_path / "list"
    plant(source)
    (source / "other").hardlink_to(source / "large")
    with Storage() as storage:
        run(backup_of(source, tmp_path, storage.port))
        as_list(storage.records, listed)
        for content, sent in ((b"x", set()), (b"y", {"large", "other"})):
            storage.records.clear()
            with (source / "large").open("r+b") as file:
                file.write(content)
            changes = Changes(since=1, accurate=listed)
            done = run(
                backup_of(source, tmp_path, storage.port, level=Level.INCREMENTAL, changes=changes, accurate="spug5")
            )
            assert done.outcome.status is JobStatus.OK, done.outcome.text
            assert {Path(os.fsdecode(path)).name for path in entries(storage.records)} - {"tree"} == sent
