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
from dataclasses import dataclass
from typing import Protocol

from filed.agents.abi import Entry, EntryType, Has
from filed.catalog import INCOMPLETE, BaseList, BaseRow
from filed.fileset import Options
from filed.fileset.fstype import NAMES
from filed.wire.attributes import FileType, decode_stat, parse_nanoseconds

__all__ = ["BaseRow", "ChangedSince", "Doubt", "Everything", "Selection", "has_fine_ctime"]

HAS_MTIME, HAS_CHTIME = int(Has.MTIME), int(Has.CHTIME)  # plain ints: an IntFlag in `&` costs a microsecond an entry
FINE_CTIME_SINCE = (6, 13)  # Linux; ext4, xfs, btrfs and tmpfs
DIGESTED_TYPES = (FileType.REGULAR, FileType.EMPTY)
HAS_INO = int(Has.INO)
INODE_BITS = 0xFFFF_FFFF_FFFF_FFFF
INVENTED_INODES = frozenset(number for number, name in NAMES.items() if name in {"vfat", "exfat", "fuse", "cifs"})
"""File systems whose inode numbers may be others after the next mount."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Of an entry that is as the base has it but for its content, which has to be read: this is the digest that it had.

    stream: of the digest's record.  likely: whether its times or its size say that it is another one.
    """

    stream: int
    digest: bytes
    likely: bool


class Selection(Protocol):
    """What `Choosing` asks about each entry that the FileSet takes."""

    def lookup(self, paths: Sequence[bytes]) -> Sequence[BaseRow | None]:
        """The base's row of each stored path of one page."""

    def wants(self, entry: Entry, row: BaseRow | None, options: Options) -> bool:
        """Whether the entry is to be sent. options: those that the FileSet has for it."""

    def doubt(self, entry: Entry, row: BaseRow | None, options: Options) -> Doubt | None:
        """Of an entry that is not wanted: whether its content may make it so."""

    def seen(self, row: BaseRow | None) -> None:
        """The path is still there."""

    def left_out(self, row: BaseRow | None) -> None:
        """The entry is not sent: it was not wanted."""

    def sent_after_all(self, path: bytes) -> None:
        """An entry that was left out is sent now, because another name of its inode is."""

    def failed(self, path: bytes) -> None:
        """The path could not be looked at: it, and all below it, count as still there."""

    def below(self, directory: bytes) -> Iterator[BaseRow]:
        """What the base has below a directory, its path with the slash at its end, and nobody saw so far."""

    def deleted(self) -> Iterator[BaseRow]:
        """What the base has and nobody saw, once every instance has listed all it has."""

    def command(self, row: BaseRow) -> bytes | None:
        """Whose entry it is: the text of its plugin-name record, b"" for plain files; None when the base does not say."""

    def taken_over(self) -> Iterator[BaseRow]:
        """What the Job has without sending it: a Base Job keeps its data."""


class TakesNothingOver:
    """Of a Job that builds upon no Base Job, and reads nothing twice."""

    def doubt(self, entry: Entry, row: BaseRow | None, options: Options) -> Doubt | None:
        """What is not wanted is left out."""

    def left_out(self, row: BaseRow | None) -> None:
        """Nobody asks later."""

    def sent_after_all(self, path: bytes) -> None:
        """Nobody asks later."""

    def taken_over(self) -> Iterator[BaseRow]:
        return iter(())

    def command(self, row: BaseRow) -> bytes | None:  # noqa: ARG002  the Protocol's signature
        return None


class Everything(TakesNothingOver):
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

    def below(self, directory: bytes) -> Iterator[BaseRow]:  # noqa: ARG002  as above
        return iter(())

    def deleted(self) -> Iterator[BaseRow]:
        return iter(())


def has_fine_ctime(release: str) -> bool:
    """Whether a kernel of this release (`os.uname().release`) stamps a change after a look differently from one before."""
    numbers = re.match(r"(\d+)\.(\d+)", release)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= FINE_CTIME_SINCE


class ChangedSince(TakesNothingOver):
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
        self.lookup, self.below = base.lookup, base.below

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

    def command(self, row: BaseRow) -> bytes | None:
        return self._base.command(row)
