"""A metadata-only record (stream 37): new owner, mode and times for a file whose content an earlier Job of the chain has brought back.

bacula-fd 15 writes one where the FileSet's accurate letters have an `o` and the content is as before. The digest behind it proves nothing:
bacula-fd 15.0.3 puts that of another file there. An entry without content (a directory, a link) is whole in such a record and needs none of this.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat as st
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from filed.errors import ItemError
from filed.wire.attributes import FileType, Stat

WITH_CONTENT: Final = frozenset({int(FileType.EMPTY), int(FileType.REGULAR)})
_CLOCK_S: Final = 0.1
"""The kernel dates changes by a clock that lags a little behind the one it tells."""


def update_attributes(dest: bytes, where: bytes, stat: Stat, *, since: float | None) -> bool:
    """Give the file at `dest`, which lies below `where`, what the record says. False: it is not one that this Job restored.

    since: when this Job began, where files that were there before it are to be left alone; None: they are not.
    Goes through no symbolic link below `where`, and not up. Raises ItemError.
    """
    if b".." in dest[len(where) :].split(b"/"):
        raise ItemError(dest, "a path with .. in it leads out of where the restore belongs")
    try:
        with _opened(dest, where) as file:
            there = os.fstat(file)
            if since is not None and there.st_ctime < since - _CLOCK_S:
                return False
            if not st.S_ISREG(there.st_mode) or there.st_size != stat.size:
                raise ItemError(dest, "only its attributes were saved in this Job, and what is there is another file")
            path = f"/proc/self/fd/{file}"  # an O_PATH descriptor has no calls of its own for this
            if (there.st_uid, there.st_gid) != (stat.uid, stat.gid):
                os.chown(path, stat.uid, stat.gid)
            Path(path).chmod(st.S_IMODE(stat.mode))
            os.utime(path, (stat.atime, stat.mtime))
    except FileNotFoundError as error:
        if since is not None:
            return False
        text = "only its attributes were saved in this Job, and its content is not there: restore it with the Job that has it"
        raise ItemError(dest, text, errno.ENOENT) from error
    except OSError as error:
        raise ItemError(dest, f"its attributes cannot be set: {error.strerror}", error.errno or 0) from error
    return True


@contextlib.contextmanager
def _opened(dest: bytes, where: bytes) -> Iterator[int]:
    step = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
    here = os.open(where or b"/", step)
    try:
        *directories, name = [part for part in dest[len(where) :].split(b"/") if part]
        for part in directories:
            below = os.open(part, step | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = below
        file = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
    finally:
        os.close(here)
    try:
        yield file
    finally:
        os.close(file)
