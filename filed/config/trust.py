"""Whether others could have written a file or directory that decides what this program does."""

from __future__ import annotations

import os
import stat
import sys

from filed.config import access_list


def why_not_trusted(path: object, status: os.stat_result) -> str:
    """Why what lies there may be somebody else's work, and what to do; "" when it is not.

    It must belong to root or to us, and nobody else may write it; members of root's group and of ours may.
    """
    if sys.platform == "win32":
        found, trusted = access_list.descriptor_of(path), access_list.trusted_here()
        return access_list.why_not_owned(path, found, trusted) or access_list.why_changeable(path, found, trusted)
    if status.st_uid not in {0, os.geteuid()}:
        return f"{path} belongs to user {status.st_uid}, who could have anything done by it; chown it to the user who runs this"
    return why_writable(path, status)


def readable_by_others(path: object, status: os.stat_result) -> bool:
    """Whether others than its owner and the owner's group may read it."""
    if sys.platform == "win32":
        return bool(access_list.descriptor_of(path).others_who_may(access_list.READ, access_list.trusted_here()))
    return bool(status.st_mode & stat.S_IROTH)


def usable_by_others(path: object, status: os.stat_result, *, group: int = 0) -> bool:
    """Whether others than its owner and the owner's group may read or change it. group: what the group must not do either, as bits of a mode."""
    if sys.platform == "win32":
        anything = access_list.READ | access_list.WRITE
        return bool(access_list.descriptor_of(path).others_who_may(anything, access_list.trusted_here()))
    return bool(status.st_mode & (stat.S_IRWXO | group))


def how_to_hide(path: object, mode: str = "o-r") -> str:
    """The command after which others cannot read it. mode: as chmod takes it."""
    if sys.platform == "win32":
        return f'icacls "{path}" /inheritance:r /grant:r Administrators:F SYSTEM:F'
    return f"chmod {mode} {path}"


def why_writable(path: object, status: os.stat_result) -> str:
    """The same for what may belong to a user of its own, as a Working Directory does."""
    if sys.platform == "win32":
        return access_list.why_changeable(path, access_list.descriptor_of(path), access_list.trusted_here())
    groups = {0, os.getegid()}
    if status.st_mode & stat.S_IWOTH or (status.st_mode & stat.S_IWGRP and status.st_gid not in groups):
        return f"{path} can be written by others, who could have anything done by it; run: chmod go-w {path}"
    return ""
