"""The option string of a FileSet's `O` line: `MZ9Cmcs5:Vpins5:P2:rw` <-> Options.

Letters stand without separators; those with an argument of open length end it with a colon.  Source:
docs/formats/fileset.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from filed.fileset.model import Compression, CompressionKind, Dedup, Options, Replace, Signature

SWITCHES = {
    "e": ("exclude", True),
    "f": ("onefs", False),
    "h": ("recurse", False),
    "H": ("hardlinks", False),
    "i": ("ignore_case", True),
    "s": ("sparse", True),
    "r": ("readfifo", True),
    "p": ("portable", True),
    "R": ("hfsplus", True),
    "m": ("mtimeonly", True),
    "k": ("keepatime", True),
    "K": ("noatime", True),
    "W": ("enhanced_wild", True),
    "A": ("aclsupport", True),
    "X": ("xattrsupport", True),
    "c": ("checkfilechanges", True),
    "N": ("honor_nodump", True),
}
COMPARISONS = {"V": "verify", "C": "accurate", "J": "basejob"}
ZSTD_LEVELS = {"r": 1, "s": 3, "u": 10, "t": 19}
ZSTD_LETTERS = {level: letter for letter, level in ZSTD_LEVELS.items()}
TOKEN = re.compile(r"(?P<letter>[VCJP])(?P<argument>[^:]*):?|(?P<fixed>S[123567]?|Z[0-9osrut]|d[012]|.)", re.DOTALL)


def parse_letters(text: str) -> tuple[Options, str]:
    """The Options of a string, and the letters in it that nobody knows ("" when all are known); later ones win."""
    values: dict[str, object] = {}
    unknown: list[str] = []
    for token in TOKEN.finditer(text):
        if letter := token["letter"]:
            argument = token["argument"]
            if letter in COMPARISONS:
                values[COMPARISONS[letter]] = argument
            elif argument.isascii() and argument.isdigit():
                values["strip_path"] = int(argument)
            else:
                unknown.append(token[0])
            continue
        fixed = token["fixed"]
        if fixed in SWITCHES:
            name, value = SWITCHES[fixed]
            values[name] = value
        elif fixed[0] in "MS":
            values["signature"] = Signature.SHA1 if fixed == "S" else Signature(fixed)
        elif fixed[0] == "Z" and len(fixed) > 1:
            values["compression"] = _compression(fixed[1])
        elif fixed[0] == "d" and len(fixed) > 1:
            values["dedup"] = Dedup(fixed)
        elif fixed in "awn":
            values["replace"] = Replace(fixed)
        elif fixed != "0":
            unknown.append(fixed)
    return replace(Options(), **values), "".join(unknown)  # type: ignore[arg-type]  # names and types go by the tables


def format_letters(options: Options) -> str:
    """The string of an Options block; "0" when it says nothing."""
    return "".join(_letters(options)) or "0"


def _letters(options: Options) -> Iterator[str]:
    if options.signature:
        yield options.signature.value
    if options.compression:
        yield "Z" + _level_letter(options.compression)
    if options.dedup:
        yield options.dedup.value
    for letter, (name, value) in SWITCHES.items():
        if getattr(options, name) == value:
            yield letter
    if options.replace:
        yield options.replace.value
    for letter, name in COMPARISONS.items():
        argument = getattr(options, name)
        if argument is not None:
            yield f"{letter}{argument}:"
    if options.strip_path:
        yield f"P{options.strip_path}:"


def _compression(letter: str) -> Compression:
    if letter == "o":
        return Compression(CompressionKind.LZO)
    if letter in ZSTD_LEVELS:
        return Compression(CompressionKind.ZSTD, ZSTD_LEVELS[letter])
    return Compression(CompressionKind.GZIP, int(letter))


def _level_letter(compression: Compression) -> str:
    match compression.kind:
        case CompressionKind.GZIP:
            return str(compression.level)
        case CompressionKind.LZO:
            return "o"
        case CompressionKind.ZSTD:
            return ZSTD_LETTERS[compression.level]
