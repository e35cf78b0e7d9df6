"""Which names share an inode: the first is saved with its data, the later ones as links to it.

Promise: if any name of an inode is saved by a Job, all its names in the FileSet are saved by that Job. So a link never points into
an older Job, and what `bextract` makes of one Job alone is whole. For that, names which an Incremental skipped as unchanged
are remembered until another name of their inode turns out changed.

The number of an inode is used again once its last name is gone. So a name is a link to the first only if both were looked at as the
same file: born at the same time, with the same type, owner, size and time of modification; where no birth is known, also with the
same time of change. What differs is saved with its data.

The table lies on disk: a million links cost a few megabytes of memory. An inode is forgotten when all its names were seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from filed.agents.abi import Entry, EntryType, Has
from filed.fileset import Options
from filed.job.select.scratch_database import scratch_database

HAS_BTIME = int(Has.BTIME)
HAS_INO_AND_NLINK = int(Has.INO | Has.NLINK)


@dataclass(frozen=True, slots=True)
class Inode:
    """What makes two names one file. born: tells the files apart that had the number one after another; look: likewise, and their states."""

    dev: int
    ino: int
    nlink: int
    born: str = ""
    look: str = ""


def inode_of(entry: Entry) -> Inode:
    """Of an entry with several names."""
    owned = f"{entry.type} {entry.uid} {entry.gid}"
    known = entry.valid & HAS_BTIME
    born = f"{entry.btime} {entry.btime_ns}" if known else owned
    change = "" if known else f" {entry.chtime} {entry.chtime_ns}"
    look = f"{born} {owned} {entry.size} {entry.mtime} {entry.mtime_ns}{change}"
    return Inode(entry.dev, entry.ino, entry.nlink, born, look)


@dataclass(frozen=True, slots=True)
class First:
    """The name an inode was saved under."""

    file_index: int
    path: bytes


@dataclass(frozen=True, slots=True)
class PassedName:
    """A name that was left out as unchanged; `lstat` and `extended` as its record would have had them."""

    path: bytes
    lstat: bytes
    extended: bytes


LINKED_KINDS = (EntryType.REGULAR, EntryType.FIFO, EntryType.CHARDEV, EntryType.BLOCKDEV, EntryType.SYMLINK)


def shared_inode(entry: Entry, options: Options) -> Inode | None:
    """What an entry has in common with other names that are kept as hard links; None of a file of its own.

    No file has the inode number 0: an agent that gives it has not looked.
    """
    known = entry.valid & HAS_INO_AND_NLINK == HAS_INO_AND_NLINK and entry.ino
    if entry.nlink > 1 and known and options.hardlinks and entry.type in LINKED_KINDS:
        return inode_of(entry)
    return None


def _signed(number: int) -> int:
    """A u64 as SQLite keeps it."""
    return number - (1 << 64) if number >= 1 << 63 else number


def _number(inode: Inode) -> tuple[int, int]:
    return _signed(inode.dev), _signed(inode.ino)


def _saved(inode: Inode) -> tuple[int, int, str]:
    return *_number(inode), inode.look


class HardLinks:
    """The table of one Job. Used on the job thread only."""

    def __init__(self, directory: Path | None = None) -> None:
        self._doubted: set[tuple[int, int]] = set()
        self._db = scratch_database(
            directory,
            """
            CREATE TABLE saved(dev INT, ino INT, look TEXT, left INT, file_index INT, path BLOB, digest BLOB, stream INT,
                               PRIMARY KEY(dev, ino)) WITHOUT ROWID;
            CREATE TABLE passed(dev INT, ino INT, born TEXT, path BLOB, lstat BLOB, extended BLOB,
                                PRIMARY KEY(dev, ino, born, path)) WITHOUT ROWID;
            """,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self._db.close()

    def first(self, inode: Inode) -> First | None:
        """The name this inode was saved under in this Job, if any was."""
        row = self._db.execute(
            "SELECT file_index, path FROM saved WHERE dev=? AND ino=? AND look=?", _saved(inode)
        ).fetchone()
        return First(*row) if row else None

    def other(self, inode: Inode) -> bytes:
        """A name that was saved, is said to be of the same file, and does not look like this; b"" when there is none."""
        row = self._db.execute("SELECT path, look FROM saved WHERE dev=? AND ino=?", _number(inode)).fetchone()
        return bytes(row[0]) if row and row[1] != inode.look and row[1].startswith(inode.born + " ") else b""

    def doubted(self, inode: Inode) -> bool:
        """Whether names that cannot be of one file had this number."""
        return _number(inode) in self._doubted

    def doubt(self, inode: Inode) -> None:
        """Nothing that has this number is a link any more."""
        self._doubted.add(_number(inode))
        self._db.execute("DELETE FROM saved WHERE dev=? AND ino=?", _number(inode))

    def saved(self, inode: Inode, file_index: int, path: bytes) -> list[PassedName]:
        """Remember the first name. Returns the names skipped before, which must now be saved as links to it.

        As many as the file has names, or more, cannot be: the caller doubts the number then.
        """
        self._db.execute(
            "INSERT OR REPLACE INTO saved VALUES(?,?,?,?,?,?,NULL,0)",
            (*_saved(inode), inode.nlink - 1, file_index, path),
        )
        passed = (*_number(inode), inode.born)
        rows = self._db.execute(
            "SELECT path, lstat, extended FROM passed WHERE dev=? AND ino=? AND born=?", passed
        ).fetchall()
        if rows:
            self._db.execute("DELETE FROM passed WHERE dev=? AND ino=? AND born=?", passed)
        return [PassedName(*row) for row in rows]

    def linked(self, inode: Inode) -> None:
        """One more name was saved as a link; forget the inode with its last name."""
        self._db.execute("UPDATE saved SET left = left - 1 WHERE dev=? AND ino=? AND look=?", _saved(inode))
        self._db.execute("DELETE FROM saved WHERE dev=? AND ino=? AND look=? AND left <= 0", _saved(inode))

    def passed(self, inode: Inode, name: PassedName) -> None:
        """Remember a name that was left out as unchanged."""
        self._db.execute(
            "INSERT OR REPLACE INTO passed VALUES(?,?,?,?,?,?)",
            (*_number(inode), inode.born, name.path, name.lstat, name.extended),
        )

    def note_digest(self, inode: Inode, stream: int, digest: bytes) -> None:
        """The digest of a first name, as it went out: its links carry a copy."""
        self._db.execute(
            "UPDATE saved SET digest=?, stream=? WHERE dev=? AND ino=? AND look=?", (digest, stream, *_saved(inode))
        )

    def digest(self, inode: Inode) -> tuple[int, bytes] | None:
        """Stream and digest of the first name, once it went out."""
        row = self._db.execute(
            "SELECT stream, digest FROM saved WHERE dev=? AND ino=? AND look=? AND digest IS NOT NULL", _saved(inode)
        ).fetchone()
        return (row[0], row[1]) if row else None
