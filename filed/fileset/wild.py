"""Wild cards of bacula-fd, translated to `re`: all patterns of a kind become one alternation.

`*` is any text, `?` one character, `[...]` one of, `[!...]` or `[^...]` none of, with ranges; a backslash takes the next
character as itself, and is itself at the end.  Of a name that is not valid UTF-8 the odd bytes count as one character each.  That is fnmatch(3)
without `[:class:]`, `[.x.]` and `[=x=]`: `[[:alpha:]]` is one of `[:alph` and a `]` behind it.  stdlib's fnmatch differs
in backslashes, `[^` and slashes.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

NOTHING = "(?!)"


def matcher(
    patterns: Iterable[bytes],
    base_patterns: Iterable[bytes] = (),
    *,
    ignore_case: bool = False,
    pathname: bool = False,
) -> Callable[[str], object]:
    """A function that is true for a path (decoded with `surrogateescape`) that any of the patterns matches as a whole.

    base_patterns: the same for what follows the path's last slash.
    pathname: `*`, `?` and `[...]` do not match a slash (enhanced wild).
    """
    alternatives = [translate(pattern, ignore_case=ignore_case, pathname=pathname) for pattern in patterns]
    alternatives += [
        f"(?:.*/)?{translate(pattern, ignore_case=ignore_case, pathname=True)}" for pattern in base_patterns
    ]
    flags = re.IGNORECASE if ignore_case else re.NOFLAG
    return re.compile(f"(?s:{'|'.join(alternatives)})\\Z", flags).match


def translate(pattern: bytes, *, ignore_case: bool = False, pathname: bool = False) -> str:
    """The same pattern for `re`: one string without groups, to be matched against a whole name with DOTALL."""
    pieces = _pieces(pattern.decode("utf-8", "surrogateescape"), ignore_case=ignore_case, pathname=pathname)
    any_text = "[^/]*" if pathname else ".*"
    out: list[str] = []
    stars = [at for at, piece in enumerate(pieces) if piece is None]
    if not stars:
        return "".join(piece for piece in pieces if piece is not None)
    out.extend(piece for piece in pieces[: stars[0]] if piece is not None)
    for at, following in itertools.pairwise(stars):
        # The leftmost place for what stands between two stars is always right: an atomic group never looks for another,
        # so that no pattern takes exponential time.
        fixed = "".join(piece for piece in pieces[at + 1 : following] if piece is not None)
        if fixed:
            out.append(f"(?>{any_text}?{fixed})")
    out.append(any_text)
    out.extend(piece for piece in pieces[stars[-1] + 1 :] if piece is not None)
    return "".join(out)


def _pieces(pattern: str, *, ignore_case: bool, pathname: bool) -> list[str | None]:
    """One regular expression for each character to be matched, None for a star."""
    pieces: list[str | None] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*":
            pieces.append(None)
        elif char == "?":
            pieces.append("[^/]" if pathname else ".")
        elif char == "[":
            bracket = _bracket(pattern, at, ignore_case=ignore_case, pathname=pathname)
            if bracket is None:
                pieces.append(r"\[")
            else:
                pieces.append(bracket.expression)
                at = bracket.end
        else:
            if char == "\\" and at < len(pattern):
                char = pattern[at]
                at += 1
            pieces.append(re.escape(_fold(char) if ignore_case else char))
    return pieces


@dataclass(frozen=True, slots=True)
class _Bracket:
    expression: str
    end: int


def _bracket(pattern: str, at: int, *, ignore_case: bool, pathname: bool) -> _Bracket | None:
    """The bracket expression whose `[` stands before `at`; None when it is never closed: then `[` is itself."""
    negated = pattern[at : at + 1] in ("!", "^")
    at += negated
    singles: list[str] = []
    first = at
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "]" and at - 1 > first:
            return _Bracket(_one_of(singles, negated=negated, pathname=pathname), at)
        if char == "\\" and at < len(pattern):
            char = pattern[at]
            at += 1
        low = _fold(char) if ignore_case else char
        if pattern[at : at + 1] == "-" and pattern[at + 1 : at + 2] not in ("", "]"):
            at += 1
            high = pattern[at]
            at += 1
            if high == "\\" and at < len(pattern):
                high = pattern[at]
                at += 1
            high = _fold(high) if ignore_case else high
            if low <= high:
                singles.append(f"{_in_set(low)}-{_in_set(high)}")
        else:
            singles.append(_in_set(low))
    return None


def _one_of(singles: list[str], *, negated: bool, pathname: bool) -> str:
    chosen = f"[{''.join(singles)}]" if singles else NOTHING
    slash = "(?!/)" if pathname else ""
    if negated:
        return f"(?:{slash}(?!{chosen}).)"
    return f"(?:{slash}{chosen})"


def _in_set(char: str) -> str:
    return "\\" + char if char in r"\]^-[&~|" else char


def _fold(char: str) -> str:
    low = char.lower()
    return low if len(low) == 1 else char
