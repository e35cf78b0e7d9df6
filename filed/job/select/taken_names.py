"""Names that a Job has met, where that matters: a million of them cost a few megabytes of memory, since they are kept on the disk.

Names that more than one instance may list, because File lines of two Includes overlap, are taken once. A name that one instance lists on two pages
is a contradiction, which no other part of a Job for a Director would see.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from itertools import repeat
from pathlib import Path
from types import TracebackType
from typing import Self

from filed.job.select.scratch_database import scratch_database

CACHE_KIB = 1024  # names mostly come in some order
_TABLES = (
    "CREATE TABLE taken(path BLOB PRIMARY KEY) WITHOUT ROWID;"
    "CREATE TABLE listed(path BLOB PRIMARY KEY, page INT) WITHOUT ROWID;"
)


class TakenNames:
    """Those of one Job. Used on the job thread only."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self._db: sqlite3.Connection | None = None
        self._page = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        if self._db is not None:
            self._db.close()

    def has(self, path: bytes) -> bool:
        """Whether it was asked about before."""
        return self._database().execute("INSERT OR IGNORE INTO taken VALUES(?)", (path,)).rowcount == 0

    def begin_instance(self) -> None:
        """What is listed from here on is another instance's, or the same one's that begins again."""
        if self._db is not None:
            self._db.execute("DELETE FROM listed")

    def listed_before(self, paths: Collection[bytes]) -> list[bytes]:
        """Those of a page of an instance that an earlier page of it has. paths: each once."""
        database = self._database()
        self._page += 1
        before = database.total_changes
        database.executemany("INSERT OR IGNORE INTO listed VALUES(?,?)", zip(paths, repeat(self._page)))
        if database.total_changes - before == len(paths):
            return []
        query = "SELECT 1 FROM listed WHERE path=? AND page<>?"
        return [path for path in paths if database.execute(query, (path, self._page)).fetchone()]

    def _database(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = scratch_database(self._directory, _TABLES, CACHE_KIB)
        return self._db
