"""A catalog's Jobs as plain dicts, to hold the real one against; and short ways to make Jobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from filed.catalog import Catalog, Job, JobMedia, JobTotals, NewJob
from filed.wire.attributes import FileType, Stat, encode_stat, pack_attributes

START = 1_800_000_000
MD5 = 3


@dataclass(frozen=True, slots=True)
class Item:
    """One entry; `version` stands for its content and its time."""

    version: int
    type: int = FileType.REGULAR
    link: bytes = b""

    @property
    def lstat(self) -> bytes:
        return encode_stat(Stat(mode=0o100644, size=self.version, mtime=START + self.version))

    @property
    def digest(self) -> bytes:
        return self.version.to_bytes(16, "big") if self.type == FileType.REGULAR else b""


GONE = None
Changes = Mapping[bytes, Item | None]
Tree = dict[bytes, Item]


def open_catalog(directory: Path) -> Catalog:
    return Catalog.open(directory, create=True)


def begin(
    catalog: Catalog,
    level: str = "F",
    base: Job | None = None,
    *,
    now: int = 0,
    name: str = "etc",
    client: str = "here",
    fileset: str = "fs",
) -> Job:
    when = now or START + 3600 * len(catalog.jobs())
    since = base.start_time if base else 0
    new = NewJob(name, client, level, fileset, "set", "I\nF /etc\n", since, base.job_id if base else None)
    return catalog.begin_job(new, when)


def records(changes: Changes) -> Iterable[tuple[int, int, bytes]]:
    for file_index, (path, item) in enumerate(changes.items(), 1):
        if item is None:
            yield file_index, 1, pack_attributes(file_index, FileType.DELETED, path, encode_stat(Stat()))
            continue
        yield file_index, 1, pack_attributes(file_index, item.type, path, item.lstat, item.link, b"ns:1,2,3")
        if item.digest:
            yield file_index, MD5, item.digest


def finish(catalog: Catalog, job: Job, status: str = "T", files: int = 0, volume: str = "Vol-0001") -> Job:
    media = [JobMedia(volume, 1, max(files, 1), 0, 99)]
    catalog.finish_job(job.job_id, status, job.start_time + 60, JobTotals(files=files), media)
    return catalog.job(job.job_id)


def backup(catalog: Catalog, changes: Changes, level: str = "F", base: Job | None = None, **more: object) -> Job:
    """A whole good Job that saved `changes`; None stands for a deletion."""
    job = begin(catalog, level, base, **more)  # type: ignore[arg-type]
    feed = catalog.feed(job.job_id)
    for record in records(changes):
        feed.record(*record)
    feed.flush()
    return finish(catalog, job, files=feed.files)


def tree_of(catalog: Catalog, job: Job, prefixes: Iterable[bytes] = ()) -> dict[bytes, tuple[int, bytes, bytes]]:
    return {row.path: (row.type, row.lstat, row.digest) for row in catalog.tree(job.job_id, prefixes)}


def as_rows(tree: Tree) -> dict[bytes, tuple[int, bytes, bytes]]:
    return {path: (item.type, item.lstat, item.digest) for path, item in tree.items()}
