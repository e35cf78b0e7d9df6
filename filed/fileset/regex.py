"""POSIX extended regular expressions, run by RE2: no pattern can take exponential time.

RE2's syntax is not quite regcomp(3)'s.  What differs is rewritten first: a backslash inside brackets is itself, an
escaped letter that means nothing is that letter, `{,n}` starts at 0, a `)` that closes nothing is itself.  `\\<` and `\\>` are word borders,
both of them either.  What RE2 cannot do (back-references, a repetition of nothing) is refused with the pattern and the reason.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from filed.errors import JobError, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

WORDS = {"w": r"\w", "W": r"\W", "s": r"\s", "S": r"\S", "b": r"\b", "B": r"\B", "<": r"\b", ">": r"\b"}
EDGES = {"`": "^", "'": "$"}  # there are no lines in a path
BACK_REFERENCE = re.compile(rb"\\[1-9]")


def matcher(patterns: Iterable[bytes], *, ignore_case: bool) -> Callable[[bytes], object]:
    """A function that is true for a path in which any of the patterns is found.  Raises JobError for a bad pattern."""
    from filed.fileset import engine  # noqa: PLC0415  takes 10 ms to load, and most FileSets have no regex

    patterns = list(patterns)
    rewritten = [translate(pattern) for pattern in patterns]
    for pattern, expression in zip(patterns, rewritten, strict=True):
        try:
            engine.finder([expression], ignore_case=ignore_case, by_byte=False)
        except engine.PatternError as error:
            raise JobError(refusal(pattern, error)) from error
    in_characters = engine.finder(rewritten, ignore_case=ignore_case, by_byte=False)
    in_bytes = engine.finder(rewritten, ignore_case=ignore_case, by_byte=True)

    def matches(path: bytes) -> object:
        if path.isascii():
            return in_characters(path)
        try:
            path.decode()
        except UnicodeDecodeError:
            return in_bytes(path)  # in UTF-8 mode `.` does not match an odd byte
        return in_characters(path)

    return matches


def refusal(pattern: bytes, error: Exception) -> str:
    reason = str(error)
    if BACK_REFERENCE.search(pattern):
        reason = "back-references (\\1 ... \\9) are not supported"
    return f'FileSet: regex "{printable(pattern)}" cannot be used: {reason}; write it another way, or as a wild pattern'


def translate(pattern: bytes) -> bytes:
    """The same expression in RE2's POSIX syntax."""
    text = pattern.decode("utf-8", "surrogateescape")
    out: list[str] = []
    at = open_groups = 0
    while at < len(text):
        char = text[at]
        at += 1
        if char in "()":
            closes_nothing = char == ")" and not open_groups
            out.append("\\)" if closes_nothing else char)
            open_groups += 1 if char == "(" else -bool(open_groups)
        elif char == "\\" and at < len(text):
            out.append(_escape(text[at]))
            at += 1
        elif char == "[":
            end = _bracket_end(text, at)
            if end is None:
                out.append(char)
            else:
                out.append(_bracket(text[at:end]))
                at = end + 1
        elif char == "{" and (open_start := re.compile(r",(\d+)\}").match(text, at)):
            out.append("{0," + open_start[1] + "}")
            at = open_start.end()
        else:
            out.append(char)
    return "".join(out).encode("utf-8", "surrogateescape")


def _escape(char: str) -> str:
    if char in WORDS:
        return WORDS[char]
    if char in EDGES:
        return EDGES[char]
    if char.isalpha():
        return char
    return "\\" + char


def _bracket_end(text: str, at: int) -> int | None:
    """Where the `]` of a bracket expression stands whose content starts at `at`."""
    at += text[at : at + 1] == "^"
    at += text[at : at + 1] == "]"
    while at < len(text):
        if text[at] == "]":
            return at
        named = re.compile(r"\[([:.=]).*?\1\]", re.DOTALL).match(text, at)
        at = named.end() if named else at + 1
    return None


def _bracket(content: str) -> str:
    """content: what stands between the brackets."""
    negated = content.startswith("^")
    content = content[negated:]
    content = re.sub(r"\[[.=](.)[.=]\]", lambda m: m[1], content, flags=re.DOTALL)
    literal = re.sub(r"\[:[a-z]+:\]|\\|\[", lambda m: m[0] if len(m[0]) > 1 else "\\" + m[0], content)
    return f"[{'^' if negated else ''}{literal}]"
