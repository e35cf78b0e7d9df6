"""What a FileSet says, as plain values: which names to take, and how each is to be kept.

A FileSet has Include blocks and Exclude entries.  An Include has File lines (where to start), Plugin lines (what to ask
an agent for) and Options blocks, tried in order: the first whose patterns match a name decides about it.  Names and
patterns are bytes, as the file system has them; a Plugin line is text for an agent, with undecodable bytes kept as
surrogates.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

Item = TypeVar("Item", bytes, str)

DEFAULT_ACCURATE = "mcs"
"""What an Accurate Job compares when the FileSet does not say: mtime, ctime, size."""
DEFAULT_BASEJOB = "spug5"


class Signature(StrEnum):
    """The digest kept of a file's data; the value is its letters in an option string."""

    MD5 = "M"
    SHA1 = "S1"
    SHA256 = "S2"
    SHA512 = "S3"
    XXH64 = "S5"
    XXH3_64 = "S6"
    XXH3_128 = "S7"


class CompressionKind(Enum):
    GZIP = "gzip"
    LZO = "lzo"
    ZSTD = "zstd"


@dataclass(frozen=True, slots=True)
class Compression:
    """level: 0..9 for GZIP, 0 for LZO, zstd's own number (1, 3, 10 or 19) for ZSTD."""

    kind: CompressionKind
    level: int = 0


class Dedup(StrEnum):
    NONE = "d0"
    STORAGE = "d1"
    BOTHSIDES = "d2"


class Replace(StrEnum):
    ALWAYS = "a"
    IFNEWER = "w"
    NEVER = "n"


PATTERNS = ("wild", "wilddir", "wildfile", "wildbase", "regex", "regexdir", "regexfile")


@dataclass(frozen=True, slots=True)
class Options:
    """One Options block: patterns that choose names, and what holds for the names chosen.

    verify, accurate, basejob: letters of what to compare; None when the FileSet does not say.
    strip_path: leading path components taken off the names that are stored.
    larger_than: regular files of more bytes are left out; 0 for none.
    fstypes, drivetypes: the kinds of file system (Windows: drive) allowed; empty = any.
    enhanced_wild: `*` and `?` stop at a slash, and `wildbase` is looked at.
    plugin: the command of an option plugin for files of this block.
    """

    signature: Signature | None = None
    compression: Compression | None = None
    dedup: Dedup | None = None
    exclude: bool = False
    onefs: bool = True
    recurse: bool = True
    hardlinks: bool = True
    ignore_case: bool = False
    sparse: bool = False
    readfifo: bool = False
    portable: bool = False
    hfsplus: bool = False
    mtimeonly: bool = False
    keepatime: bool = False
    noatime: bool = False
    enhanced_wild: bool = False
    aclsupport: bool = False
    xattrsupport: bool = False
    checkfilechanges: bool = False
    honor_nodump: bool = False
    replace: Replace | None = None
    verify: str | None = None
    accurate: str | None = None
    basejob: str | None = None
    strip_path: int = 0
    larger_than: int = 0
    fstypes: tuple[str, ...] = ()
    drivetypes: tuple[str, ...] = ()
    basejobs: tuple[str, ...] = ()
    plugin: str = ""
    wild: tuple[bytes, ...] = ()
    wilddir: tuple[bytes, ...] = ()
    wildfile: tuple[bytes, ...] = ()
    wildbase: tuple[bytes, ...] = ()
    regex: tuple[bytes, ...] = ()
    regexdir: tuple[bytes, ...] = ()
    regexfile: tuple[bytes, ...] = ()

    @property
    def has_patterns(self) -> bool:
        return bool(
            self.wild or self.wilddir or self.wildfile or self.wildbase or self.regex or self.regexdir or self.regexfile
        )

    @property
    def patterns(self) -> tuple[tuple[str, bytes], ...]:
        """(kind, pattern) of all."""
        return tuple((kind, pattern) for kind in PATTERNS for pattern in getattr(self, kind))

    def with_patterns(self, patterns: Collection[tuple[str, bytes]]) -> Options:
        """The same block with these alone."""

        def of(wanted: str) -> tuple[bytes, ...]:
            return tuple(pattern for kind, pattern in patterns if kind == wanted)

        return replace(
            self,
            wild=of("wild"),
            wilddir=of("wilddir"),
            wildfile=of("wildfile"),
            wildbase=of("wildbase"),
            regex=of("regex"),
            regexdir=of("regexdir"),
            regexfile=of("regexfile"),
        )


