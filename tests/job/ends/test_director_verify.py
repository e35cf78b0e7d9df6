from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from filed.fileset import FileSet, Include, Options, Signature
from filed.job.description import NetworkVerify, VerifyLevel
from filed.job.ends.director_verify import DirectorVerify
from filed.job.process import start_job
from filed.job.select.accurate_list import append_packet
from filed.job.setup import default_setup
from filed.process.channel import Event
from filed.process.outcome import JobStatus, Outcome
from filed.wire.attributes import FileType, Stat, encode_stat, pack_attributes, parse_attributes
from filed.wire.stream import Stream
from filed.wire.verify import digest_text
from tests.job.conftest import Desk
from tests.job.network import backup_of, run, storage_at, who
from tests.job.storage import Storage


@pytest.fixture
def source(tmp_path: Path) -> Path:
    made = tmp_path / "tree"
    made.mkdir()
    (made / "a").write_bytes(b"content")
    (made / "b").hardlink_to(made / "a")
    (made / "l").symlink_to("/a")
    (made / os.fsdecode(b"\xff\n")).write_bytes(b"odd")
    return made


def saved(source: Path, tmp_path: Path, storage: Storage) -> None:
    assert run(backup_of(source, tmp_path, storage.port)).outcome.status is JobStatus.OK


def ran(job: NetworkVerify) -> tuple[Outcome, list[bytes], list[str]]:
    """How it ended, the lines for the Director, the messages."""
    lines: list[bytes] = []
    messages: list[str] = []

    def on_event(event: Event) -> None:
        if event["event"] == "verify lines":
            told = event["lines"]
            assert isinstance(told, list)
            lines.extend(str(line).encode("utf-8", "surrogateescape") for line in told)
        elif event["event"] == "message":
            messages.append(str(event["text"]))

    with start_job(job) as process:
        outcome = process.run(on_event, lambda: None, lambda: True)
    return outcome, lines, messages


def of_volumes(level: VerifyLevel, tmp_path: Path, storage: Storage, accurate: Path | None = None) -> NetworkVerify:
    return NetworkVerify(who(tmp_path), level, default_setup(), storage=storage_at(storage.port), accurate=accurate)


def replaced(storage: Storage, stream: int, old: bytes, new: bytes) -> None:
    """Change the first such record that holds `old`."""
    for at, (index, kind, data) in enumerate(storage.records):
        if kind == stream and old in data:
            storage.records[at] = (index, kind, data.replace(old, new))
            return
    raise AssertionError(old)


def listed(tmp_path: Path, storage: Storage) -> Path:
    """The list that a Director would send of what it heard from the Storage Daemon."""
    path = tmp_path / "list"
    digests = {index: data for index, stream, data in storage.records if stream == Stream.MD5_DIGEST}
    with path.open("wb") as file:
        for index, stream, data in storage.records:
            if stream == Stream.UNIX_ATTRIBUTES:
                known = parse_attributes(data)
                append_packet(file, b"\0".join((known.path, known.lstat, digest_text(digests.get(index, b"")), b"0")))
    return path


@pytest.mark.parametrize("level", [VerifyLevel.INIT, VerifyLevel.CATALOG, VerifyLevel.DISK])
def test_the_disk_is_told_entry_by_entry(tmp_path: Path, source: Path, level: VerifyLevel) -> None:
    blocks = (Options(signature=Signature.SHA1, verify="pin5"),)
    fileset = FileSet((Include(options=blocks, files=(os.fsencode(source),)),))
    outcome, lines, messages = ran(NetworkVerify(who(tmp_path), level, default_setup(), fileset))
    assert outcome.status is JobStatus.OK, messages
    assert outcome.totals.files == 5
    entries = {line.split(b"\0")[0].split(b" ", 3)[3]: line for line in lines if b" 1 " in line[:8]}
    top = os.fsencode(source)
    assert entries.keys() == {top + name for name in (b"/a", b"/b", b"/l", b"/\xff\n", b"/")}
    assert all(b" 1 VVpin5 " in line and b" A A A\0" in line for line in entries.values())
    assert entries[top + b"/l"].endswith(b"\0/a\0")
    links = [line for line in entries.values() if line.endswith((b"\0%b/a\0" % top, b"\0%b/b\0" % top))]
    assert len(links) == 1, "the further name"
    assert len([line for line in lines if b"*SHA1-" in line]) == 2


def test_no_name_waits_for_a_digest_that_was_told(tmp_path: Path, desk: Desk) -> None:
    """A tree of hard links would fill the memory: each digest that is told is also passed on."""
    job = NetworkVerify(who(tmp_path), VerifyLevel.INIT, default_setup(), FileSet())
    with ExitStack() as stack:
        disk = DirectorVerify(job, desk.context).disk(stack)
    assert disk is not None
    passed_on: list[tuple[int, int, bytes]] = []
    disk.check.on_digest = lambda index, stream, digest: passed_on.append((index, stream, digest))
    disk.check.entry(1, Options())
    lstat = encode_stat(Stat(mode=0o100644, nlink=2))
    disk.check.write(1, Stream.UNIX_ATTRIBUTES, pack_attributes(1, FileType.REGULAR, b"/a", lstat))
    disk.check.write(1, Stream.MD5_DIGEST, b"m" * 16)
    assert passed_on == [(1, Stream.MD5_DIGEST, b"m" * 16)]


