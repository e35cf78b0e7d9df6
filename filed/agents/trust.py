"""May this file be loaded? Whoever can write an agent's library, or put another in its place, runs code as the daemon."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection
from pathlib import Path

import filed
from filed.errors import AgentLoadError


def trusted_owners() -> frozenset[int]:
    """Who may own an agent's library and the directories above it: root, this daemon's user, and filed's own owner.

    The last is for a package or a checkout that belongs to somebody else while root runs it: whoever can replace
    filed's own code needs no agent to run his, so trusting him with agents gives nothing away.
    """
    return frozenset({0, os.geteuid(), Path(filed.__file__).parent.stat().st_uid})


def check_path(agent: str, path: Path, owners: Collection[int]) -> None:
    """Refuses `path` when somebody else could change what stands there.

    path: absolute, without `..`. Each part of it must belong to one of `owners` and must not be writable by
    group or others; a sticky directory such as /tmp may be, since only its owner can replace the next part, which
    is checked in turn. Of a symbolic link only the owner counts; check what it leads to by itself. Raises AgentLoadError naming the part and what to do.
    """
    for part in (*reversed(path.parents), path):
        try:
            status = part.lstat()
        except OSError as why:
            raise AgentLoadError(agent, "load", 0, f"cannot look at {part}: {why.strerror}") from why
        if status.st_uid not in owners:
            accepted = ", ".join(str(owner) for owner in sorted(owners))
            raise AgentLoadError(
                agent,
                "load",
                0,
                f"not loaded: {part} belongs to user {status.st_uid}, accepted are {accepted};"
                f" copy the library to a directory of root's, or chown {part}",
            )
        sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
        loose = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not stat.S_ISLNK(status.st_mode)
        if loose and not sticky:
            raise AgentLoadError(
                agent, "load", 0, f"not loaded: {part} can be written by group or others; chmod go-w {part}"
            )
    if not stat.S_ISREG(path.stat().st_mode):
        raise AgentLoadError(agent, "load", 0, f"not loaded: {path} is not a regular file")


def check_digest(agent: str, path: Path, accepted: Collection[str]) -> None:
    """Refuses a library whose SHA-256 (lower-case hex) is not in the list."""
    with path.open("rb") as library:
        digest = hashlib.file_digest(library, "sha256").hexdigest()
    if digest not in accepted:
        raise AgentLoadError(
            agent, "load", 0, f"not loaded: the SHA-256 of {path} is {digest}, which is not in the configured list"
        )
