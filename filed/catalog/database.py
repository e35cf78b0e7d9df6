"""The catalog's file: how it is opened, what a transaction promises, and what its errors mean to a person.

Write-ahead log, so readers and one writer do not wait for each other; a second writer waits up to a minute.
An ordinary transaction survives a crash of the process, a durable one also that of the machine (and everything
before it then, too).
"""

from __future__ import annotations

import ctypes
import errno
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

from filed.catalog.schema import APPLICATION_ID, VERSION, migrate, version_of
from filed.errors import CatalogDamagedError, CatalogError
from filed.process.open_files import OpenFiles, open_numbers
from filed.process.system import free_bytes, open_file, read_only

CATALOG_FILE: Final = "catalog.sqlite"
FILE_MODE: Final = 0o640
"""As the Volumes beside it: names and digests are no less private than the content."""

BUSY_TIMEOUT_MS: Final = 60_000
"""Each transaction of a Job takes milliseconds, so whoever holds the lock this long is stuck."""

CACHE_KIB: Final = 16_000
"""A Job has 200 MB for everything. Inserts are no faster with 48 MB; a million rows were measured."""

SQLITES_OWN: Final = ("-wal", "-shm", "-journal")
"""How the names of the files end that SQLite keeps beside the catalog."""

MAX_REOPENED: Final = 5

LOG_PAGES: Final = 8000
"""32 MB of log before it goes into the file, which waits for the disk: 7.9 us a file with SQLite's 1000, 6.2 with this."""

INDEX_OF_LOG_BYTES: Final = 64 << 10
"""More than the shared index has that SQLite makes before it reads through a log."""

ROOM_FOR_A_LOG_BYTES: Final = 4 << 20
"""What a prune of a few Jobs may write into a log, and more."""

LOOK_AGAIN_S: Final = 0.005

DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

Row = tuple[Any, ...]
Parameters = Sequence[object]


