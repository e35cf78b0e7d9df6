"""A metadata-only record (stream 37): new owner, mode, times, ACL and extended attributes for a file whose content an earlier Job of the chain
has brought back.

bacula-fd 15 writes one where the FileSet's accurate letters have an `o` and the content is as before. The digest behind it proves nothing:
bacula-fd 15.0.3 puts that of another file there. An entry without content (a directory, a link) is whole in such a record and needs none of this.

An ACL or extended attribute that is not behind the record was taken away since: it goes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat as st
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from filed.errors import ItemError
from filed.process.system import group_number, user_number
from filed.wire.acl import ACCESS_XATTR, kernel_acl
from filed.wire.attributes import FileType, Stat
from filed.wire.stream import Buffer, Stream
from filed.wire.xattr import parse_xattrs

WITH_CONTENT: Final = frozenset({int(FileType.EMPTY), int(FileType.REGULAR)})
_CLOCK_S: Final = 0.1
"""The kernel dates changes by a clock that lags a little behind the one it tells."""


def update_attributes(
    dest: bytes, where: bytes, stat: Stat, meta: Mapping[bytes, bytes], *, since: float | None
) -> bool:
    """Give the file at `dest`, which lies below `where`, what the record says. False: it is not one that this Job restored.

    meta: its extended attributes, as the kernel has them, its ACL among them.
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
            _set_xattrs(path, meta)
            os.utime(path, (stat.atime, stat.mtime))
    except FileNotFoundError as error:
        if since is not None:
            return False
        text = "only its attributes were saved in this Job, and its content is not there: restore it with the Job that has it"
        raise ItemError(dest, text, errno.ENOENT) from error
    except OSError as error:
        raise ItemError(dest, f"its attributes cannot be set: {error.strerror}", error.errno or 0) from error
    return True


def extended_attributes(kind: int, data: Buffer) -> Iterator[tuple[bytes, bytes]]:
    """What a record behind this one says. Raises StreamError."""
    if kind == Stream.ACL_LINUX_ACCESS:
        yield ACCESS_XATTR, kernel_acl(data, user_number, group_number)
    elif kind == Stream.XATTR_LINUX:
        yield from parse_xattrs(data)


def _set_xattrs(path: str, meta: Mapping[bytes, bytes]) -> None:
    """What the system adds by itself, such as labels, stays."""
    try:
        there = [os.fsencode(name) for name in os.listxattr(path)]
    except OSError as error:
        if error.errno != errno.ENOTSUP or meta:
            raise
        return
    for name in there:
        if name not in meta and (name == ACCESS_XATTR or name.startswith(b"user.")):
            os.removexattr(path, name)
    for name, value in meta.items():
        os.setxattr(path, name, value)


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
