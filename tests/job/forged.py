"""Jobs that no backup of ours would write: records as a test wants them, on a Volume, with a catalog made from it."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import md5
from pathlib import Path

from filed.job.rebuild import rebuild_catalog
from filed.storage import JobIdentity, JobTotals, VolumeDirectory
from filed.wire.attributes import FileType, Stat, encode_stat, pack_attributes
from filed.wire.stream import Stream

Record = tuple[int, int, bytes]  # FileIndex, stream, data
MTIME = 1_700_000_000
MODES = {FileType.DIRECTORY: 0o40755, FileType.SYMLINK: 0o120777, FileType.SPECIAL: 0o10644}


def attributes(
    index: int,
    path: bytes,
    kind: int = FileType.REGULAR,
    *,
    size: int = 0,
    link: bytes = b"",
    first: int = 0,
    nlink: int = 1,
) -> Record:
    mode = MODES.get(FileType(kind), 0o100644)
    stat = Stat(mode=mode, nlink=nlink, size=size, atime=MTIME, mtime=MTIME, ctime=MTIME, link_fi=first, data_stream=2)
    return index, Stream.UNIX_ATTRIBUTES, pack_attributes(index, kind, path, encode_stat(stat), link)


def digest(index: int, content: bytes) -> Record:
    return index, Stream.MD5_DIGEST, md5(content, usedforsecurity=False).digest()


def file(index: int, path: bytes, content: bytes) -> list[Record]:
    """A whole file, with its digest."""
    size = len(content)
    return [attributes(index, path, size=size), (index, Stream.FILE_DATA, content), digest(index, content)]


def forge(volumes: Path, records: Iterable[Record]) -> int:
    """A good Full of these records, alone in a new directory; returns its JobId."""
    directory = VolumeDirectory.open(volumes, create=True)
    who = JobIdentity(1, "Forged.2026-11-23_10.25.18_01", "Forged", "client", "All", file_set_digest="x" * 22)
    target = directory.append_session(who)
    indexes = set()
    for index, stream, data in records:
        target.write(index, stream, data)
        indexes.add(index)
    target.finish(JobTotals(len(indexes), 0))
    problems: list[str] = []
    rebuild_catalog(volumes, problems.append)
    assert problems == []
    return who.job_id