ON_IF_ANY = (
    "sparse",
    "readfifo",
    "portable",
    "hfsplus",
    "mtimeonly",
    "keepatime",
    "noatime",
    "aclsupport",
    "xattrsupport",
    "checkfilechanges",
    "honor_nodump",
)
OFF_IF_ANY = ("onefs", "recurse", "hardlinks")
LAST_WINS = ("signature", "compression", "dedup", "replace", "verify", "accurate", "basejob")


def merged(blocks: tuple[Options, ...]) -> Options:
    """The options of a File line's own entry: all blocks of its Include together, as no pattern is asked about it.

    A switch is on when any block switches it; of two digests or compressions the last one named holds; the file systems
    are those of the last block (bacula-fd 9.6.7 was asked).
    """
    if not blocks:
        return Options()
    if len(blocks) == 1:
        return replace(blocks[0], exclude=False)
    values: dict[str, object] = {name: any(getattr(b, name) for b in blocks) for name in ON_IF_ANY}
    values |= {name: all(getattr(b, name) for b in blocks) for name in OFF_IF_ANY}
    for name in LAST_WINS:
        named = [value for b in blocks if (value := getattr(b, name)) is not None]
        values[name] = named[-1] if named else None
    return Options(
        strip_path=max(b.strip_path for b in blocks),
        fstypes=blocks[-1].fstypes,
        drivetypes=blocks[-1].drivetypes,
        plugin=next((b.plugin for b in reversed(blocks) if b.plugin), ""),
        **values,  # type: ignore[arg-type]  # the names above are fields of Options, each with its own type
    )


@dataclass(frozen=True, slots=True)
class Include:
    """exclude_dir_containing: a directory in which one of these names exists is skipped whole."""

    options: tuple[Options, ...] = ()
    files: tuple[bytes, ...] = ()
    plugins: tuple[str, ...] = ()
    exclude_dir_containing: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class FileSet:
    """vss, snapshot: what the Director asked for beside the lines; they mean nothing on Unix.

    allowed, barred: directories of this machine's conf, which the lines are held to (confine.py); no part of what the FileSet says.
    listed: File lines that a list gave; another list makes no other FileSet.
    """

    includes: tuple[Include, ...] = ()
    excludes: tuple[bytes, ...] = ()
    name: str = field(default="", compare=False)
    vss: bool = field(default=False, compare=False)
    snapshot: bool = field(default=False, compare=False)
    allowed: tuple[bytes, ...] = ()
    barred: tuple[bytes, ...] = ()
    listed: tuple[bytes, ...] = ()

    @property
    def has_lists(self) -> bool:
        """Whether lists or programs give File lines."""
        return bool(self.listed) or any(file[:1] in {b"<", b"|"} for include in self.includes for file in include.files)

    def with_listed(self) -> FileSet:
        """What `listed` gave stands among the File lines of the last Include."""
        if not self.listed:
            return self
        *others, last = self.includes
        files = tuple(dict.fromkeys((*last.files, *self.listed)))
        return replace(self, includes=(*others, replace(last, files=files)), listed=())

    def digest(self) -> str:
        """64 hexadecimal digits that are equal exactly when two FileSets say the same; neither the name nor the order of lines counts."""
        from filed.fileset.lines import wire_lines  # noqa: PLC0415  lines.py knows the model, not the other way round

        includes = (
            replace(include, files=_in_order(include.files), plugins=_in_order(include.plugins))
            for include in self.includes
        )
        ordered = replace(self, includes=tuple(includes), excludes=_in_order(self.excludes))
        return hashlib.sha256(b"\0".join(wire_lines(ordered))).hexdigest()

    def narrowed(self, file: Callable[[bytes], bool], plugin: Callable[[str], bool]) -> FileSet:
        """The part of one agent's instance: only the File and Plugin lines the two functions say yes to.

        Includes left without a line are gone; Excludes stay, for they hold everywhere.
        """
        includes = (
            replace(inc, files=tuple(filter(file, inc.files)), plugins=tuple(filter(plugin, inc.plugins)))
            for inc in self.includes
        )
        return replace(self, includes=tuple(inc for inc in includes if inc.files or inc.plugins))

    def parts(self) -> tuple[FileSet, ...]:
        """Each Include for itself, equal ones once, with the Excludes: what a FileSet takes is what any of its parts takes."""
        return tuple(replace(self, includes=(include,)) for include in dict.fromkeys(self.includes))


def _in_order(items: tuple[Item, ...]) -> tuple[Item, ...]:
    return tuple(sorted(set(items)))
