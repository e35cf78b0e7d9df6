"""What a backup compares with: the entries of its base, in a private file on disk.

Filled from the catalog by SQL alone, or entry by entry from the list a Director sends. The walk asks a page of paths at
a time and marks what it has seen; what stays unseen in the end was deleted.

A million entries are about 150 MB on disk and stay within the cache below in memory. The file has no name: nothing is
left behind, however the process ends.

Measured, one lookup of 256 paths, per path: SELECT by SELECT 3.0 us, through a temporary table 2.1, `IN (...)` 1.8,
a join with VALUES 1.5 - which is what stands here.
"""

# ruff: noqa: S608 - the statements are joined from constants

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from filed.catalog.database import Database, translated
from filed.catalog.tree import ranges
from filed.errors import CatalogError
from filed.process.system import unlink_while_open
from filed.wire.attributes import FileType

CACHE_KIB: Final = 24_000
PAGE_PATHS: Final = 256
ADD_BATCH: Final = 1000

_SMALL_PAGE: Final = 16
_COLUMNS: Final = "type, file_index, job_id, lstat, extended, digest, link, plugin_id"
UNKNOWN_PLUGIN: Final = -1  # plugin_id of an entry of a Director's list
_DELETED: Final = int(FileType.DELETED)

_TABLE: Final = """
CREATE TABLE entry (
    path BLOB PRIMARY KEY,
    number INTEGER NOT NULL,
    type INTEGER NOT NULL,
    file_index INTEGER NOT NULL,
    job_id INTEGER NOT NULL,
    lstat BLOB NOT NULL,
    extended BLOB NOT NULL,
    digest BLOB NOT NULL,
    link BLOB NOT NULL,
    plugin_id INTEGER NOT NULL
) WITHOUT ROWID
"""


class BaseRow(NamedTuple):
    """An entry of the base. number: for `mark_seen`; the rest as in `FileRow`, 0 and b"" where not known."""

    number: int
    path: bytes
    type: int
    file_index: int
    job_id: int
    lstat: bytes
    extended: bytes
    digest_record: bytes
    link: bytes
    plugin_id: int


