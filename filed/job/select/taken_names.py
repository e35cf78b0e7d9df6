"""Names that more than one instance of a Job may list, because File lines of two Includes overlap: each is taken once.

A million of them cost a few megabytes of memory: they are kept on the disk.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Self

from filed.job.select.scratch_database import scratch_database


class TakenNames:
    """Those of one Job. Used on the job thread only."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self._db: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        if self._db is not None:
            self._db.close()

    def has(self, path: bytes) -> bool:
        """Whether it was asked about before."""
        if self._db is None:
            self._db = scratch_database(self._directory, "CREATE TABLE taken(path BLOB PRIMARY KEY) WITHOUT ROWID;")
        return self._db.execute("INSERT OR IGNORE INTO taken VALUES(?)", (path,)).rowcount == 0