class Database:
    """One connection to one catalog. Not shared between threads, nor carried over a fork."""

    def __init__(self, path: Path, uri: str) -> None:
        self.path = path
        self.uri = uri
        self._files = OpenFiles()
        with translated(path):
            self.connection = sqlite3.connect(
                uri, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None, uri=True, cached_statements=256
            )

    @classmethod
    def open(cls, path: Path) -> Self:
        """To read and write; an older file is migrated. CatalogError when it is missing, empty, damaged or newer."""
        return cls._open(path, empty=False)

    @classmethod
    def open_to_remove(cls, path: Path) -> Self:
        """As `open`, and where the disk is all but full without a log, in place and alone: what frees the disk needs no room on it.

        A power cut may damage it then, and a rebuild makes it again.
        """
        return cls._open(path, empty=False, in_place=_room(path.parent) < ROOM_FOR_A_LOG_BYTES)

    @classmethod
    def _open(cls, path: Path, *, empty: bool, in_place: bool = False) -> Self:
        """empty: may it be?"""
        for _ in range(MAX_REOPENED):
            _must_exist(path)
            before = path.stat()
            others = open_numbers()
            database = cls(path, _uri(path, "rw"))
            try:
                with translated(path):
                    if in_place:
                        database.connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # no index of a log on the disk
                    _refuse_strangers(path, database.connection, empty=empty)
                    # Looked at before the log is opened: that goes by name, and would be the other file's.
                    if path.exists() and path.stat().st_ino == before.st_ino:
                        database._prepare("MEMORY" if in_place else "WAL")
                        migrate(database.connection)
                        database._files = OpenFiles((path, path.with_name(f"{path.name}-wal")), others)
                        return database
            except BaseException:
                database.close()
                raise
            # A rebuild has put another file there while we waited for its lock.
            database.close()
        raise CatalogError(f"{path} is replaced again and again; is a rebuild running in a loop?")

    @classmethod
    def create(cls, path: Path) -> Self:
        """As `open`, and an empty one is made when there is none."""
        if not path.exists():
            try:
                os.close(open_file(path, os.O_CREAT | os.O_RDWR, FILE_MODE))
            except OSError as error:
                raise CatalogError(f"cannot make the catalog {path}: {error.strerror}") from error
        return cls._open(path, empty=True)

    @classmethod
    def read(cls, path: Path) -> Self:
        """To read only, also from a disk that is full or mounted read-only. An older file is migrated where that can be done."""
        _must_exist(path)
        database = cls(path, _uri(path, "ro"))
        try:
            database.connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except sqlite3.Error as error:
            database.close()
            _refuse_unless_log_is_empty(path, error)
            database = cls(path, _uri(path, "ro") + "&immutable=1")
        try:
            with translated(path):
                _refuse_strangers(path, database.connection, empty=False)
                current = version_of(database.connection) == VERSION
                database.connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        except BaseException:
            database.close()
            raise
        if current:
            return database
        database.close()
        if not os.access(path, os.W_OK):
            raise CatalogError(
                f"{path} was written by an older filed and cannot be brought up to date on a read-only disk;"
                f" copy {path.name}* to a disk that can be written and read them there"
            )
        cls.open(path).close()
        return cls.read(path)

    def _prepare(self, journal: str) -> None:
        self._set_journal(journal)
        for pragma in (
            "synchronous = NORMAL",
            f"cache_size = -{CACHE_KIB}",
            f"wal_autocheckpoint = {LOG_PAGES}",
            "foreign_keys = ON",
            "temp_store = FILE",
        ):
            self.connection.execute(f"PRAGMA {pragma}")

    def _set_journal(self, mode: str) -> None:
        """SQLite does not wait for others in this one statement, so we do."""
        end = time.monotonic() + BUSY_TIMEOUT_MS / 1000
        while True:
            try:
                self.connection.execute(f"PRAGMA journal_mode = {mode}")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                    raise
                time.sleep(LOOK_AGAIN_S)
            else:
                return

    def remove_log(self) -> bool:
        """Put the log into the file and remove it; False where somebody else has the file open."""
        self._files = OpenFiles()  # the log's descriptor goes with it
        (mode,) = self.connection.execute("PRAGMA journal_mode = DELETE").fetchone()
        return bool(mode == "delete")

    @property
    def lost(self) -> bool:
        """Did somebody else in this process, an agent, close one of its descriptors? Nothing can be written any more."""
        return self._files.lost

    def close(self) -> None:
        if self.lost:  # SQLite would move its log into whatever file has the descriptor now, and remove the log
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self.connection))
            return
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; the write lock is taken at once, so that two writers wait and never collide."""
        if self.lost:
            raise CatalogError(f"a descriptor of the catalog {self.path} was closed by an agent of this Job")
        with translated(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:  # SQLite ends it by itself on a full disk
                    self.connection.execute("ROLLBACK")
                raise

    @contextmanager
    def durable(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is on the disk, with all before it, when this returns."""
        self.connection.execute("PRAGMA synchronous = FULL")
        try:
            with self.transaction() as connection:
                yield connection
        finally:
            self.connection.execute("PRAGMA synchronous = NORMAL")

    def rows(self, sql: str, parameters: Parameters = ()) -> Iterator[Row]:
        """Rows one by one, in the memory of one."""
        with translated(self.path):
            # Not `yield from`: that closes the cursor when a reader stops early, which fails if the file was closed first.
            for row in self.connection.execute(sql, parameters):  # noqa: UP028 - see above
                yield row

    def all(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        with translated(self.path):
            return self.connection.execute(sql, parameters).fetchall()

    def one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        with translated(self.path):
            row: Row | None = self.connection.execute(sql, parameters).fetchone()
            return row


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """SQLite's errors in here come out as CatalogError."""
    try:
        yield
    except sqlite3.Error as error:
        kind = CatalogDamagedError if _code(error) in DAMAGED else CatalogError
        raise kind(explain(path, error)) from error


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def explain(path: Path, error: sqlite3.Error) -> str:
    """What is wrong with the catalog at `path`, and what to do about it."""
    code = _code(error)
    rebuild = f"filed catalog rebuild -s {path.parent}"
    if code in DAMAGED:
        text = f"the catalog {path} is damaged ({error})"
        return f"{text}; the Volumes are not: {rebuild}" if path.name == CATALOG_FILE else text
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return (
            f"the catalog {path} is locked by another process for more than {BUSY_TIMEOUT_MS // 1000} s;"
            f" find it with: fuser -v {path}"
        )
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(path.parent)):
        return f"no space left on the disk of {path}; free some (filed prune -s {path.parent}) and run the Job again"
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN} and _is_mounted_read_only(path.parent):
        return f"the catalog {path} cannot be written: {os.strerror(errno.EROFS)}; mount it writable"
    if code == sqlite3.SQLITE_READONLY:
        return f"the catalog {path} cannot be written: check the owner of {path.parent} and how its disk is mounted"
    if code in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}:
        return f"the catalog {path} cannot be opened: check the owner of it and of {path.parent}"
    if code == sqlite3.SQLITE_IOERR:
        return f"the disk under the catalog {path} fails ({error}); check it, then: {rebuild}"
    if code == sqlite3.SQLITE_ERROR and "no such" in str(error):
        return f"the catalog {path} is not as filed makes it ({error}): {rebuild}"
    return f"the catalog {path}: {error}"


