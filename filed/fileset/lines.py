"""A FileSet as the lines in which a Director sends it and an agent gets it; `parse.py` reads them back.

One line is `<code> <item>`: `I` opens an Include, `O` ... `N` is an Options block, then follow `F` items, `N`, `P` items,
`N`; all Includes stand before the one `E` block of Excludes.  Source: docs/formats/fileset.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from filed.fileset.letters import format_letters
from filed.fileset.model import FileSet, Include, Options


def wire_lines(fileset: FileSet) -> Iterator[bytes]:
    """The lines without their ends, in a Director's order."""
    for include in fileset.includes:
        yield from _include(include)
    if fileset.excludes:
        yield b"E"
        yield from _items(b"F", fileset.excludes)
        yield b"N"
        yield b"N"


def agent_text(fileset: FileSet) -> bytes:
    """The Include blocks as `bp_begin.fileset` has them: one line each, a backslash in an item as two, a newline as \\n.

    fileset: the part of that instance (`FileSet.narrowed`).  Excludes are the host's business and are left out.
    """
    return _escaped(line for include in fileset.includes for line in _include(include))


def as_text(fileset: FileSet) -> str:
    """The whole FileSet as text to be kept and read again (`parse_text`), escaped like an agent's; a byte that is no UTF-8 is \\xNN."""
    return _escaped(wire_lines(fileset)).decode("utf-8", "backslashreplace")


def _escaped(lines: Iterable[bytes]) -> bytes:
    return b"".join(line.replace(b"\\", b"\\\\").replace(b"\n", b"\\n") + b"\n" for line in lines)


def _include(include: Include) -> Iterator[bytes]:
    yield b"I"
    yield from _items(b"Z", include.exclude_dir_containing)
    for options in include.options:
        yield from _options(options)
    yield from _items(b"F", include.files)
    yield b"N"
    yield from _items(b"P", map(_bytes, include.plugins))
    yield b"N"


def _options(options: Options) -> Iterator[bytes]:
    yield b"O " + _bytes(format_letters(options))
    yield from _items(b"R", options.regex)
    yield from _items(b"RD", options.regexdir)
    yield from _items(b"RF", options.regexfile)
    yield from _items(b"W", options.wild)
    yield from _items(b"WD", options.wilddir)
    yield from _items(b"WF", options.wildfile)
    yield from _items(b"WB", options.wildbase)
    yield from _items(b"B", map(_bytes, options.basejobs))
    if options.larger_than:
        yield b"L %d" % options.larger_than
    yield from _items(b"X", map(_bytes, options.fstypes))
    yield from _items(b"XD", map(_bytes, options.drivetypes))
    if options.plugin:
        yield b"G " + _bytes(options.plugin)
    yield b"N"


def _items(code: bytes, items: Iterable[bytes]) -> Iterator[bytes]:
    return (code + b" " + item for item in items)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
