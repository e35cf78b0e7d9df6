"""Where a Director wants restored names to be: below a directory, or changed by regular expressions.

    regexwhere   `!search!replace!flags`, several joined by commas; any character may stand for `!`; flags: `i`, `g`

A backslash takes the separator's meaning away; `$1` and `\\1` are groups. Expressions are applied in turn to the whole path.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from filed.errors import JobError, printable
from filed.fileset.engine import PatternError, substitution
from filed.fileset.regex import translate
from filed.job.decode.known import NOTHING_KNOWN, KnownEntries
from filed.job.decode.wanted import IndexSet
from filed.wire.attributes import Attributes, FileType

Rewrite = Callable[[bytes], bytes]
MAX_REGEXWHERE_BYTES = 4096
MAX_PATH_BYTES = 16_384  # four times what a kernel takes; a path may be on its way to something shorter
_GROUP = re.compile(rb"[$\\]([0-9])")


@dataclass(slots=True)
class Renaming:
    """The names of one restore for a Director. prelinks: the target of an absolute symbolic link moves along.

    file_indexes: those that must come; empty, since only the Storage Daemon was told.
    """

    where: bytes = b""
    rewrites: tuple[Rewrite, ...] = ()
    prelinks: bool = False
    file_indexes: IndexSet = field(default_factory=IndexSet)
    known: KnownEntries = NOTHING_KNOWN

    @property
    def renamed_indexes(self) -> tuple[int, ...] | None:
        """See Part."""
        return None if self.rewrites or self.prelinks else ()

    def renamed(self, attributes: Attributes) -> Attributes:
        """The record with the names it gets; `where` itself comes before them later. Raises JobError for a name that leaves."""
        if self.rewrites:
            attributes = attributes._replace(path=self._rewritten(attributes.path))
            if attributes.type == FileType.HARD_LINK:
                attributes = attributes._replace(link=self._rewritten(attributes.link))
        if self.prelinks and attributes.type == FileType.SYMLINK and attributes.link.startswith(b"/"):
            attributes = attributes._replace(link=self.where + attributes.link)
        return attributes

    def _rewritten(self, path: bytes) -> bytes:
        for rewrite in self.rewrites:
            path = rewrite(path)
            if len(path) > MAX_PATH_BYTES:
                raise JobError(
                    f"RegexWhere makes a name of {len(path):,} bytes; at most {MAX_PATH_BYTES:,} are possible"
                )
        if not path.startswith(b"/") or b"/../" in path + b"/":
            raise JobError(f"RegexWhere makes {printable(path)} of a name, which is no absolute path")
        return path


def parse_where(where: bytes) -> bytes:
    """b"" for names as they were saved. Raises JobError for what is no absolute path."""
    where = where.rstrip(b"/")
    if where and (not where.startswith(b"/") or b"/../" in where + b"/"):
        raise JobError(f"Where = {printable(where)}: give an absolute path")
    return where


def parse_regexwhere(text: bytes) -> tuple[Rewrite, ...]:
    """Raises JobError that shows the place where it makes no sense."""
    if len(text) > MAX_REGEXWHERE_BYTES:
        raise JobError(f"RegexWhere has {len(text):,} bytes; at most {MAX_REGEXWHERE_BYTES:,} are possible")
    rewrites: list[Rewrite] = []
    at = 0
    while at < len(text):
        separator = text[at : at + 1]
        search, at = _part(text, at + 1, separator)
        replacement, at = _part(text, at, separator)
        flags = re.compile(rb"[ig]*").match(text, at)
        assert flags is not None
        at = flags.end()
        if at < len(text) and text[at : at + 1] != b",":
            raise JobError(f"RegexWhere = {printable(text)}: {printable(text[at:])} is no flag; there are i and g")
        at += 1
        rewrites.append(_rewrite(search, replacement, flags[0]))
    return tuple(rewrites)


def _part(text: bytes, at: int, separator: bytes) -> tuple[bytes, int]:
    """Up to the next separator; and where it goes on behind that."""
    found = bytearray()
    while at < len(text):
        char = text[at : at + 1]
        if char == separator:
            return bytes(found), at + 1
        if char == b"\\" and text[at + 1 : at + 2] == separator:
            at += 1
            char = separator
        found += char
        at += 1
    raise JobError(f"RegexWhere = {printable(text)}: a separator {printable(separator)} is missing at its end")


def _rewrite(search: bytes, replacement: bytes, flags: bytes) -> Rewrite:
    try:
        pattern = substitution(translate(search), ignore_case=b"i" in flags)
    except PatternError as error:
        raise JobError(f"RegexWhere: {printable(search)} is no regular expression: {error}") from error

    def expand(match: re.Match[bytes]) -> bytes:
        groups = pattern.groups
        return _GROUP.sub(lambda g: (match[int(g[1])] or b"") if int(g[1]) <= groups else b"", replacement)

    def rewrite(path: bytes) -> bytes:
        return pattern.sub(expand, path, 0 if b"g" in flags else 1)

    return rewrite
