from __future__ import annotations

import os
from pathlib import Path

import pytest

from filed.job.decode.known_digests import KnownDigests
from filed.job.description import Replace
from filed.pipeline import Digest
from filed.process.channel import Event
from filed.process.outcome import JobStatus
from filed.volume import Session
from filed.wire.restore_object import RestoreObject
from filed.wire.stream import Stream
from tests.job.network import backup_of, restore_to, run
from tests.job.storage import Storage

DONE: Event = {"event": "done"}
SESSION = Session(1, 17)  # of what the storage is sent


def saved(tmp_path: Path, storage: Storage) -> Path:
    source = tmp_path / "tree"
    source.mkdir()
    (source / "a").write_bytes(b"content")
    (source / "b").hardlink_to(source / "a")
    (source / "l").symlink_to("/a")
    os.utime(source, (1_000_000, 1_000_000))
    assert run(backup_of(source, tmp_path, storage.port)).outcome.status is JobStatus.OK
    return source


def below(where: Path, source: Path) -> Path:
    return where / source.relative_to("/")


def test_what_was_sent_comes_back(tmp_path: Path) -> None:
    with Storage() as storage:
        source = saved(tmp_path, storage)
        done = run(restore_to(tmp_path / "to", tmp_path, storage.port), [DONE])
    assert done.outcome.status is JobStatus.OK, done.outcome.text + str(done.messages)
    found = below(tmp_path / "to", source)
    assert (found / "a").read_bytes() == b"content"
    assert (found / "a").samefile(found / "b")
    assert found.stat().st_mtime == 1_000_000
    assert done.outcome.totals.files == 4


def test_a_directory_loses_what_it_got_since_it_was_saved_without(tmp_path: Path) -> None:
    with Storage() as storage:
        source = tmp_path / "tree"
        (source / "d").mkdir(parents=True)
        assert run(backup_of(source, tmp_path, storage.port, xattrsupport=True)).outcome.status is JobStatus.OK
        os.setxattr(source / "d", "user.added", b"1")
        done = run(restore_to(Path("/"), tmp_path, storage.port), [DONE])
    assert done.outcome.status is JobStatus.OK, done.outcome.text
    assert os.listxattr(source / "d") == []


def test_several_rounds_are_one_restore(tmp_path: Path) -> None:
    with Storage() as storage:
        source = saved(tmp_path, storage)
        again: Event = {"event": "again", "address": "127.0.0.1", "port": storage.port, "key": "KEY"}
        done = run(restore_to(tmp_path / "to", tmp_path, storage.port), [again, DONE])
        assert storage.read_sessions == 2
    assert done.outcome.status is JobStatus.OK, done.outcome.text
    assert below(tmp_path / "to", source).stat().st_mtime == 1_000_000


def test_names_may_be_changed(tmp_path: Path) -> None:
    with Storage() as storage:
        source = saved(tmp_path, storage)
        changed = f"!{source}!{tmp_path}/new!".encode()
        done = run(restore_to(Path("/"), tmp_path, storage.port, regexwhere=changed), [DONE])
    assert done.outcome.status is JobStatus.OK, done.outcome.text
    assert (tmp_path / "new" / "b").read_bytes() == b"content"


def test_what_is_there_may_stay(tmp_path: Path) -> None:
    with Storage() as storage:
        source = saved(tmp_path, storage)
        (source / "a").write_bytes(b"other")
        done = run(restore_to(Path("/"), tmp_path, storage.port, replace=Replace.NEVER), [DONE])
    assert (source / "a").read_bytes() == b"other"
    skipped = done.outcome.totals.skipped
    assert skipped
    assert f"skipped, since they exist already (Replace = never): {skipped} entries" in done.messages


def test_a_director_that_breaks_off_fails_the_job(tmp_path: Path) -> None:
    with Storage() as storage:
        saved(tmp_path, storage)
        done = run(restore_to(tmp_path / "to", tmp_path, storage.port), [{"event": "broken off"}])
    assert done.outcome.status is JobStatus.FATAL
    assert "broke" in done.outcome.text


def test_objects_of_an_agent_that_is_not_here_are_told_of(tmp_path: Path) -> None:
    with Storage() as storage:
        saved(tmp_path, storage)
        item = RestoreObject(1, 25, 0, b"nobody:1:", b"name", b"content")
        done = run(restore_to(tmp_path / "to", tmp_path, storage.port, objects=(item,)), [DONE])
    assert done.outcome.status is JobStatus.WARNINGS
    assert any("nobody" in text for text in done.messages)


@pytest.mark.parametrize("where", [Path("relative"), Path("/a/../b")])
def test_a_place_that_is_none_fails_the_job(tmp_path: Path, where: Path) -> None:
    assert run(restore_to(where, tmp_path, 1)).outcome.status is JobStatus.FATAL


def test_the_first_file_is_checked_against_the_digest_that_its_job_is_known_to_use(tmp_path: Path) -> None:
    known = KnownDigests(tmp_path)
    with Storage() as storage:
        source = tmp_path / "tree"
        source.mkdir()
        (source / "large").write_bytes(os.urandom(1 << 20))
        assert run(backup_of(source, tmp_path, storage.port)).outcome.status is JobStatus.OK
        assert known.of(SESSION) == {Digest.MD5}
        good = run(restore_to(tmp_path / "to", tmp_path, storage.port), [DONE])
        storage.records = [
            (index, stream, data[::-1] if stream == Stream.MD5_DIGEST else data)
            for index, stream, data in storage.records
        ]
        bad = run(restore_to(tmp_path / "bad", tmp_path, storage.port), [DONE])
    assert good.outcome.status is JobStatus.OK, good.messages
    assert bad.outcome.status is JobStatus.ERROR
    assert any("large" in text and "not what was saved" in text for text in bad.messages)


def test_what_is_known_wrong_of_a_job_is_told_and_forgotten(tmp_path: Path) -> None:
    known = KnownDigests(tmp_path)
    with Storage() as storage:
        source = tmp_path / "tree"
        source.mkdir()
        for name in ("first", "second"):
            (source / name).write_bytes(os.urandom(1 << 20))
        assert run(backup_of(source, tmp_path, storage.port)).outcome.status is JobStatus.OK
        known.remember(SESSION, [Digest.SHA1])
        wrong = run(restore_to(tmp_path / "to", tmp_path, storage.port), [DONE])
        assert known.of(SESSION) is None
        again = run(restore_to(tmp_path / "again", tmp_path, storage.port), [DONE])
    assert wrong.outcome.status is JobStatus.WARNINGS
    assert [text for text in wrong.messages if "digests could not be checked" in text]
    assert again.outcome.status is JobStatus.OK, again.messages
