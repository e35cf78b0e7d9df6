"""Whether others could have written a file or directory that decides what this program does."""

from __future__ import annotations

import os
import stat


def why_not_trusted(path: object, status: os.stat_result) -> str:
    """Why what lies there may be somebody else's work, and what to do; "" when it is not.

    It must belong to root or to us, and nobody else may write it; members of root's group and of ours may.
    """
    if status.st_uid not in {0, os.geteuid()}:
        return f"{path} belongs to user {status.st_uid}, who could have anything done by it; chown it to the user who runs this"
    return why_writable(path, status)


def why_writable(path: object, status: os.stat_result) -> str:
    """The same for what may belong to a user of its own, as a Working Directory does."""
    groups = {0, os.getegid()}
    if status.st_mode & stat.S_IWOTH or (status.st_mode & stat.S_IWGRP and status.st_gid not in groups):
        return f"{path} can be written by others, who could have anything done by it; run: chmod go-w {path}"
    return ""
