"""What one Job remembers of many names: on the disk, in a file without a name, which is gone with the process however that ends."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from pathlib import Path

from filed.process.system import unlink_while_open

CACHE_KIB = 8192
TEMPORARY_PREFIX = ".filed-links-"


class _Scratch(sqlite3.Connection):
    """Takes its file with it, where that could not go before."""

    path = Path()

    def close(self) -> None:
        super().close()
        self.path.unlink(missing_ok=True)


def scratch_database(directory: Path | None, tables: str, cache_kib: int = CACHE_KIB) -> sqlite3.Connection:
    """directory: None for that of temporary files.  tables: SQL that makes them. Whoever asked closes it."""
    handle, name = tempfile.mkstemp(prefix=TEMPORARY_PREFIX, dir=directory)
    os.close(handle)
    database = sqlite3.connect(name, isolation_level=None, factory=_Scratch)
    database.path = Path(name)
    try:
        database.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE;"
            f"PRAGMA cache_size=-{cache_kib}; {tables} BEGIN;"
        )
    finally:
        unlink_while_open(database.path)  # it needs no name from here on
    return database