def test_each_entry_has_the_letters_of_its_own_options(tmp_path: Path, source: Path) -> None:
    blocks = (Options(wild=(b"*/a",), verify="s", signature=Signature.MD5), Options(verify="u"))
    fileset = FileSet((Include(options=blocks, files=(os.fsencode(source),)),))
    _, lines, _ = ran(NetworkVerify(who(tmp_path), VerifyLevel.INIT, default_setup(), fileset))
    found = {line.split(b"\0")[0].rpartition(b"/")[2]: line.split()[2] for line in lines if b"\0" in line}
    assert found == {b"a": b"VVs", b"b": b"VVu", b"l": b"VVu", b"\xff\n": b"VVu", b"": b"VVs"[:2] + b"u"}


def test_volumes_are_told_as_they_are(tmp_path: Path, source: Path) -> None:
    with Storage() as storage:
        saved(source, tmp_path, storage)
        kept = [parse_attributes(data) for _, stream, data in storage.records if stream == Stream.UNIX_ATTRIBUTES]
        outcome, lines, _ = ran(of_volumes(VerifyLevel.VOLUME, tmp_path, storage))
    assert outcome.status is JobStatus.OK
    assert (outcome.totals.files, outcome.totals.read_bytes) == (5, 0)
    entries = [line for line in lines if b" 1 pinsug5 " in line]
    assert entries == [
        b"%d 1 pinsug5 %b\0%b\0%b\0" % (number, one.path, one.lstat, one.link) for number, one in enumerate(kept, 1)
    ]
    assert len(lines) - len(entries) == 3, "further names have a digest, too"


def test_whole_data_is_no_difference(tmp_path: Path, source: Path) -> None:
    with Storage() as storage:
        saved(source, tmp_path, storage)
        outcome, lines, messages = ran(of_volumes(VerifyLevel.DATA, tmp_path, storage, listed(tmp_path, storage)))
    assert (outcome.status, lines, messages) == (JobStatus.OK, [], [])
    assert (outcome.totals.files, outcome.totals.read_bytes) == (5, len(b"content" + b"odd"))


def test_data_that_is_not_what_its_digest_says_is_a_difference(tmp_path: Path, source: Path) -> None:
    with Storage() as storage:
        saved(source, tmp_path, storage)
        replaced(storage, Stream.FILE_DATA, b"content", b"Content")
        outcome, _, messages = ran(of_volumes(VerifyLevel.DATA, tmp_path, storage))
    assert outcome.status is JobStatus.DIFFERENCES
    (said,) = messages
    assert said.startswith((f"{source}/a: ", f"{source}/b: "))
    assert "the content is not what was saved" in said


def test_data_that_cannot_be_decoded_is_an_error(tmp_path: Path, source: Path) -> None:
    with Storage() as storage:
        saved(source, tmp_path, storage)
        at = [stream for _, stream, _ in storage.records].index(Stream.FILE_DATA)
        index, _, data = storage.records[at]
        storage.records[at] = (index, int(Stream.GZIP_DATA), data)
        outcome, _, messages = ran(of_volumes(VerifyLevel.DATA, tmp_path, storage))
    assert outcome.status is JobStatus.ERROR
    assert len(messages) == 1
    assert "damaged" in messages[0]


def test_what_the_catalog_has_otherwise_is_a_difference(tmp_path: Path, source: Path) -> None:
    with Storage() as storage:
        saved(source, tmp_path, storage)
        known = listed(tmp_path, storage)
        lost = parse_attributes(next(d for _, s, d in storage.records if s == Stream.UNIX_ATTRIBUTES and b"/l\0" in d))
        replaced(storage, Stream.UNIX_ATTRIBUTES, b"/l\0", b"/L\0")
        replaced(storage, Stream.UNIX_ATTRIBUTES, b" IGk ", b" IGA ")
        outcome, _, messages = ran(of_volumes(VerifyLevel.DATA, tmp_path, storage, known))
    assert outcome.status is JobStatus.DIFFERENCES
    text = "\n".join(messages)
    assert f"{source}/L: is not in the catalog" in text
    assert f"{os.fsdecode(lost.path)}: is in the catalog, and not on the Volumes" in text
    assert ": the catalog has another mode" in text
    assert len(messages) == 3


def test_a_digest_that_is_not_the_catalogs_is_a_difference(tmp_path: Path, source: Path) -> None:
    with Storage() as storage:
        saved(source, tmp_path, storage)
        known = listed(tmp_path, storage)
        (source / "a").write_bytes(b"CONTENT")
        storage.records.clear()
        saved(source, tmp_path, storage)
        outcome, _, messages = ran(of_volumes(VerifyLevel.DATA, tmp_path, storage, known))
    assert outcome.status is JobStatus.DIFFERENCES
    assert sum("the catalog has another digest" in text for text in messages) == 2, "of both names"
