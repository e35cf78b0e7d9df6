from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path

import pytest

from filed.job.agents.states_file import states_path
from filed.job.description import Changes, Level, ListMeaning
from filed.job.select.accurate_list import append_packet
from filed.process.outcome import JobStatus
from filed.wire.attributes import FileType, parse_attributes
from tests.job.network import backup_of, run
from tests.job.storage import Kept, Storage


def tree(tmp_path: Path) -> Path:
    made = tmp_path / "tree"
    made.mkdir()
    (made / "a").write_bytes(b"x" * 100_000)
    (made / "b").hardlink_to(made / "a")
    (made / "l").symlink_to("a")
    os.utime(made, (1_000_000, 1_000_000))  # a change within this very second would not show in a list of seconds
    return made


def entries(records: list[Kept]) -> dict[bytes, FileType]:
    found = [parse_attributes(data) for _, stream, data in records if stream == 1]
    return {item.path: FileType(item.type) for item in found}


def as_list(records: list[Kept], path: Path) -> None:
    """What a Director would send of these."""
    digests = {file_index: base64.b64encode(data).rstrip(b"=") for file_index, stream, data in records if stream == 3}
    with path.open("wb") as file:
        for file_index, stream, data in records:
            if stream == 1:
                saved = parse_attributes(data)
                append_packet(file, b"%b\0%b\0%b\x000" % (saved.path, saved.lstat, digests.get(file_index, b"")))


def test_a_full_sends_everything_with_digests(tmp_path: Path) -> None:
    source = tree(tmp_path)
    with Storage() as storage:
        done = run(backup_of(source, tmp_path, storage.port))
    assert done.outcome.status is JobStatus.OK, done.outcome.text
    assert storage.jobs == [b"Save.2026-11-23_10.14.28_03"]
    top = os.fsencode(source)
    assert set(entries(storage.records)) == {top + b"/", top + b"/a", top + b"/b", top + b"/l"}
    assert sum(stream == 3 for _, stream, _ in storage.records) == 2  # a link carries a copy
    assert (done.outcome.totals.files, done.outcome.totals.job_bytes) == (4, 100_000)
    assert states_path(tmp_path).exists()


def test_by_time_only_what_changed_is_sent_and_nothing_is_found_deleted(tmp_path: Path) -> None:
    source = tree(tmp_path)
    with Storage() as storage:
        done = run(
            backup_of(source, tmp_path, storage.port, level=Level.INCREMENTAL, changes=Changes(since=4_000_000_000))
        )
    assert done.outcome.status is JobStatus.OK
    assert storage.records == []


def test_an_accurate_job_marks_what_is_gone(tmp_path: Path) -> None:
    source = tree(tmp_path)
    listed = tmp_path / "list"
    with Storage() as storage:
        run(backup_of(source, tmp_path, storage.port))
        as_list(storage.records, listed)
        (source / "l").unlink()
        (source / "new").write_bytes(b"")
        storage.records.clear()
        done = run(
            backup_of(
                source,
                tmp_path,
                storage.port,
                level=Level.INCREMENTAL,
                changes=Changes(since=1, accurate=listed),
            )
        )
    assert done.outcome.status is JobStatus.OK, done.outcome.text
    top = os.fsencode(source)
    assert entries(storage.records) == {
        top + b"/new": FileType.EMPTY,
        top + b"/": FileType.DIRECTORY,
        top + b"/l": FileType.DELETED,
    }
    assert (done.outcome.totals.files, done.outcome.totals.deleted) == (2, 1)


@pytest.mark.parametrize("level", [Level.FULL, Level.INCREMENTAL])
def test_a_job_none_of_whose_paths_could_be_looked_at_has_failed(tmp_path: Path, level: Level) -> None:
    """bacula-fd says OK, with warnings: a Full of nothing is then the base of what follows, and pushes out the last one with data."""
    with Storage() as storage:
        done = run(backup_of(tmp_path / "none", tmp_path, storage.port, level=level))
    assert done.outcome.status is JobStatus.FATAL
    assert done.outcome.text == "none of its paths could be looked at; nothing is saved. Is a disk not mounted?"


