"""Typed values out of a resource: each directive is asked for by name and type, and what nobody asked for is an error.

    block = Block(statement, "FileDaemon", warnings)
    port = block.integer("FD Port", default=9102, least=1, most=65535)
    block.finish()

Names are compared without case and blanks.  The names asked for are the names known: a misspelt directive is told the
nearest of them.  The value of a directive asked for with `secret` is in no message.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable
from enum import Enum
from typing import TypeVar

from filed.config import units
from filed.config.syntax import Kind, Piece, Place, Statement, fold
from filed.errors import ConfigError

MAX_NAME = 127
"""Characters of a resource's name, as Bacula has it."""

E = TypeVar("E", bound=Enum)
T = TypeVar("T")


class Warnings:
    """What a person should know about a conf that can be used."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def add(self, place: Place, text: str) -> None:
        self.texts.append(str(place.error(text)))


class Block:
    """One resource, or a block in one; `title` is what it is called in messages."""

    def __init__(self, statement: Statement, title: str, warnings: Warnings) -> None:
        self.place = statement.place
        self.title = title
        self.warnings = warnings
        self._known: dict[str, str] = {}
        self._by_key: dict[str, list[Statement]] = {}
        for inner in statement.body or ():
            self._by_key.setdefault(inner.key, []).append(inner)

    def name(self, directive: str = "Name") -> str:
        """A required name of 1 to 127 characters."""
        found = self._one(directive, required=True)
        assert found is not None
        text = self._joined(found)
        if not text:
            raise found.place.error(f'"{directive}" is empty')
        if len(text) > MAX_NAME:
            raise found.place.error(f'"{directive}" is longer than {MAX_NAME} characters')
        return text

    def string(self, directive: str, default: str = "", *, required: bool = False) -> str:
        found = self._one(directive, required=required)
        return default if found is None else self._joined(found)

    def path(self, directive: str, default: str = "", *, required: bool = False) -> str:
        """A file or directory; `$NAME` and `~` are replaced from the environment, as Bacula's shell does it."""
        found = self._one(directive, required=required)
        if found is None:
            return default
        text = self._path(self._first(found))
        if not text:
            raise found.place.error(f'"{directive}" is empty')
        return text

    def yes(self, directive: str, *, default: bool = False) -> bool:
        return self._converted(directive, units.yes_or_no, default)

    def integer(self, directive: str, default: int = 0, *, least: int = 0, most: int = 2**63 - 1) -> int:
        def bounded(text: str) -> int:
            number = units.whole_number(text)
            if not least <= number <= most:
                raise ValueError(f"{number} is not between {least} and {most}")
            return number

        return self._converted(directive, bounded, default)

    def duration_s(self, directive: str, default: int = 0) -> int:
        return self._converted(directive, units.duration_s, default)

    def size_bytes(self, directive: str, default: int = 0) -> int:
        return self._converted(directive, units.size_bytes, default)

    def speed_bytes_s(self, directive: str, default: int = 0) -> int:
        return self._converted(directive, units.speed_bytes_s, default)

    def choice(self, directive: str, choices: type[E], default: E) -> E:
        """One of an enumeration, by its values, without case."""
        by_text = {str(member.value).lower(): member for member in choices}

        def chosen(text: str) -> E:
            if text.lower() not in by_text:
                raise ValueError(f'"{text}" is not one of {", ".join(str(member.value) for member in choices)}')
            return by_text[text.lower()]

        return self._converted(directive, chosen, default)

    def strings(self, directive: str) -> tuple[str, ...]:
        """All items of all lines of that name; commas part items."""
        return tuple(item for found in self.each(directive) for item in items(found))

    def paths(self, directive: str) -> tuple[str, ...]:
        return tuple(map(self._path, self.strings(directive)))

    def each(self, directive: str) -> list[Statement]:
        """All lines of that name that have a value."""
        found = self._lines(directive)
        for statement in found:
            if statement.value is None:
                raise statement.place.error(f'"{directive}" needs an "=" and a value')
        return found

    def blocks(self, directive: str) -> list[Statement]:
        """All blocks in braces of that name."""
        found = self._lines(directive)
        for statement in found:
            if statement.body is None:
                raise statement.place.error(f'"{directive}" needs a block in braces')
        return found

    def statements(self, directive: str) -> list[Statement]:
        """All of that name, in whatever form."""
        return self._lines(directive)

    def unsupported(self, directive: str, why: str) -> None:
        """A directive that Bacula knows: it is accepted, does nothing, and a warning says so."""
        for found in self._lines(directive):
            self.warnings.add(found.place, f'"{directive}" has no effect: {why}')

    def accepted(self, *directives: str) -> None:
        """Directives that may stand here and rightly change nothing."""
        for directive in directives:
            self._lines(directive)

    def finish(self) -> None:
        """Raises ConfigError for the first directive that nobody asked for."""
        unknown = [found[0] for key, found in self._by_key.items() if key not in self._known]
        if unknown:
            first = min(unknown, key=lambda statement: (statement.place.line, statement.place.column))
            hint = nearest(first, self._known)
            # A line without "=" may be a password that lost its directive: its text is not shown.
            what = "this" if first.value is None and first.body is None else f'"{first.name}"'
            raise first.place.error(f"{what} is not a directive of {self.title}{hint}")

    def _lines(self, directive: str) -> list[Statement]:
        key = fold(directive)
        self._known[key] = directive
        return self._by_key.get(key, [])

    def _one(self, directive: str, *, required: bool = False) -> Statement | None:
        """Raises ConfigError where it stands twice: Bacula refuses that of names, texts and paths, too."""
        found = self.each(directive)
        if len(found) > 1:
            first, second = found[0].place, found[1].place
            where = f"line {first.line}" if first.file == second.file else f"{first.file}, line {first.line}"
            raise second.error(f'"{directive}" stands twice in {self.title}; the first is in {where}')
        if not found:
            if required:
                raise self.place.error(f'{self.title} needs a "{directive}" line')
            return None
        return found[0]

    def _converted(self, directive: str, convert: Callable[[str], T], default: T) -> T:
        """Of several lines the last holds, as Bacula has it for numbers and words of a choice."""
        lines = self.each(directive)
        if not lines:
            return default
        found = lines[-1]
        if len(lines) > 1:
            text = f'"{directive}" stands {len(lines)} times in {self.title}; this one, the last, holds'
            self.warnings.add(found.place, text)
        head = self._head(found)
        try:
            return convert(" ".join(piece.text for piece in head))
        except ValueError as error:
            place = head[0].place if head else found.place
            raise place.error(f'"{directive}": {error}') from error

    def _head(self, found: Statement) -> list[Piece]:
        """The pieces before a comma or equals sign; the rest means nothing, in Bacula too."""
        pieces = found.value or ()
        ends = next((at for at, piece in enumerate(pieces) if piece.kind in (Kind.COMMA, Kind.EQUALS)), len(pieces))
        if ends < len(pieces):
            self._ignored(found, pieces[ends])
        return list(pieces[:ends])

    def _joined(self, found: Statement) -> str:
        """A string: quoted, or words, whose blanks Bacula drops."""
        head = self._head(found)
        if not head:
            return ""
        if head[0].kind is Kind.STRING:
            if len(head) > 1:
                self._ignored(found, head[1])
            return head[0].text
        words = [piece for piece in head if piece.kind is Kind.WORD]
        if len(words) > 1:
            text = f'the blanks in the value of "{found.name}" are dropped; put the value in double quotes to keep them'
            self.warnings.add(words[1].place, text)
        return "".join(piece.text for piece in words)

    def _first(self, found: Statement) -> str:
        head = self._head(found)
        if len(head) > 1:
            self._ignored(found, head[1])
        return head[0].text if head else ""

    def _ignored(self, found: Statement, piece: Piece) -> None:
        text = f'the rest of the value of "{found.name}" is ignored from here; put the whole value in double quotes'
        self.warnings.add(piece.place, text)

    @staticmethod
    def _path(text: str) -> str:
        return os.path.expanduser(os.path.expandvars(text))  # noqa: PTH111  Path would drop a slash at the end


