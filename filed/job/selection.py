"""What a Job sends of what the FileSet takes: everything, or what differs from a base.

A file is unchanged when mtime, ctime and size are those of the base's record. Of an agent that knows no mtime everything is sent;
where it knows no ctime, its mtime stands for it. ctime is the floor: nobody can set it. The inode counts, too: a directory that is
moved to another's place brings its files with all their times, which may be those of the ones that were there. Times
are compared to the nanosecond where the base has them. Where a stamp may stand for two changes, one of the time around the base Job's start
or later is not trusted: where the base has seconds only (a Volume of another File Daemon), and on kernels before 6.13, which give
changes within one clock tick of up to 10 ms the same ctime, even when somebody looked in between.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Protocol

from filed.agents.abi import Entry, EntryType, Has
from filed.catalog import INCOMPLETE, BaseList, BaseRow
from filed.fileset import Options
from filed.fileset.fstype import NAMES
from filed.fileset.model import DEFAULT_ACCURATE
from filed.wire.attributes import FileType, Stat, decode_stat, parse_nanoseconds

__all__ = ["BaseRow", "ChangedAfter", "ChangedSince", "DiffersFrom", "Everything", "Selection", "has_fine_ctime"]

HAS_MTIME, HAS_CHTIME = int(Has.MTIME), int(Has.CHTIME)  # plain ints: an IntFlag in `&` costs a microsecond an entry
FINE_CTIME_SINCE = (6, 13)  # Linux; ext4, xfs, btrfs and tmpfs
DIGEST_LETTERS = frozenset("51236789")
DIGESTED_TYPES = (FileType.REGULAR, FileType.EMPTY)
HAS_INO = int(Has.INO)
INODE_BITS = 0xFFFF_FFFF_FFFF_FFFF
INVENTED_INODES = frozenset(number for number, name in NAMES.items() if name in {"vfat", "exfat", "fuse", "cifs"})
"""File systems whose inode numbers may be others after the next mount."""


class Selection(Protocol):
    """What `Sending` asks about each entry that the FileSet takes."""

    def lookup(self, paths: Sequence[bytes]) -> Sequence[BaseRow | None]:
        """The base's row of each stored path of one page."""

    def wants(self, entry: Entry, row: BaseRow | None, options: Options) -> bool:
        """Whether the entry is to be sent. options: those that the FileSet has for it."""

    def seen(self, row: BaseRow | None) -> None:
        """The path is still there."""

    def failed(self, path: bytes) -> None:
        """The path could not be looked at: it, and all below it, count as still there."""

    def deleted(self) -> Iterator[BaseRow]:
        """What the base has and nobody saw, once every instance has listed all it has."""


class Everything:
    """A Full."""

    def __init__(self) -> None:
        self._nothing: list[None] = []

    def lookup(self, paths: Sequence[bytes]) -> Sequence[BaseRow | None]:
        if len(self._nothing) != len(paths):
            self._nothing = [None] * len(paths)
        return self._nothing

    def wants(self, entry: Entry, row: BaseRow | None, options: Options) -> bool:  # noqa: ARG002  the Protocol's signature
        return True

    def seen(self, row: BaseRow | None) -> None:
        """Nothing is compared."""

    def failed(self, path: bytes) -> None:
        """Nothing is deleted."""

    def deleted(self) -> Iterator[BaseRow]:
        return iter(())


def has_fine_ctime(release: str) -> bool:
    """Whether a kernel of this release (`os.uname().release`) stamps a change after a look differently from one before."""
    numbers = re.match(r"(\d+)\.(\d+)", release)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= FINE_CTIME_SINCE


