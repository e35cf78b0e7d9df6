"""May this file be loaded? Anyone who can write an agent's library, or put another in its place, runs code as the daemon."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import filed
from filed.config import access_list
from filed.errors import AgentLoadError


@dataclass(frozen=True, slots=True)
class Writers:
    """Numbers of the users and groups that may write agents."""

    users: frozenset[int]
    groups: frozenset[int] = frozenset()


def trusted_writers() -> Writers:
    """Root, this daemon's user, and anyone who can write filed's own code: its owner, and the groups its path lets in.

    The last are for a package or a checkout that belongs to somebody else while root runs it, and for umask 002 and
    Debian's /usr/local, where groups may write: anyone who can replace filed's own code needs no agent to run his, so
    trusting him with agents gives nothing away.
    """
    if sys.platform == "win32":
        return Writers(frozenset())  # SIDs stand in access lists, and `trusted_here` has them
    users, groups = {0, os.geteuid()}, set()
    package = Path(filed.__file__).parent
    with contextlib.suppress(PermissionError):  # privileges dropped since it was imported: nobody more is trusted
        package = package.resolve()
        users.add(package.stat().st_uid)
        for part in (package, *package.parents):
            status = part.stat()
            if status.st_mode & stat.S_IWGRP and not status.st_mode & stat.S_ISVTX:
                groups.add(status.st_gid)
    return Writers(frozenset(users), frozenset(groups))


def check_path(agent: str, path: Path, writers: Writers) -> None:
    """Refuses `path` when somebody else could change what stands there.

    path: absolute, without `..`. Each part of it must belong to one of the users, and must not be writable by another
    group or by everybody; a sticky directory such as /tmp may be, since only its owner can replace the next part,
    which is checked in turn. Of a symbolic link only the owner counts; check what it leads to by itself. Raises
    AgentLoadError naming the part and what to do.
    """
    _check_parts(agent, path, writers)
    if not stat.S_ISREG(path.stat().st_mode):
        raise _refusal(agent, f"{path} is not a regular file")


def check_search_paths(agent: str, path: Path, written: Collection[str], writers: Writers) -> None:
    """Refuses a library that brings directories to look for other libraries in (RUNPATH) which somebody else could write.

    One that is not there is harmless where nobody else can make it.
    """
    for one in written:
        where = one.replace("${ORIGIN}", "$ORIGIN").replace("$ORIGIN", str(path.parent))
        if not where.startswith("/") or "$" in where:
            raise _refusal(
                agent, f"its RUNPATH names {one or '.'!r}, which is no place that could be checked; link it without"
            )
        try:
            for place in {Path(os.path.normpath(where)), Path(where).resolve()}:
                _check_parts(agent, place, writers, may_be_missing=True)
        except AgentLoadError as error:
            raise _refusal(agent, f"its RUNPATH names {one}: {error.text.removeprefix('not loaded: ')}") from error


def _check_parts(agent: str, path: Path, writers: Writers, *, may_be_missing: bool = False) -> None:
    if sys.platform == "win32":
        _check_access(agent, path)
        return
    shared = False  # the directory that holds the part: anybody may make something in it
    for part in (*reversed(path.parents), path):
        try:
            status = part.lstat()
        except FileNotFoundError as why:
            if may_be_missing and not shared:
                return
            raise _refusal(agent, f"cannot look at {part}: {why.strerror}") from why
        except OSError as why:
            raise _refusal(agent, f"cannot look at {part}: {why.strerror}") from why
        if status.st_uid not in writers.users:
            accepted = ", ".join(str(user) for user in sorted(writers.users))
            raise _refusal(
                agent,
                f"{part} belongs to user {status.st_uid}, accepted are {accepted};"
                f" copy the library to a directory of root's, or chown {part}",
            )
        mode = status.st_mode
        shared = stat.S_ISDIR(mode) and bool(mode & stat.S_IWOTH)
        if stat.S_ISLNK(mode) or (stat.S_ISDIR(mode) and mode & stat.S_ISVTX):
            continue
        if mode & stat.S_IWOTH or (mode & stat.S_IWGRP and status.st_gid not in writers.groups):
            raise _refusal(agent, f"{part} can be written by group or others; chmod go-w {part}")


if sys.platform == "win32":

    def _check_access(agent: str, path: Path) -> None:
        """The same by Windows' access lists. In the library's own directory nobody else may make files either: others of its name are found there first."""
        for part in (*reversed(path.parents), path):
            mask = access_list.WRITE if part in (path, path.parent) else access_list.REPLACE
            try:
                found, trusted = access_list.descriptor_of(part), access_list.trusted_here()
            except OSError as why:
                raise _refusal(agent, f"cannot look at {part}: {why.strerror}") from why
            flaw = access_list.why_not_owned(part, found, trusted) or access_list.why_changeable(
                part, found, trusted, mask
            )
            if flaw:
                raise _refusal(agent, flaw)


def check_digest(agent: str, path: Path, accepted: Collection[str]) -> None:
    """Refuses a library whose SHA-256 (lower-case hex) is not in the list."""
    try:
        with path.open("rb") as library:
            digest = hashlib.file_digest(library, "sha256").hexdigest()
    except OSError as why:
        raise _refusal(agent, f"cannot read {path}: {why.strerror}") from why
    if digest not in accepted:
        raise _refusal(agent, f"the SHA-256 of {path} is {digest}, which is not in the configured list")


def _refusal(agent: str, why: str) -> AgentLoadError:
    return AgentLoadError(agent, "load", 0, f"not loaded: {why}")
