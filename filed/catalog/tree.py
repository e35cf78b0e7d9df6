"""The tree as one Job left it: the newest row of each path over the Job's chain, without what was deleted.

SQLite merges the chain's b-trees, which all lie in the order of paths, so that nothing is sorted or kept: 0.8 us an
entry for one Job, 1.7 for a chain of thirty (a GROUP BY takes twice that, and a temporary b-tree).
"""

# ruff: noqa: S608 - the statements are joined from constants and integers

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Final, NamedTuple

from filed.catalog.database import Database, Row
from filed.wire.attributes import FileType

FILE_COLUMNS: Final = "path, type, file_index, job_id, lstat, extended, digest, link, plugin_id"
MERGED_BY_SQLITE: Final = 100
"""Jobs in one SELECT; SQLite takes 500. Longer chains are several SELECTs, merged here."""

_PATH, _TYPE, _JOB = 0, 1, 3
_DELETED: Final = int(FileType.DELETED)


class FileRow(NamedTuple):
    """One entry of one Job.

    path: a directory ends in a slash. lstat, extended, link: as in the attributes record; digest_record: one byte, the
    stream of the digest, and the digest; b"" where there is none. plugin_id: 0, or for `Catalog.plugin_command`.
    """

    path: bytes
    type: int
    file_index: int
    job_id: int
    lstat: bytes
    extended: bytes
    digest_record: bytes
    link: bytes
    plugin_id: int

    @property
    def digest_stream(self) -> int:
        """The digest's stream; 0 when the entry has no digest."""
        return self.digest_record[0] if self.digest_record else 0

    @property
    def digest(self) -> bytes:
        return self.digest_record[1:]


def tree(database: Database, job_ids: Sequence[int], prefixes: Iterable[bytes] = ()) -> Iterator[FileRow]:
    """Live entries over the chain `job_ids` (the oldest first), in the order of paths.

    prefixes: directories or files; only they and what is below them. None: everything.
    """
    for low, high in ranges(prefixes):
        yield from _live(database, job_ids, low, high)


def tree_below(database: Database, job_ids: Sequence[int], directory: bytes) -> Iterator[FileRow]:
    """As `tree`, of what is below a directory, without it. directory: ends in a slash."""
    return _live(database, job_ids, directory + b"\0", directory[:-1] + b"0")


def _live(database: Database, job_ids: Sequence[int], low: bytes, high: bytes | None) -> Iterator[FileRow]:
    age = {job_id: number for number, job_id in enumerate(job_ids)}
    for row in _newest(_merged(database, job_ids, low, high), age):
        if row[_TYPE] != _DELETED:
            yield FileRow._make(row)


def entry(database: Database, job_id: int, path: bytes) -> FileRow | None:
    """What this one Job has under exactly this path, its chain left aside; may be a deletion."""
    row = database.one(f"SELECT {FILE_COLUMNS} FROM file WHERE job_id = ? AND path = ?", (job_id, path))
    return None if row is None else FileRow._make(row)


def ranges(prefixes: Iterable[bytes]) -> list[tuple[bytes, bytes | None]]:
    """Half-open ranges of paths, in order and apart from each other; None is the end of all paths."""
    wanted = sorted({prefix.rstrip(b"/") if prefix.strip(b"/") else prefix[:1] for prefix in prefixes})
    if not wanted:
        return [(b"", None)]
    found: list[tuple[bytes, bytes | None]] = []
    taken: set[bytes] = set()
    for prefix in wanted:
        # b"" is everything; b"/" all that begins with a slash.
        if b"" in wanted:
            return [(b"", None)]
        if any(above in taken for above in _above(prefix)):
            continue
        taken.add(prefix)
        if prefix == b"/":
            found.append((b"/", b"0"))
        else:
            found += [(prefix, prefix + b"\0"), (prefix + b"/", prefix + b"0")]
    return sorted(found)


def _above(path: bytes) -> Iterator[bytes]:
    if path.startswith(b"/") and path != b"/":
        yield b"/"
    end = path.find(b"/", 1)
    while end > 0:
        yield path[:end]
        end = path.find(b"/", end + 1)


def _merged(database: Database, job_ids: Sequence[int], low: bytes, high: bytes | None) -> Iterator[Row]:
    # The oldest, usually the Full and by far the largest, comes last: there a row passes only one merge.
    newest_first = list(reversed(job_ids))
    groups = [newest_first[i : i + MERGED_BY_SQLITE] for i in range(0, len(newest_first), MERGED_BY_SQLITE)]
    below = "" if high is None else " AND path < ?2"
    parameters = (low,) if high is None else (low, high)
    streams = []
    for group in groups:
        selects = (f"SELECT {FILE_COLUMNS} FROM file WHERE job_id = {int(one)} AND path >= ?1{below}" for one in group)
        streams.append(database.rows(" UNION ALL ".join(selects) + " ORDER BY path", parameters))
    return streams[0] if len(streams) == 1 else heapq.merge(*streams, key=itemgetter(_PATH))


def _newest(rows: Iterator[Row], age: dict[int, int]) -> Iterator[Row]:
    kept = next(rows, None)
    if kept is None:
        return
    for row in rows:
        if row[_PATH] != kept[_PATH]:
            yield kept
            kept = row
        elif age[row[_JOB]] > age[kept[_JOB]]:
            kept = row
    yield kept
