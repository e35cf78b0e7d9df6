"""Accurate: what a Director's Job sends by the list that the Director sent of what its catalog holds.

Of an Incremental or Differential the list is the whole tree at the Job it builds on; of an incomplete Full that is resumed it is what was
sent. Of a Full it is what its Base Jobs hold (`base_job.py`).
"""

from __future__ import annotations

import stat as st
from collections.abc import Iterator

from filed.agents import Page
from filed.agents.abi import Entry, EntryType, Has
from filed.catalog import BaseRow
from filed.fileset import Options
from filed.fileset.model import DEFAULT_ACCURATE, Signature
from filed.job.select.accurate_list import Listed
from filed.job.select.accurate_table import DIGEST, LETTERS, AccurateTable
from filed.job.select.changed_since import DIGEST_LETTERS, HAS_CHTIME, HAS_MTIME, can_be_read_for, is_newer
from filed.job.select.selection import ContentCheck, TakesNothingOver
from filed.pipeline import Digest
from filed.wire.attributes import Stat, decode_stat

ONE_BY_ONE = frozenset("AM")
"""Letters that no table answers: everything, and what is newer than the Director's time."""

LISTED_FOR = frozenset("51")
"""A Director of 9.6 lists digests for these letters; for others it does not, and nothing is missing."""


def _is_made_by(signature: Signature, digest_record: bytes) -> bool:
    """The kind of a digest in a Director's list shows in its length alone."""
    digest = Digest.__members__.get(signature.name)
    return digest is not None and len(digest.new().digest()) == len(digest_record) - 1


class DiffersFrom(TakesNothingOver):
    """An Accurate Job of a Director: what differs from the list it sent, by the letters that the FileSet has for the file.

    A digest in the letters has content read that is as before in all else. Where there is none to compare with, or the agent reads nothing
    twice, mtime, ctime and size stand for it, since nobody changes content without a new ctime. A file with a signature to
    make whose digest the catalog lacks, or has of another kind, is sent. What has no content has no digest to differ.
    """

    def __init__(self, base: Listed, since: int, *, attribute_updates: bool = False) -> None:
        self._base, self._since, self._attribute_updates = base, since, attribute_updates
        self._failed: list[bytes] = []
        self.lookup = base.lookup

    def below(self, directory: bytes) -> Iterator[BaseRow]:
        return self._base.below(directory)

    @property
    def sifts(self) -> bool:
        return isinstance(self._base, AccurateTable)

    def sift(self, page: Page, options: Options, candidates: bytes | None) -> bytes | None:
        letters = options.accurate or DEFAULT_ACCURATE
        if not isinstance(self._base, AccurateTable) or not ONE_BY_ONE.isdisjoint(letters):
            return None
        bits = DIGEST if not DIGEST_LETTERS.isdisjoint(letters) else 0
        for letter in letters:
            bits |= LETTERS.get(letter, 0)
        return self._base.sift(page, bits, candidates)

    def wants(self, entry: Entry, row: BaseRow | None, options: Options) -> bool:
        if row is None or not entry.valid & HAS_MTIME:
            return True
        was = decode_stat(row.lstat)
        letters = self._letters(entry, options)
        if any(self._differs(letter, entry, was, options) for letter in letters):
            return True
        if not self._is_digested(entry, was, options):
            return False
        if options.signature is not None and not _is_made_by(options.signature, row.digest_record):
            return (
                bool(row.digest_record)
                or not LISTED_FOR.isdisjoint(letters)
                or self._differs_by_times(entry, was, options)
            )
        return not can_be_read_for(row.digest_record, entry) and self._differs_by_times(entry, was, options)

    def content_check(self, entry: Entry, row: BaseRow | None, options: Options) -> ContentCheck | None:
        if row is None or not can_be_read_for(row.digest_record, entry):
            return None
        was = decode_stat(row.lstat)
        if not self._is_digested(entry, was, options):
            return None
        stream, digest = row.digest_record[0], row.digest_record[1:]
        if options.signature is not None:
            stream = Digest[options.signature.name].stream
        return ContentCheck(stream, digest, likely=self._differs_by_times(entry, was, options))

    def same_content(self, entry: Entry, row: BaseRow | None, options: Options) -> ContentCheck | None:
        """The letter `o`. Times and size prove nothing, so that the content is read; and a restore of attributes alone has to tell what was there
        before from what is to stay: no other names, no ACL and no extended attributes."""
        if row is None or not self._attribute_updates or "o" not in (options.accurate or ""):
            return None
        if options.signature is None or options.aclsupport or options.xattrsupport:
            return None
        was = decode_stat(row.lstat)
        is_alike = entry.type == EntryType.REGULAR and st.S_ISREG(was.mode) and entry.size == was.size > 0
        if not is_alike or entry.nlink != 1 or was.nlink != 1:
            return None
        if not can_be_read_for(row.digest_record, entry) or not _is_made_by(options.signature, row.digest_record):
            return None
        stream = Digest[options.signature.name].stream
        return ContentCheck(stream, row.digest_record[1:], likely=was.mtime != entry.mtime)

    def _is_digested(self, entry: Entry, was: Stat, options: Options) -> bool:
        """Whether its digest counts. One that was and is empty has the same."""
        has_content = entry.type == EntryType.REGULAR and not entry.size == was.size == 0
        return has_content and not DIGEST_LETTERS.isdisjoint(self._letters(entry, options))

    def _differs_by_times(self, entry: Entry, was: Stat, options: Options) -> bool:
        return any(self._differs(letter, entry, was, options) for letter in DEFAULT_ACCURATE)

    def _letters(self, entry: Entry, options: Options) -> str:  # noqa: ARG002  UponBase asks
        return options.accurate or DEFAULT_ACCURATE

    def _differs(self, letter: str, entry: Entry, was: Stat, options: Options) -> bool:
        size_counts = entry.type in (EntryType.REGULAR, EntryType.SYMLINK)
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
        return False

    def failed(self, path: bytes) -> None:
        self._failed.append(path.rstrip(b"/") or b"/")

    def seen(self, row: BaseRow | None) -> None:
        if row is not None:
            self._base.mark_seen(row.number)

    def deleted(self) -> Iterator[BaseRow]:
        return self._base.unseen(self._failed)


class NotSentBefore(DiffersFrom):
    """An incomplete Full that is resumed: what its earlier run sent, and is as it was then, is not sent again."""

    def below(self, directory: bytes) -> Iterator[BaseRow]:  # noqa: ARG002  as above
        return iter(())

    def deleted(self) -> Iterator[BaseRow]:
        return iter(())
