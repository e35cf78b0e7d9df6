"""Paths with `*`, `?` and `[...]`, as a shell has them: none of these takes a slash, and `**` takes whole directories."""

from __future__ import annotations

import re
from typing import Final

from filed.errors import CatalogError, printable

_TOKEN: Final = re.compile(rb"\*\*/|\*\*|\*|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)
_WILD: Final = re.compile(rb"[*?[]")


def is_pattern(path: bytes) -> bool:
    return _WILD.search(path) is not None


def fixed_part(pattern: bytes) -> bytes:
    """The directory that all that matches lies in, without a slash at its end; b"" for the root."""
    found = _WILD.search(pattern)
    return pattern[: found.start() if found else len(pattern)].rpartition(b"/")[0]


def path_pattern(pattern: bytes) -> re.Pattern[bytes]:
    """Matches whole paths, a directory with or without its slash at the end. Raises CatalogError for a range like [z-a]."""
    expression = b"".join(map(_expression, _TOKEN.findall(pattern.rstrip(b"/")))) + rb"/?\Z"
    try:
        return re.compile(expression, re.DOTALL)
    except re.error as error:
        raise CatalogError(f"{printable(pattern)} is no pattern: {error.msg}") from error


def _expression(token: bytes) -> bytes:
    match token:
        case b"**/":
            return b"(?:.*/)?"
        case b"**":
            return b".*"
        case b"*":
            return b"[^/]*"
        case b"?":
            return b"[^/]"
    if len(token) > 2 and token.startswith(b"["):
        inside = token[1:-1]
        negated = inside.startswith(b"!")
        characters = re.sub(rb"([\\\[\]^&~|])", rb"\\\1", inside[negated:])
        return b"(?!/)[" + (b"^" if negated else b"") + characters + b"]"
    return re.escape(token)
