"""RE2, which takes linear time for every pattern, by the binding that this Python has: google-re2, or pyre2 where that cannot be installed.

google-re2 does not build for Python 3.15; pyre2 has wheels for it. Both are called `re2`. Expressions are in RE2's POSIX syntax, as `translate` of
`regex.py` makes them. pyre2 reads Perl's, so what means something else there is rewritten for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import re2

BY_GOOGLE = hasattr(re2, "Options")
_TOKEN = re.compile(
    r"\\.|\[\^?\]?(?:\\.|\[:[a-z]+:\]|[^\]])*\]|(?P<repeat>[*+?]|\{\d+(?:,\d*)?\})|.",
    re.DOTALL,
)

if not BY_GOOGLE:
    re2.set_fallback_notification(re2.FALLBACK_EXCEPTION)  # never Python's own, which may take for ever


class PatternError(Exception):
    """RE2 refuses the expression; the text says why."""


class Pattern(Protocol):
    """Of a substitution; bytes in, bytes out."""

    groups: int

    def sub(self, repl: Callable[[re.Match[bytes]], bytes], text: bytes, count: int) -> bytes: ...


def finder(expressions: Sequence[bytes], *, ignore_case: bool, by_byte: bool) -> Callable[[bytes], object]:
    """A function that is true for a text in which any of them is found. by_byte: else the texts are UTF-8. Raises PatternError."""
    if BY_GOOGLE:
        options = _options(ignore_case=ignore_case, by_byte=by_byte)
        options.never_capture = True
        for expression in expressions:
            _compile(expression, options)
        found = re2.Set.SearchSet(options)
        for expression in expressions:
            found.Add(expression)
        found.Compile()
        match: Callable[[bytes], object] = found.Match
        return match
    searches = [_by_pyre2(expression, ignore_case=ignore_case, by_byte=by_byte).search for expression in expressions]
    if by_byte:
        return lambda text: any(search(text) for search in searches)
    return lambda text: any(search(text.decode()) for search in searches)


def substitution(expression: bytes, *, ignore_case: bool) -> Pattern:
    """Byte by byte: a name need not be UTF-8. Raises PatternError."""
    made: Pattern = (
        _compile(expression, _options(ignore_case=ignore_case, by_byte=True))
        if BY_GOOGLE
        else _by_pyre2(expression, ignore_case=ignore_case, by_byte=True)
    )
    return made


def _options(*, ignore_case: bool, by_byte: bool) -> Any:
    options = re2.Options()
    options.posix_syntax = options.perl_classes = options.word_boundary = True
    options.one_line = options.dot_nl = True
    options.log_errors = False
    options.case_sensitive = not ignore_case
    options.encoding = re2.Options.Encoding.LATIN1 if by_byte else re2.Options.Encoding.UTF8
    return options


def _compile(expression: bytes, options: Any) -> Any:
    try:
        return re2.compile(expression, options)
    except re2.error as error:
        raise PatternError(_words(error)) from error


def _by_pyre2(expression: bytes, *, ignore_case: bool, by_byte: bool) -> Any:
    flags = re2.DOTALL | (re2.IGNORECASE if ignore_case else 0)
    try:
        if by_byte:
            return re2.compile(in_perls(expression.decode("latin-1")).encode("latin-1"), flags)
        return re2.compile(in_perls(expression.decode()), flags | re2.ASCII)
    except (re2.error, UnicodeDecodeError) as error:
        raise PatternError(_words(error)) from error


def _words(error: Exception) -> str:
    why = error.args[0] if error.args else error
    return why.decode("utf-8", "backslashreplace") if isinstance(why, bytes) else str(why)


def in_perls(expression: str) -> str:
    """The same in Perl's syntax: there `a+?` is no `(a+)?`, `a{2}{3}` is an error, and `(?` begins an option. Raises PatternError."""
    out: list[str] = []
    groups: list[int] = []  # where each that is open begins
    atom: int | None = None  # where what can be repeated begins
    repeated = False
    for token in _TOKEN.finditer(expression):
        text, repeats = token[0], token["repeat"] is not None
        if repeats and atom is None:
            raise PatternError(f"no argument for repetition operator: {text}")
        if repeats and repeated:
            out.insert(atom or 0, "(?:")
            out.append(")")
        elif text == "(":
            groups.append(len(out))
            atom = None
        elif text == ")":
            atom = groups.pop() if groups else None
        elif text == "|":
            atom = None
        elif not repeats:
            atom = len(out)
        repeated = repeats
        out.append(text)
    return "".join(out)
