"""StripPath: leading components taken off a name before it is stored. bacula-fd 9.6.7 was asked."""

from __future__ import annotations


def stripped(path: bytes, count: int) -> bytes:
    """The absolute `path` without its first `count` components; as it is when nothing would be left of it.

    A slash at its end stays, and is no component.
    """
    at = 0
    for _ in range(count):
        at = path.find(b"/", at + 1)
        if at < 0 or at == len(path) - 1:
            return path
    return path[at:]


def prefix_of_stripped(prefix: bytes, count: int) -> bytes:
    """What every name at or below `prefix` is at or below once it is stripped, but for those too short to be."""
    components = prefix.rstrip(b"/").count(b"/")
    return stripped(prefix, count) if count < components else b"/"