class ChangedSince:
    """An Incremental or a Differential upon a list of what the base holds.

    base_start: epoch second in which the base Job began to look at files.  digested: whether this Job makes digests.
    fine_ctime: whether each change after a look has a ctime of its own, `has_fine_ctime` of this machine.
    """

    def __init__(self, base: BaseList, base_start: int, *, digested: bool, fine_ctime: bool) -> None:
        self._base = base
        self._fine_ctime = fine_ctime
        self._base_start = base_start
        self._digested = digested
        self._failed: list[bytes] = []
        self.lookup = base.lookup

    def wants(self, entry: Entry, row: BaseRow | None, options: Options) -> bool:  # noqa: ARG002  as above
        if row is None or row.extended == INCOMPLETE:
            return True
        was = decode_stat(row.lstat)
        if not entry.valid & HAS_MTIME:
            return True
        chtime = entry.chtime if entry.valid & HAS_CHTIME else entry.mtime  # as it was stored
        if was.mtime != entry.mtime or was.ctime != chtime:
            return True
        if entry.type == EntryType.REGULAR and was.size != entry.size:
            return True
        if was.ino & INODE_BITS != entry.ino and entry.valid & HAS_INO and entry.fs_type not in INVENTED_INODES:
            return True
        parts = parse_nanoseconds(row.extended)
        if (parts is None or not self._fine_ctime) and was.ctime >= self._base_start - 1:
            return True
        if parts is not None and (parts[1] != entry.mtime_ns or parts[2] != entry.chtime_ns):
            return True
        return self._digested and not row.digest_record and row.type in DIGESTED_TYPES

    def failed(self, path: bytes) -> None:
        self._failed.append(path.rstrip(b"/") or b"/")

    def seen(self, row: BaseRow | None) -> None:
        if row is not None:
            self._base.mark_seen(row.number)

    def deleted(self) -> Iterator[BaseRow]:
        return self._base.unseen(self._failed)


class ChangedAfter:
    """A Director's Incremental or Differential that is not accurate: by time alone, and nothing is found deleted.

    since: epoch seconds by our clock.  A file moved in with an old mtime shows by its ctime, unless the FileSet says mtimeonly.
    """

    def __init__(self, since: int) -> None:
        self._since = since
        self.lookup = Everything().lookup

    def wants(self, entry: Entry, row: BaseRow | None, options: Options) -> bool:  # noqa: ARG002  the Protocol's signature
        return is_newer(entry, self._since, options)

    def seen(self, row: BaseRow | None) -> None:
        """There is no list."""

    def failed(self, path: bytes) -> None:
        """Nothing is deleted."""

    def deleted(self) -> Iterator[BaseRow]:
        return iter(())


def is_newer(entry: Entry, since: int, options: Options) -> bool:
    """Whether an entry changed at `since` or later; one without times may have."""
    if not entry.valid & HAS_MTIME or entry.mtime >= since:
        return True
    return bool(not options.mtimeonly and entry.valid & HAS_CHTIME and entry.chtime >= since)


class DiffersFrom:
    """An Accurate Job of a Director: what differs from the list it sent, by the letters that the FileSet has for the file.

    A digest in the letters is not computed before the file is sent: mtime, ctime and size stand for it, since nobody changes
    content without a new ctime. That saves too much at worst.
    """

    def __init__(self, base: BaseList, since: int) -> None:
        self._base, self._since = base, since
        self._failed: list[bytes] = []
        self.lookup = base.lookup

    def wants(self, entry: Entry, row: BaseRow | None, options: Options) -> bool:
        if row is None or not entry.valid & HAS_MTIME:
            return True
        letters = options.accurate or DEFAULT_ACCURATE
        was = decode_stat(row.lstat)
        return any(self._differs(letter, entry, was, options) for letter in letters)

    def _differs(self, letter: str, entry: Entry, was: Stat, options: Options) -> bool:
        size_counts = entry.type == EntryType.REGULAR
        chtime = entry.chtime if entry.valid & HAS_CHTIME else entry.mtime  # as it was stored
        match letter:
            case "m":
                return was.mtime != entry.mtime
            case "c":
                return was.ctime != chtime
            case "s":
                return size_counts and was.size != entry.size
            case "d":
                return size_counts and entry.size < was.size
            case "i":
                return bool(entry.valid & Has.INO) and was.ino != entry.ino
            case "p":
                return bool(entry.valid & Has.MODE) and was.mode & 0o7777 != entry.mode & 0o7777
            case "n":
                return bool(entry.valid & Has.NLINK) and was.nlink != entry.nlink
            case "u":
                return bool(entry.valid & Has.OWNER) and was.uid != entry.uid
            case "g":
                return bool(entry.valid & Has.OWNER) and was.gid != entry.gid
            case "a":
                return bool(entry.valid & Has.ATIME) and was.atime != entry.atime
            case "A":
                return True
            case "M":
                return is_newer(entry, self._since, options)
        return letter in DIGEST_LETTERS and any(self._differs(other, entry, was, options) for other in DEFAULT_ACCURATE)

    def failed(self, path: bytes) -> None:
        self._failed.append(path.rstrip(b"/") or b"/")

    def seen(self, row: BaseRow | None) -> None:
        if row is not None:
            self._base.mark_seen(row.number)

    def deleted(self) -> Iterator[BaseRow]:
        return self._base.unseen(self._failed)