def _is_mounted_read_only(directory: Path) -> bool:
    try:
        return read_only(directory)
    except OSError:
        return False


def _is_full(directory: Path) -> bool:
    """Whether there is no room for what SQLite keeps beside a log while it is open: it calls that an I/O error."""
    return _room(directory) < INDEX_OF_LOG_BYTES


def _room(directory: Path) -> int:
    """Bytes that are free on its disk; many where nobody knows."""
    try:
        return free_bytes(directory)
    except OSError:
        return 1 << 63


def _must_exist(path: Path) -> None:
    for one in (path, *_beside(path)):
        if one.is_symlink():
            raise CatalogError(f"{one} is a symbolic link, and none is followed; put the file itself there")
    if path.exists():
        return
    if path.name != CATALOG_FILE:  # not the file, then: a directory of Volumes that is not there
        raise CatalogError(f"{path} does not exist; a directory of Volumes is made by: filed backup -s {path} PATH...")
    raise CatalogError(
        f"{path} does not exist: {path.parent} is no Volume directory, or its catalog was lost"
        f" (then: filed catalog rebuild -s {path.parent})"
    )


def _refuse_unless_log_is_empty(path: Path, error: sqlite3.Error) -> None:
    """For a first read that failed, on a disk that is read-only or full: return when the file alone, without its log, is the whole truth."""
    full = _code(error) == sqlite3.SQLITE_IOERR and _is_full(path.parent)
    if not full and _code(error) not in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}:
        raise CatalogError(explain(path, error)) from error
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size:
        raise CatalogError(
            f"{path} has a log ({log.name}) that cannot be read on a {'full' if full else 'read-only'} disk;"
            f" copy {path.name}* to a disk that can be written and read them there"
        ) from error


def _refuse_strangers(path: Path, connection: sqlite3.Connection, *, empty: bool) -> None:
    """What is no catalog, or not one for us. empty: one that is just being made is."""
    connection.execute("BEGIN")  # all of it at one moment: another process may be making it
    try:
        version = version_of(connection)
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    finally:
        if connection.in_transaction:  # SQLite ends it by itself on a full disk
            connection.execute("COMMIT")
    if version > VERSION:
        raise CatalogError(
            f"{path} has version {version}, this filed knows up to {VERSION}: use the newer filed that wrote it"
        )
    if application != APPLICATION_ID and (application or tables):
        raise CatalogError(f"{path} is a SQLite file of another program; filed does not touch it")
    if not application and not empty:
        raise CatalogError(f"the catalog {path} is empty; make it anew: filed catalog rebuild -s {path.parent}")


def _beside(path: Path) -> list[Path]:
    return [path.with_name(path.name + end) for end in SQLITES_OWN]


def _uri(path: Path, mode: str) -> str:
    # Bytes, so that a directory name of any encoding works.
    return f"file:{quote(os.fsencode(path.absolute()))}?mode={mode}"
