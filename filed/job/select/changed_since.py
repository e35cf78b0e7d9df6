"""What has changed since the base Job, or since a time that a Director gives.

A file is unchanged when mtime, ctime and size are those of the base's record. Of an agent that knows no mtime everything is sent;
where it knows no ctime, its mtime stands for it. ctime is the floor: nobody can set it. The inode counts, too: a directory that is
moved to another's place brings its files with all their times, which may be those of the ones that were there. Times
are compared to the nanosecond where the base has them. Where a stamp may stand for two changes, one of the time around the base Job's start
or later is not trusted: where the base has seconds only (a Volume of another File Daemon), and on kernels before 6.13, which give
changes within one clock tick of up to 10 ms the same ctime, even when somebody looked in between.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from filed.agents.abi import AgentStream, Entry, EntryFlag, EntryType, Has
from filed.catalog import INCOMPLETE, BaseList, BaseOfChain, BaseRow
from filed.fileset import Options
from filed.fileset.fstype import NAMES
from filed.job.select.selection import ContentCheck, Everything, TakesNothingOver
from filed.wire.attributes import FileType, Stat, decode_stat, encode_stat, parse_nanoseconds

HAS_MTIME, HAS_CHTIME = int(Has.MTIME), int(Has.CHTIME)  # plain ints: an IntFlag in `&` costs a microsecond an entry
DIGEST_LETTERS = frozenset("51236789")
FINE_CTIME_SINCE = (6, 13)  # Linux; ext4, xfs, btrfs and tmpfs
DIGESTED_TYPES = (FileType.REGULAR, FileType.EMPTY)
HAS_INO = int(Has.INO)
DATA_BIT = 1 << AgentStream.DATA
INODE_BITS = 0xFFFF_FFFF_FFFF_FFFF
INVENTED_INODES = frozenset(number for number, name in NAMES.items() if name in {"vfat", "exfat", "fuse", "cifs"})
"""File systems whose inode numbers may be others after the next mount."""


def has_fine_ctime(release: str) -> bool:
    """Whether a kernel of this release (`os.uname().release`) stamps a change after a look differently from one before."""
    numbers = re.match(r"(\d+)\.(\d+)", release)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= FINE_CTIME_SINCE


class ChangedSince(TakesNothingOver):
    """An Incremental or a Differential on what the base holds.

    base_start: epoch second in which the base Job began to look at files.  digested: whether this Job makes digests.
    fine_ctime: whether each change after a look has a ctime of its own, `has_fine_ctime` of this machine.
    """

    def __init__(self, base: BaseList | BaseOfChain, base_start: int, *, digested: bool, fine_ctime: bool) -> None:
        self._base = base
        self._fine_ctime = fine_ctime
        self._base_start = base_start
        self._digested = digested
        self._failed: list[bytes] = []
        self.lookup, self.below = base.lookup, base.below

    def wants(self, entry: Entry, row: BaseRow | None, options: Options) -> bool:
        if row is None or row.extended == INCOMPLETE:
            return True
        was = decode_stat(row.lstat)
        if not entry.valid & HAS_MTIME:
            return True
        chtime = entry.chtime if entry.valid & HAS_CHTIME else entry.mtime  # as it was stored
        by_ctime = _counts_ctime(options)
        if was.mtime != entry.mtime or (by_ctime and was.ctime != chtime):
            return True
        if entry.type == EntryType.REGULAR and was.size != entry.size:
            return True
        if (
            by_ctime
            and was.ino & INODE_BITS != entry.ino
            and entry.valid & HAS_INO
            and entry.fs_type not in INVENTED_INODES
        ):
            return True
        parts = parse_nanoseconds(row.extended)
        if (parts is None or not self._fine_ctime) and (was.ctime if by_ctime else was.mtime) >= self._base_start - 1:
            return True
        if parts is not None and (parts[1] != entry.mtime_ns or (by_ctime and parts[2] != entry.chtime_ns)):
            return True
        has_content = entry.streams & DATA_BIT  # what offers none has no digest in any Job
        return bool(self._digested and not row.digest_record and row.type in DIGESTED_TYPES and has_content)

    def content_check(self, entry: Entry, row: BaseRow | None, options: Options) -> ContentCheck | None:
        """Where the FileSet has letters of digests, what is unchanged in all else is read: a mapping may change content, and no time."""
        if options.accurate is None or row is None or DIGEST_LETTERS.isdisjoint(options.accurate):
            return None
        if not can_be_read_for(row.digest_record, entry):
            return None
        return ContentCheck(row.digest_record[0], row.digest_record[1:], likely=False)

    def failed(self, path: bytes) -> None:
        self._failed.append(path.rstrip(b"/") or b"/")

    def seen(self, row: BaseRow | None) -> None:
        if row is not None:
            self._base.mark_seen(row.number)

    def deleted(self) -> Iterator[BaseRow]:
        return self._base.unseen(self._failed)

    def command(self, row: BaseRow) -> bytes | None:
        return self._base.command(row)


class ChangedAfter(TakesNothingOver):
    """A Director's Incremental or Differential that is not accurate: by time alone. Only what an agent says is gone is marked deleted,
    known to the Director or not: there is no list, and a Director takes such marks in any Job.

    since: epoch seconds by our clock.  A file moved in with an old mtime shows by its ctime, unless the FileSet says mtimeonly.
    """

    def __init__(self, since: int) -> None:
        self._since = since
        nothing = Everything()
        self.lookup, self.below = nothing.lookup, nothing.below

    def wants(self, entry: Entry, row: BaseRow | None, options: Options) -> bool:  # noqa: ARG002  the Protocol's signature
        return is_newer(entry, self._since, options)

    def gone(self, path: bytes) -> BaseRow | None:
        return BaseRow(0, path, 0, 0, 0, encode_stat(Stat()), b"", b"", b"", 0)

    def seen(self, row: BaseRow | None) -> None:
        """There is no list."""

    def failed(self, path: bytes) -> None:
        """Nothing is deleted."""

    def deleted(self) -> Iterator[BaseRow]:
        return iter(())


def _counts_ctime(options: Options) -> bool:
    return not options.mtimeonly and (options.accurate is None or "c" in options.accurate)


def can_be_read_for(digest_record: bytes, entry: Entry) -> bool:
    """Whether an entry's content can be read to be compared with a digest."""
    return bool(digest_record and entry.flags & EntryFlag.REREAD and entry.streams & 1 << AgentStream.DATA)


def is_newer(entry: Entry, since: int, options: Options) -> bool:
    """Whether an entry changed at `since` or later; one without times may have."""
    if not entry.valid & HAS_MTIME or entry.mtime >= since:
        return True
    return bool(not options.mtimeonly and entry.valid & HAS_CHTIME and entry.chtime >= since)
