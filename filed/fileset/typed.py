"""An Exclude as people type it: `node_modules`, `cache/`, `build/out`, `**/x/`, where Bacula wants the whole path."""

from __future__ import annotations

import re


def exclude_as_typed(pattern: bytes) -> bytes:
    """The same as a pattern of whole paths: one that does not begin with a slash holds at any depth."""
    found = re.sub(rb"\*\*+", b"*", pattern)
    found = found.rstrip(b"/") or found[:1]
    if found.startswith((b"/", b"*", b"<", b"|", b"\\")) or re.match(rb"[A-Za-z]:/", found):
        return found
    return b"*/" + found.removeprefix(b"./")
