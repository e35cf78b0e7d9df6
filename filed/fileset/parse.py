"""A FileSet from the lines of a Director (`lines.py` writes them, docs/formats/fileset.md describes them)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from filed.errors import RemoteProtocolError, printable
from filed.fileset.letters import parse_letters
from filed.fileset.model import FileSet, Include, Options

PATTERNS = {
    b"W": "wild",
    b"WD": "wilddir",
    b"WF": "wildfile",
    b"WB": "wildbase",
    b"R": "regex",
    b"RD": "regexdir",
    b"RF": "regexfile",
}
NAMES = {b"X": "fstypes", b"XD": "drivetypes", b"B": "basejobs"}
IGNORED = frozenset({b"D", b"T"})
"""Reader and writer programs: obsolete."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """complaints: what was in the lines but means nothing here, as sentences for the Job's report."""

    fileset: FileSet
    complaints: tuple[str, ...]


def parse_lines(lines: Iterable[bytes], command: bytes = b"fileset") -> Parsed:
    """Read the packets between the `fileset` command and the end of data.

    command: the command itself, which may say `vss=1` and `snap=1`.  Line ends and blanks at an end do not count.
    Raises RemoteProtocolError for a line that stands where it means nothing.
    """
    reader = _Reader()
    for line in lines:
        reader.line(line.rstrip(b" \t\r\n"))
    reader.close()
    fileset = FileSet(
        tuple(reader.includes),
        tuple(reader.excludes),
        vss=b" vss=1" in command,
        snapshot=b" snap=1" in command,
    )
    return Parsed(fileset, tuple(reader.complaints))


def parse_text(text: str) -> FileSet:
    """Read what `lines.as_text` wrote: nothing is stripped, `\\\\` is a backslash, `\\n` a newline, `\\xNN` a byte."""
    reader = _Reader()
    for line in text.encode("utf-8", "surrogateescape").split(b"\n"):
        reader.line(re.sub(rb"\\(x[0-9a-f]{2}|.)", _unescaped, line))
    reader.close()
    return FileSet(tuple(reader.includes), tuple(reader.excludes))


def _unescaped(found: re.Match[bytes]) -> bytes:
    code = found[1]
    if len(code) > 1:
        return bytes([int(code[1:], 16)])
    return b"\n" if code == b"n" else code


@dataclass(slots=True)
class _Open:
    """An Include block that is being read."""

    options: list[Options] = field(default_factory=list)
    files: list[bytes] = field(default_factory=list)
    plugins: list[str] = field(default_factory=list)
    containing: list[bytes] = field(default_factory=list)
    letters: Options | None = None
    lists: dict[str, list[bytes]] = field(default_factory=dict)
    texts: dict[str, list[str]] = field(default_factory=dict)
    plugin: str = ""
    larger_than: int = 0

    def end_of_options(self) -> None:
        """An `N`, or a line that cannot stand in Options: the block that was open is complete."""
        if self.letters is None and not self.lists and not self.texts and not self.plugin and not self.larger_than:
            return
        values: dict[str, object] = {name: tuple(items) for name, items in self.lists.items()}
        values |= {name: tuple(texts) for name, texts in self.texts.items()}
        if self.plugin:
            values["plugin"] = self.plugin
        if self.larger_than:
            values["larger_than"] = self.larger_than
        self.options.append(replace(self.letters or Options(), **values))  # type: ignore[arg-type]  # by the tables
        self.letters, self.lists, self.texts, self.plugin, self.larger_than = None, {}, {}, "", 0


class _Reader:
    def __init__(self) -> None:
        self.includes: list[Include] = []
        self.excludes: list[bytes] = []
        self.complaints: list[str] = []
        self._open: _Open | None = None
        self._excluding = False

    def line(self, line: bytes) -> None:
        code, _, item = line.partition(b" ")
        if code == b"I":
            self.close()
            self._open = _Open()
        elif code == b"E":
            self.close()
            self._excluding = True
        elif code == b"N":
            if self._open:
                self._open.end_of_options()
        elif self._open:
            self._in_include(self._open, code, item)
        elif self._excluding and code == b"F":
            self.excludes.append(item)
        elif self._excluding and code in (b"P", b"O"):
            self.complaints.append(f'FileSet: "{printable(line)}" in an Exclude block means nothing and is ignored')
        elif code:
            raise RemoteProtocolError("a FileSet line stands outside of Include and Exclude", line)

    def close(self) -> None:
        """The end of the block that is open."""
        if self._open:
            block = self._open
            block.end_of_options()
            self.includes.append(
                Include(tuple(block.options), tuple(block.files), tuple(block.plugins), tuple(block.containing))
            )
        self._open = None
        self._excluding = False

    def _in_include(self, block: _Open, code: bytes, item: bytes) -> None:
        if code == b"O":
            block.end_of_options()
            block.letters, unknown = parse_letters(_text(item))
            if unknown:
                self.complaints.append(f'FileSet: unknown option letters "{printable(_bytes(unknown))}" are ignored')
        elif code in PATTERNS:
            block.lists.setdefault(PATTERNS[code], []).append(item)
        elif code in NAMES:
            block.texts.setdefault(NAMES[code], []).append(_text(item))
        elif code == b"G":
            block.plugin = _text(item)
        elif code == b"L" and item.isdigit():
            block.larger_than = int(item)
        elif code == b"F":
            block.end_of_options()
            block.files.append(item)
        elif code == b"P":
            block.end_of_options()
            block.plugins.append(_text(item))
        elif code == b"Z":
            block.containing.append(item)
        elif code in IGNORED:
            self.complaints.append(f'FileSet: the program "{printable(item)}" (reader, writer) is ignored')
        elif code:
            raise RemoteProtocolError("a FileSet line has a code nobody knows", code + b" " + item)


def _text(item: bytes) -> str:
    return item.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
