"""The text of a conf, and of the files it includes, as a tree of statements that know where they stand.

Nothing is interpreted here but quotes and includes.  No message of this module ever shows a value: any of them may be a
password, put in the wrong place.  The parser (lark) is loaded when the first conf is read, not when a command starts.
"""

from __future__ import annotations

import functools
import os
import re
import shlex
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from filed.config.trust import why_not_trusted
from filed.errors import ConfigError

if TYPE_CHECKING:
    from lark import Lark, Token, Tree
    from lark.exceptions import UnexpectedInput

MAX_DEPTH = 20
"""Files included by included files; a conf that nests deeper is a mistake."""
MAX_BYTES = 16 * 1024 * 1024
"""Of one file or one command's output."""


@dataclass(frozen=True, slots=True)
class Place:
    file: str
    line: int = 0
    column: int = 0

    def error(self, text: str) -> ConfigError:
        return ConfigError(text, self.file, self.line, self.column)


class Kind(Enum):
    WORD = "word"
    STRING = "string"
    COMMA = ","
    EQUALS = "="


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of a value.  text: without quotes and escapes; kept out of repr, for it may be a secret."""

    kind: Kind
    place: Place
    text: str = field(repr=False, default="")


@dataclass(frozen=True, slots=True)
class Statement:
    """`name = value`, `name { body }`, `name = { body }` or a bare `name`.

    name: as written.  value: the pieces right of the equals sign; None when there is none.
    body: what stands in braces; None when there are none.
    """

    name: str
    place: Place
    value: tuple[Piece, ...] | None = None
    body: tuple[Statement, ...] | None = None

    @property
    def key(self) -> str:
        return fold(self.name)


def fold(name: str) -> str:
    """How names are compared: without case and blanks."""
    return re.sub(r"[ \t]", "", name).lower()


def read(path: Path | str) -> tuple[Statement, ...]:
    """The statements of a conf file, with its includes in their places.  Raises ConfigError with file, line, column."""
    return _Reading(()).file(Path(path), Place(str(path)))


def parse(text: str, file: str = "") -> tuple[Statement, ...]:
    """The same from text; a relative include is sought in the current directory."""
    return _Reading(()).statements(text, file)


@functools.cache
def _parser() -> Lark:
    from lark import Lark  # noqa: PLC0415  20 ms that most commands need not pay

    grammar = Path(__file__).with_name("grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", start=["body", "value"], propagate_positions=True)


class _Reading:
    """One text being read; `chain` are the files that led here."""

    def __init__(self, chain: tuple[Path, ...]) -> None:
        self._chain = chain
        self._file = ""

    def file(self, path: Path, place: Place) -> tuple[Statement, ...]:
        text = self._text_of(path, place)
        return _Reading((*self._chain, path.resolve())).statements(text, str(path))

    def statements(self, text: str, file: str) -> tuple[Statement, ...]:
        self._file = file
        return tuple(self._body(self._tree(text, "body")))

    def pieces(self, text: str, file: str) -> tuple[Piece, ...]:
        self._file = file
        return tuple(self._value(self._tree(text.strip(), "value")))

    def _tree(self, text: str, start: str) -> Tree[Token]:
        from lark.exceptions import UnexpectedInput  # noqa: PLC0415

        try:
            return _parser().parse(text.removeprefix("\ufeff"), start=start)
        except UnexpectedInput as error:
            self._refuse(error, text)

    def _body(self, tree: Tree[Token]) -> Iterator[Statement]:
        from lark import Token  # noqa: PLC0415

        for child in tree.children:
            if isinstance(child, Token):
                yield from self._included(child)
                continue
            key = child.children[0]
            assert isinstance(key, Token)
            place = self._place(key)
            if child.data == "bare":
                yield Statement(str(key), place)
                continue
            inner = child.children[-1]
            assert not isinstance(inner, Token)
            if child.data == "directive":
                yield Statement(str(key), place, value=tuple(self._value(inner)))
            else:
                yield Statement(str(key), place, body=tuple(self._body(inner)))

    def _value(self, tree: Tree[Token]) -> Iterator[Piece]:
        from lark import Token  # noqa: PLC0415

        for child in tree.children:
            assert isinstance(child, Token)
            place = self._place(child)
            match child.type:
                case "STRING":
                    yield Piece(Kind.STRING, place, unquoted(child))
                case "WORD":
                    yield Piece(Kind.WORD, place, str(child))
                case "COMMA":
                    yield Piece(Kind.COMMA, place)
                case "EQUALS":
                    yield Piece(Kind.EQUALS, place)
                case _:
                    name, text, reading = self._source(child)
                    yield from reading.pieces(text, name)

    def _included(self, token: Token) -> tuple[Statement, ...]:
        name, text, reading = self._source(token)
        return reading.statements(text, name)

    def _source(self, token: Token) -> tuple[str, str, _Reading]:
        """What an `@` stands for: a name for messages, its text, and who reads on."""
        place = self._place(token)
        is_command = token.startswith("@|")
        written = token[2:] if is_command else token[1:]
        target = unquoted(written) if written.startswith('"') else str(written)
        if len(self._chain) >= MAX_DEPTH:
            raise place.error(f"includes are nested more than {MAX_DEPTH} deep")
        if is_command:
            program = Path("|" + target.split(maxsplit=1)[0]) if target.strip() else Path("|")
            return f"output of {token[1:20]}...", _output(target, place), _Reading((*self._chain, program))
        path = Path(target)
        if path.resolve() in self._chain:
            raise place.error(f"{target} includes itself, directly or by way of others")
        return target, self._text_of(path, place), _Reading((*self._chain, path.resolve()))

    def _text_of(self, path: Path, place: Place) -> str:
        try:
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                if stat.S_ISREG(status.st_mode) and (why := why_not_trusted(path, status)):
                    raise place.error(why)  # before a program that it names is run
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise place.error(f"cannot read {path}: {error.strerror}") from error
        return _decoded(data, str(path))

    def _place(self, token: Token) -> Place:
        return Place(self._file, token.line or 0, token.column or 0)

    def _refuse(self, error: UnexpectedInput, text: str) -> NoReturn:
        """Say what is wrong by kinds of things, never by the text that stands there."""
        from lark.exceptions import UnexpectedCharacters, UnexpectedToken  # noqa: PLC0415

        place = Place(self._file, getattr(error, "line", 0), getattr(error, "column", 0))
        if isinstance(error, UnexpectedToken) and error.token.type == "$END":
            opened = _open_braces(error)
            if opened:
                brace = opened[-1]
                place = Place(self._file, brace.end_line or 0, (brace.end_column or 1) - 1)
                raise place.error('this "{" is never closed') from None
            lines = text.split("\n")
            raise Place(self._file, len(lines), len(lines[-1]) + 1).error("the text ends too early") from None
        if isinstance(error, UnexpectedToken):
            what = {
                "_RBRACE": 'a "}" without its "{"',
                "LBRACE": 'a "{" that no name stands before',
                "EQUALS": 'an "=" that no name stands before',
                "STRING": 'a quoted string where a name should be, or no "=" before it',
                "_END": "the line ends too early",
            }.get(error.token.type, 'text where a name, "=", a new line or ";" should be')
            raise place.error(what) from None
        assert isinstance(error, UnexpectedCharacters)
        if text[error.pos_in_stream or 0 :].startswith('"'):
            rest = text[(error.pos_in_stream or 0) + 1 :]
            if not re.search(r'(?<!\\)"', rest):
                raise place.error("this quote is never closed") from None
            raise place.error('a quoted string where a name should be, or no "=" before it') from None
        expected = (
            '"=" or "{"' if {"LBRACE", "EQUAL", "EQUALS"} & set(error.allowed or ()) else 'a name, a new line or ";"'
        )
        raise place.error(f"this character cannot stand here; expected {expected}") from None


def unquoted(text: str) -> str:
    """What a quoted string means: a backslash takes the next character as itself."""
    return re.sub(r"\\([\s\S])", r"\1", text[1:-1])


def _open_braces(error: UnexpectedInput) -> list[Token]:
    from lark import Token  # noqa: PLC0415

    state = getattr(error, "interactive_parser", None)
    stack = state.parser_state.value_stack if state is not None else []
    return [item for item in stack if isinstance(item, Token) and item.type == "LBRACE"]


def _output(command: str, place: Place) -> str:
    """What a command prints, run without a shell.  Raises ConfigError when it fails."""
    try:
        words = shlex.split(command)
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except (OSError, ValueError) as error:
        raise place.error(f"the command of this include cannot be run: {error}") from error
    if done.returncode:
        raise place.error(f"the command of this include ended with code {done.returncode}")
    return _decoded(done.stdout, "the command's output")


def _decoded(data: bytes, name: str) -> str:
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{name} is larger than {MAX_BYTES} bytes; this cannot be a conf")
    text = data.decode("utf-8", "surrogateescape")  # Bacula takes any bytes: paths and passwords keep theirs
    if "\0" in text:
        raise ConfigError("this is not text: it has a NUL byte", name, text.count("\n", 0, text.index("\0")) + 1, 1)
    return text
