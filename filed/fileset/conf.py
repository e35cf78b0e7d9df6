"""A FileSet from its resource in a conf, in the Director's syntax.

FileSet {
  Name = Home
  Include {
    Options { Signature = SHA256; Compression = ZSTD; Exclude = yes; WildDir = "*/.cache" }
    File = /home
    Plugin = "postgresql: main"
    Exclude Dir Containing = .nobackup
  }
  Exclude { File = "*.core" }
}
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from filed.config.resources import Block, Warnings
from filed.config.syntax import Statement
from filed.errors import ConfigError, JobError, printable
from filed.fileset.match import Matcher
from filed.fileset.model import Compression, CompressionKind, Dedup, FileSet, Include, Options, Replace, Signature
from filed.fileset.typed import exclude_as_typed
from filed.fileset.unserved import refuse_unserved, without_effect

T = TypeVar("T")

SIGNATURES = {
    "md5": Signature.MD5,
    "sha1": Signature.SHA1,
    "sha256": Signature.SHA256,
    "sha512": Signature.SHA512,
    "xxhash64": Signature.XXH64,
    "xxh3_64": Signature.XXH3_64,
    "xxh3_128": Signature.XXH3_128,
}
ZSTD_LEVELS = {"": 3, "1": 1, "3": 3, "10": 10, "19": 19}
DEDUPS = {"none": Dedup.NONE, "storage": Dedup.STORAGE, "bothsides": Dedup.BOTHSIDES}
REPLACES = {"always": Replace.ALWAYS, "ifnewer": Replace.IFNEWER, "never": Replace.NEVER}
SWITCHES = {
    "Exclude": "exclude",
    "OneFS": "onefs",
    "Recurse": "recurse",
    "Hard Links": "hardlinks",
    "Ignore Case": "ignore_case",
    "Sparse": "sparse",
    "Read Fifo": "readfifo",
    "Portable": "portable",
    "HFS Plus Support": "hfsplus",
    "Mtime Only": "mtimeonly",
    "Keep Atime": "keepatime",
    "No Atime": "noatime",
    "Enhanced Wild": "enhanced_wild",
    "ACL Support": "aclsupport",
    "Xattr Support": "xattrsupport",
    "Check File Changes": "checkfilechanges",
    "Honor Nodump Flag": "honor_nodump",
}
PATTERNS = {
    "Wild": "wild",
    "Wild Dir": "wilddir",
    "Wild File": "wildfile",
    "Wild Base": "wildbase",
    "Regex": "regex",
    "Regex Dir": "regexdir",
    "Regex File": "regexfile",
}
COMPARISONS = {
    "Verify": ("verify", "ipnugsamcd51236789"),
    "Accurate": ("accurate", "ipnugsamcd51236789MAo"),
    "Base Job": ("basejob", "ipnugsamcd51236789"),
}


def read_fileset(statement: Statement, warnings: list[str] | None = None) -> FileSet:
    """Make a FileSet of a `FileSet { ... }` statement; its patterns are tried as well.

    warnings: gets sentences about what can be used but may surprise.  Raises ConfigError with file, line and column.
    """
    notes = Warnings()
    block = Block(statement, "FileSet", notes)
    name = block.name()
    block.accepted("Description", "Ignore FileSet Changes", "Enable Snapshot")
    vss = block.yes("Enable VSS", default=True)
    includes = tuple(_include(inner, notes) for inner in block.blocks("Include"))
    excludes = tuple(item for inner in block.blocks("Exclude") for item in _exclude(inner, notes))
    block.finish()
    if not includes:
        raise statement.place.error(f'FileSet "{name}" has no Include, so it would save nothing')
    fileset = FileSet(includes, excludes, name=name, vss=vss)
    try:
        for part in fileset.parts():
            Matcher(part)
        refuse_unserved(fileset)
    except (JobError, ConfigError) as error:
        raise statement.place.error(str(error)) from error
    for text in without_effect(fileset):
        notes.add(statement.place, text)
    if warnings is not None:
        warnings.extend(notes.texts)
    return fileset


def _include(statement: Statement, notes: Warnings) -> Include:
    block = Block(statement, "Include", notes)
    include = Include(
        options=tuple(_options(inner, notes) for inner in block.blocks("Options")),
        files=_files(block),
        plugins=tuple(_item(line) for line in block.each("Plugin")),
        exclude_dir_containing=tuple(map(_bytes, map(_item, block.each("Exclude Dir Containing")))),
    )
    block.finish()
    if not include.files and not include.plugins:
        raise statement.place.error('this Include has neither a "File" nor a "Plugin" line')
    for line, path in zip(block.each("File"), include.files, strict=True):
        if path[:1] not in (b"/", b"<", b"|") and not re.match(b"[A-Za-z]:/", path):
            raise line.place.error(f'"{printable(path)}" is not a full path')
    return include


def _exclude(statement: Statement, notes: Warnings) -> tuple[bytes, ...]:
    block = Block(statement, "Exclude", notes)
    for line in block.statements("Options"):
        raise line.place.error("an Exclude block has no Options; put them, with Exclude = yes, into the Include")
    files = _files(block)
    block.finish()
    return tuple(map(exclude_as_typed, files))


def _options(statement: Statement, notes: Warnings) -> Options:
    block = Block(statement, "Options", notes)
    values: dict[str, object] = {}
    for directive, field in SWITCHES.items():
        values[field] = block.yes(directive, default=getattr(Options(), field))
    for directive, field in PATTERNS.items():
        values[field] = tuple(map(_bytes, map(_item, block.each(directive))))
    for directive, (field, letters) in COMPARISONS.items():
        values[field] = _letters(block, directive, letters)
    values["signature"] = _one_of(block, "Signature", lambda text: SIGNATURES[text.replace("-", "")], SIGNATURES)
    values["compression"] = _one_of(block, "Compression", _compression, ("GZIP", "GZIP1...GZIP9", "LZO", "ZSTD"))
    values["dedup"] = _one_of(block, "Dedup", DEDUPS.__getitem__, DEDUPS)
    values["replace"] = _one_of(block, "Replace", REPLACES.__getitem__, REPLACES)
    values["strip_path"] = block.integer("Strip Path", most=255)
    values["larger_than"] = block.size_bytes("Exclude Larger Than")
    values["fstypes"] = block.strings("FS Type")
    values["drivetypes"] = block.strings("Drive Type")
    values["plugin"] = block.string("Plugin")
    for directive in ("Reader", "Writer"):
        block.unsupported(directive, "programs between a file and the Volume are not supported")
    block.finish()
    return Options(**values)  # type: ignore[arg-type]  # the tables name fields of Options, each with its own type


def _files(block: Block) -> tuple[bytes, ...]:
    """The File lines; `\\<` and `\\|`, which a Director leaves to the client, mean the same as `<` and `|` here."""
    return tuple(_bytes(re.sub(r"\A\\([<|])", r"\1", _item(line))) for line in block.each("File"))


def _item(line: Statement) -> str:
    """A name, pattern or text that stands alone in its line: to ignore what follows would save less than was asked."""
    pieces = line.value or ()
    if len(pieces) != 1 or not pieces[0].text:
        place = pieces[1].place if len(pieces) > 1 else line.place
        text = f'"{line.name}" takes one item; put it in double quotes, and write a line for each item'
        raise place.error(text)
    return pieces[0].text


def _letters(block: Block, directive: str, letters: str) -> str | None:
    text = block.string(directive)
    unknown = sorted(set(text) - set(letters))
    if unknown:
        raise block.place.error(f'"{directive}" has letters nobody knows: {"".join(unknown)}; there are: {letters}')
    return text or None


def _one_of(block: Block, directive: str, convert: Callable[[str], T], choices: Iterable[str]) -> T | None:
    """The value of a word; None when the line is missing."""
    text = block.string(directive)
    if not text:
        return None
    try:
        return convert(text.lower())
    except KeyError as error:
        raise block.place.error(f'{directive} "{text}" is not one of: {", ".join(choices)}') from error


def _compression(text: str) -> Compression:
    """Raises KeyError for a word that is none."""
    if text == "lzo":
        return Compression(CompressionKind.LZO)
    if text.startswith("zstd"):
        return Compression(CompressionKind.ZSTD, ZSTD_LEVELS[text.removeprefix("zstd")])
    level = text.removeprefix("gzip")
    if text.startswith("gzip") and level in ("", *"0123456789"):
        return Compression(CompressionKind.GZIP, int(level or 6))
    raise KeyError(text)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