@pytest.mark.parametrize(
    ("updates", "options", "without_content"),
    [(True, {}, [b"mode", b"time"]), (False, {}, []), (True, {"xattrsupport": True}, [])],
)
def test_attributes_are_sent_alone_where_the_letter_asks_and_the_content_is_read_to_be_as_before(
    tmp_path: Path,
    updates: bool,  # noqa: FBT001  of the table above
    options: dict[str, bool],
    without_content: list[bytes],
) -> None:
    source = tmp_path / "tree"
    source.mkdir()
    for name in ("content", "mode", "time", "kept", "linked"):
        (source / name).write_text(f"of {name}")
    (source / "name").hardlink_to(source / "linked")
    listed = tmp_path / "list"
    with Storage() as storage:
        run(backup_of(source, tmp_path, storage.port))
        as_list(storage.records, listed)
        storage.records.clear()
        for name in ("mode", "content", "linked"):
            (source / name).chmod(0o600)
        (source / "content").write_text("of CONTENT")
        os.utime(source / "time", (1, 1))
        changes = Changes(since=1, accurate=listed, attribute_updates=updates)
        job = backup_of(
            source, tmp_path, storage.port, level=Level.INCREMENTAL, changes=changes, accurate="pms5o", **options
        )
        done = run(job)
    assert done.outcome.status is JobStatus.OK, done.outcome.text
    sent = {
        parse_attributes(data).path.rpartition(b"/")[2]: stream
        for _, stream, data in storage.records
        if stream in {1, 37}
    }
    assert {name for name in sent if name} == {b"content", b"mode", b"time", b"linked", b"name"}
    assert sorted(name for name, stream in sent.items() if stream == 37) == without_content
    updates_sent = [parse_attributes(data) for _, stream, data in storage.records if stream == 37]
    assert all((item.extended, item.delta_seq) == (b"<NULL>", 1) for item in updates_sent)
    of_mode = next((index for index, stream, data in storage.records if stream == 37 and b"/mode\0" in data), 0)
    assert not of_mode or (3, hashlib.md5(b"of mode").digest()) in [
        (stream, data) for index, stream, data in storage.records if index == of_mode
    ]


def test_what_the_storage_daemon_calls_bad_is_bad(tmp_path: Path) -> None:
    with Storage(close_status=69) as storage:
        done = run(backup_of(tree(tmp_path), tmp_path, storage.port))
    assert done.outcome.status is JobStatus.FATAL
    assert "status E" in done.outcome.text


def test_upon_a_base_job_the_unchanged_is_marked_and_the_rest_sent(tmp_path: Path) -> None:
    source = tree(tmp_path)
    (source / "gone").write_bytes(b"")
    os.utime(source, (1_000_000, 1_000_000))  # what is changed below shows, in this very second, too
    listed = tmp_path / "list"
    with Storage() as storage:
        run(backup_of(source, tmp_path, storage.port))
        as_list(storage.records, listed)
        (source / "gone").unlink()
        (source / "l").unlink()
        (source / "l").symlink_to("elsewhere")
        storage.records.clear()
        changes = Changes(accurate=listed, meaning=ListMeaning.BASE)
        done = run(backup_of(source, tmp_path, storage.port, changes=changes))
    assert done.outcome.status is JobStatus.OK, done.outcome.text
    top = os.fsencode(source)
    assert entries(storage.records) == {
        top + b"/l": FileType.SYMLINK,
        top + b"/": FileType.DIRECTORY,
        top + b"/a": FileType.BASE,
        top + b"/b": FileType.BASE,
    }
    assert (done.outcome.totals.files, done.outcome.totals.deleted) == (4, 0)
    assert any("as in the Base Jobs" in text for text in done.messages)
    assert [index for index, stream, _ in storage.records if stream == 1] == [1, 2, 3, 4]


def test_a_name_that_is_sent_for_another_of_its_inode_is_not_of_the_base(tmp_path: Path) -> None:
    source = tree(tmp_path)
    listed = tmp_path / "list"
    with Storage() as storage:
        run(backup_of(source, tmp_path, storage.port))
        as_list([kept for kept in storage.records if b"/b\0" not in kept[2]], listed)
        storage.records.clear()
        changes = Changes(accurate=listed, meaning=ListMeaning.BASE)
        run(backup_of(source, tmp_path, storage.port, changes=changes))
    kinds = entries(storage.records)
    top = os.fsencode(source)
    assert {kinds[top + b"/a"], kinds[top + b"/b"]} == {FileType.REGULAR, FileType.HARD_LINK}
    assert kinds[top + b"/l"] == FileType.BASE
    assert len([stream for _, stream, _ in storage.records if stream == 1]) == len(kinds), "each once"


def test_an_incomplete_job_goes_on_behind_what_it_sent(tmp_path: Path) -> None:
    source = tree(tmp_path)
    listed = tmp_path / "list"
    with Storage() as storage:
        run(backup_of(source, tmp_path, storage.port))
        sent = [kept for kept in storage.records if b"/l\0" in kept[2]]
        as_list(sent, listed)
        storage.records.clear()
        changes = Changes(accurate=listed, meaning=ListMeaning.SENT, sent=1)
        done = run(backup_of(source, tmp_path, storage.port, changes=changes))
    assert done.outcome.status is JobStatus.OK, done.outcome.text
    top = os.fsencode(source)
    assert set(entries(storage.records)) == {top + b"/a", top + b"/b", top + b"/"}
    assert [index for index, stream, _ in storage.records if stream == 1] == [2, 3, 4]
    assert done.outcome.totals.files == 4, "of all its runs"