def items(found: Statement) -> list[str]:
    """The items of a list: `all, !skipped`, `"a b", c`."""
    out: list[str] = []
    current: list[str] = []
    for piece in found.value or ():
        if piece.kind is Kind.COMMA:
            out.append("".join(current))
            current = []
        elif piece.kind is Kind.EQUALS:
            raise piece.place.error(f'an "=" cannot stand in the list of "{found.name}"; put the item in double quotes')
        else:
            current.append(piece.text)
    out.append("".join(current))
    return [item for item in out if item]


def nearest(statement: Statement, known: Iterable[str] | dict[str, str]) -> str:
    """`; did you mean ...?` when a known name is near."""
    shown = known if isinstance(known, dict) else {fold(name): name for name in known}
    key = statement.key.replace("_", "").replace("-", "")
    found = difflib.get_close_matches(key, shown, n=1, cutoff=0.7)
    return f'; did you mean "{shown[found[0]]}"?' if found else ""


def unknown_resource(statement: Statement, known: Iterable[str]) -> ConfigError:
    """The error for a resource, or a line outside of one, that has no business in a conf."""
    if statement.body is None:
        return statement.place.error(f"a line stands outside of any resource; known resources are {', '.join(known)}")
    return statement.place.error(f'"{statement.name}" is not a resource of this conf{nearest(statement, known)}')
