"""What goes out for each entry, and in which order, as it stands on the Volume."""

from __future__ import annotations

import os
from pathlib import Path

from filed.catalog import Catalog, Level
from filed.fileset import Options, Signature
from filed.process.outcome import JobStatus
from filed.storage import VolumeDirectory
from filed.volume import Session
from filed.wire.attributes import FileType, decode_stat, parse_attributes
from filed.wire.stream import Stream, stream_type
from tests.system_agents.jobs import Place, Ran, line

FULL, INCREMENTAL = Level.FULL, Level.INCREMENTAL
MD5 = Options(signature=Signature.MD5, xattrsupport=True)


def records(jobs: Place, ran: Ran) -> list[tuple[int, int, bytes]]:
    """(FileIndex, Stream, data) of a Job, without our own restore objects."""
    with Catalog.read(jobs.volumes) as catalog:
        job, media = catalog.job(ran.outcome.jobid), catalog.media(ran.outcome.jobid)
    session = Session(job.vol_session_id, job.vol_session_time)
    found = VolumeDirectory.open(jobs.volumes).read(media, session).records()
    return [
        (record.file_index, stream_type(record.stream), bytes(record.data))
        for record in found
        if stream_type(record.stream) != Stream.RESTORE_OBJECT
    ]


def save(jobs: Place, root: Path, level: Level = FULL, options: Options = MD5) -> Ran:
    ran = jobs.backup(line("filesystem"), files=[os.fsencode(root)], level=level, options=options)
    assert ran.outcome.status is JobStatus.OK, ran.messages
    return ran


def test_records_of_a_file_stand_in_the_order_of_real_daemons(jobs: Place) -> None:
    ran = jobs.backup(line("good", files="1", big="0"), files=[b"/@GOOD"], options=MD5)
    first = [stream for index, stream, _ in records(jobs, ran) if index == 1]
    assert first == [
        Stream.PLUGIN_NAME,
        Stream.UNIX_ATTRIBUTES,
        Stream.FILE_DATA,
        Stream.XATTR_LINUX,
        Stream.MD5_DIGEST,
        Stream.PLUGIN_NAME,
    ]


def test_file_indexes_count_from_one_and_never_fall(jobs: Place) -> None:
    ran = jobs.backup(line("good", files="70", page="9", contents="stream"), files=[b"/@GOOD"])
    indexes = [index for index, _, _ in records(jobs, ran)]
    assert indexes == sorted(indexes)
    assert sorted(set(indexes)) == list(range(1, ran.outcome.totals.files + 1))


def test_names_of_one_inode_are_saved_once_and_linked(jobs: Place, tmp_path: Path) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    (root / "a").write_text("content")
    for name in ("b", "c"):
        os.link(root / "a", root / name)
    found = records(jobs, save(jobs, root))
    entries = {index: parse_attributes(data) for index, stream, data in found if stream == Stream.UNIX_ATTRIBUTES}
    links = [entry for entry in entries.values() if entry.type == FileType.HARD_LINK]
    (first,) = [entry for entry in entries.values() if entry.type in (FileType.REGULAR, FileType.EMPTY)]
    assert len(links) == 2
    assert {entry.link for entry in links} == {first.path}
    assert {decode_stat(entry.lstat).link_fi for entry in links} == {first.file_index}
    assert sum(stream == Stream.FILE_DATA for _, stream, _ in found) == 1
    digests = {data for _, stream, data in found if stream == Stream.MD5_DIGEST}
    assert len(digests) == 1
    assert sum(stream == Stream.MD5_DIGEST for _, stream, _ in found) == 3


def test_deletions_come_last_with_the_old_times_and_no_data(jobs: Place, tmp_path: Path) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    for name in ("kept", "gone"):
        (root / name).write_text(name)
    os.utime(root / "gone", (1_000_000_000, 1_000_000_000))
    save(jobs, root)
    (root / "gone").unlink()
    (root / "kept").write_text("changed")
    found = records(jobs, save(jobs, root, INCREMENTAL))
    entry = parse_attributes(found[-1][2])
    assert (entry.type, entry.path) == (FileType.DELETED, os.fsencode(root / "gone"))
    assert decode_stat(entry.lstat).mtime == 1_000_000_000


def test_an_entry_whose_size_was_not_known_gets_that_of_its_data(jobs: Place) -> None:
    ran = jobs.backup(line("bad", sin="open-size-lie"), files=[b"/@BAD"])
    tree = jobs.tree(ran.outcome.jobid)
    assert decode_stat(tree[b"/@BAD/one"].lstat).size == 10  # what was thought when it was opened
    assert jobs.verify(ran.outcome.jobid).outcome.status is JobStatus.OK