class BaseList:
    """Entries by path. Made by `empty` or `of_chain`; close it."""

    def __init__(self, connection: sqlite3.Connection, path: Path, count: int) -> None:
        self._connection = connection
        self._path = path
        self._waiting: list[tuple[Any, ...]] = []
        self._next = count
        self._seen = bytearray()
        self._queries = {size: _query(size) for size in (1, _SMALL_PAGE, PAGE_PATHS)}

    @classmethod
    def empty(cls, directory: Path) -> Self:
        """A list without entries, on the disk of `directory`; `add` fills it."""
        connection, path = _private_file(directory)
        return cls(connection, path, 0)

    @classmethod
    def of_chain(
        cls,
        database: Database,
        job_ids: Sequence[int],
        prefixes: Iterable[bytes] = (),
        directory: Path | None = None,
    ) -> Self:
        """The live entries over a chain (the oldest first), at and below `prefixes` if there are any.

        directory: where the list is kept; None is beside the catalog, or where temporary files go if that is read-only.
        """
        beside = database.path.parent
        kept_in = directory or (beside if os.access(beside, os.W_OK) else Path(tempfile.gettempdir()))
        connection, path = _private_file(kept_in)
        try:
            return cls(connection, path, _copy(connection, database, job_ids, prefixes))
        except BaseException:
            connection.close()
            path.unlink(missing_ok=True)
            raise

    def add(self, path: bytes, lstat: bytes, digest_record: bytes = b"", file_type: int = 0) -> None:
        """One entry of a Director's list; the last of a path counts. digest_record: stream byte and digest, or b""."""
        self._waiting.append((path, self._next, file_type, lstat, digest_record))
        self._next += 1
        if len(self._waiting) >= ADD_BATCH:
            self._write_waiting()

    def _write_waiting(self) -> None:
        with translated(self._path):
            self._connection.execute("BEGIN")
            self._connection.executemany(
                f"INSERT OR REPLACE INTO entry VALUES (?, ?, ?, 0, 0, ?, x'', ?, x'', {UNKNOWN_PLUGIN})", self._waiting
            )
            self._connection.execute("COMMIT")
        self._waiting.clear()

    def lookup(self, paths: Sequence[bytes]) -> list[BaseRow | None]:
        """The entry of each path, in their order. One call for a page of 256 is six times faster than 256 calls."""
        if self._waiting:
            self._write_waiting()
        found: list[BaseRow | None] = []
        for start in range(0, len(paths), PAGE_PATHS):
            found += self._page(paths[start : start + PAGE_PATHS])
        return found

    def _page(self, paths: Sequence[bytes]) -> list[BaseRow | None]:
        count = len(paths)
        size = 1 if count == 1 else _SMALL_PAGE if count <= _SMALL_PAGE else PAGE_PATHS
        found: list[BaseRow | None] = [None] * count
        make = BaseRow._make
        with translated(self._path):
            for row in self._connection.execute(self._queries[size], [*paths, *[None] * (size - count)]):
                found[row[0]] = make(row[1:])
        return found

    def command(self, row: BaseRow) -> bytes | None:
        """The text of the plugin-name record that an entry was saved under, b"" for plain files; None when it is not known."""
        if row.plugin_id == UNKNOWN_PLUGIN:
            return None
        if not row.plugin_id:
            return b""
        with translated(self._path):
            known = self._connection.execute(
                "SELECT command FROM plugin WHERE plugin_id = ?", (row.plugin_id,)
            ).fetchone()
        return bytes(known[0]) if known else None

    def mark_seen(self, number: int) -> None:
        """The walk has met this entry: it was not deleted."""
        byte = number >> 3
        if byte >= len(self._seen):
            self._seen.extend(bytes(self._next // 8 + 1 - len(self._seen)))
        self._seen[byte] |= 1 << (number & 7)

    def unmark(self, number: int) -> None:
        """Take a `mark_seen` back."""
        if number >> 3 < len(self._seen):
            self._seen[number >> 3] &= ~(1 << (number & 7))

    def seen(self) -> Iterator[BaseRow]:
        """Entries that are marked, in the order of paths."""
        return self._all(seen=True)

    def unseen(self, failed: Iterable[bytes] = ()) -> Iterator[BaseRow]:
        """Entries the walk did not meet, in the order of paths.

        failed: what could not be read; neither it nor anything below it can be called deleted.
        """
        unread = {path.rstrip(b"/") or b"/" for path in failed}
        for row in self._all(seen=False):
            if not (unread and is_at_or_below(row.path, unread)):
                yield row

    def below(self, path: bytes) -> Iterator[BaseRow]:
        """Entries below a directory that the walk did not meet, in the order of paths. path: ends in a slash."""
        if self._waiting:
            self._write_waiting()
        with translated(self._path):
            for row in self._connection.execute(
                f"SELECT number, path, {_COLUMNS} FROM entry WHERE path > ? AND path < ? ORDER BY path",
                (path, path[:-1] + bytes([path[-1] + 1])),
            ):
                found = BaseRow._make(row)
                if not self._is_seen(found.number):
                    yield found

    def __len__(self) -> int:
        if self._waiting:
            self._write_waiting()
        with translated(self._path):
            return int(self._connection.execute("SELECT count(*) FROM entry").fetchone()[0])

    def _all(self, *, seen: bool) -> Iterator[BaseRow]:
        """Those that are marked, or those that are not. HOT: of most entries only the number is looked at."""
        if self._waiting:
            self._write_waiting()
        is_seen = self._is_seen
        with translated(self._path):
            for row in self._connection.execute(f"SELECT number, path, {_COLUMNS} FROM entry ORDER BY path"):
                if is_seen(row[0]) is seen:
                    yield BaseRow._make(row)

    def _is_seen(self, number: int) -> bool:
        seen = self._seen
        return number >> 3 < len(seen) and bool(seen[number >> 3] >> (number & 7) & 1)

    def close(self) -> None:
        self._connection.close()
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _private_file(directory: Path) -> tuple[sqlite3.Connection, Path]:
    # Not SQLite's own temporary file: that may go to a /tmp which is memory.
    try:
        handle, name = tempfile.mkstemp(prefix=".filed-base-", dir=directory)
    except OSError as error:
        raise CatalogError(f"cannot keep the list of the base in {directory}: {error.strerror}") from error
    os.close(handle)
    path = Path(name)
    try:
        with translated(path):
            connection = sqlite3.connect(path, isolation_level=None, cached_statements=32, uri=True)
            for pragma in (
                "journal_mode = OFF",
                "synchronous = OFF",
                "main.locking_mode = EXCLUSIVE",  # without `main` it would hold for the attached catalog too
                f"cache_size = -{CACHE_KIB}",
                "temp_store = FILE",
            ):
                connection.execute(f"PRAGMA {pragma}")
            connection.execute(_TABLE)
    finally:
        unlink_while_open(path)
    return connection, path


def _copy(connection: sqlite3.Connection, database: Database, job_ids: Sequence[int], prefixes: Iterable[bytes]) -> int:
    """Lay the Jobs of the chain over each other; returns a number above that of every entry."""
    count = 0
    wanted = ranges(prefixes)
    with translated(database.path):
        connection.execute("ATTACH ? AS catalog", (database.uri.replace("?mode=rw", "?mode=ro"),))
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE main.plugin AS SELECT plugin_id, command FROM catalog.plugin")
        for job_id in job_ids:
            for low, high in wanted:
                where = "job_id = ? AND path >= ?" + ("" if high is None else " AND path < ?")
                parameters = (job_id, low) if high is None else (job_id, low, high)
                copied = connection.execute(
                    f"INSERT OR REPLACE INTO main.entry SELECT path, ? + row_number() OVER (ORDER BY path), {_COLUMNS}"
                    f" FROM catalog.file WHERE {where} AND type <> {_DELETED} ORDER BY path",
                    (count - 1, *parameters),
                )
                count += copied.rowcount
                connection.execute(
                    "DELETE FROM main.entry WHERE path IN"
                    f" (SELECT path FROM catalog.file WHERE {where} AND type = {_DELETED})",
                    parameters,
                )
        connection.execute("COMMIT")
        connection.execute("DETACH catalog")
    return count


def is_at_or_below(path: bytes, tops: set[bytes]) -> bool:
    """Whether a stored path is one of `tops`, which have no slash at their ends, or lies in one."""
    if path.rstrip(b"/") in tops or (b"/" in tops and path.startswith(b"/")):
        return True
    end = path.find(b"/", 1)
    while end > 0:
        if path[:end] in tops:
            return True
        end = path.find(b"/", end + 1)
    return False


def _query(size: int) -> str:
    wanted = ", ".join(f"({number}, ?)" for number in range(size))
    return (
        f"WITH wanted (place, path) AS (VALUES {wanted})"
        f" SELECT wanted.place, number, entry.path, {_COLUMNS} FROM wanted CROSS JOIN entry ON entry.path = wanted.path"
    )
