"""File trees as data, what a real tree holds, and how two of them differ.

`plant` makes a tree from values; `survey` reads one from the disk; `differences` compares two surveys. All go by directory
descriptors, so that names may be any bytes and paths longer than the kernel takes in one call.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TypeAlias

CAPABILITY = "security.capability"
ACL_ACCESS, ACL_DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
HASHED_BLOCK = 4096
WHOLE_BYTES = 4 << 20  # larger files are hashed by their data segments, holes unread
DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


# -- trees as data ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What every kind has. None: as it comes. owner: (uid, gid), for root only."""

    mode: int | None = None
    mtime_ns: int | None = None
    owner: tuple[int, int] | None = None
    xattrs: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class File(Node):
    """content, or for a sparse file pieces as (offset, bytes) and its size."""

    content: bytes = b""
    pieces: tuple[tuple[int, bytes], ...] = ()
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Symlink(Node):
    target: bytes


@dataclass(frozen=True, slots=True)
class HardLink:
    """One more name of what stands at `to`, relative to the top of the tree."""

    to: bytes


@dataclass(frozen=True, slots=True)
class Special(Node):
    """kind: S_IFIFO, S_IFSOCK, S_IFCHR or S_IFBLK."""

    kind: int
    rdev: int = 0


@dataclass(frozen=True, slots=True)
class Directory(Node):
    entries: Mapping[bytes, Node | HardLink] = field(default_factory=dict)


Entries: TypeAlias = Mapping[bytes, Node | HardLink]


def plant(path: Path, tree: Directory) -> Path:
    """Make `path` and everything in it. Returns `path`."""
    path.mkdir()
    with _opened(os.fsencode(path)) as top:
        _fill(top, tree)
        _link(top, top, tree)
        _settle(top, tree)
        parent = os.open(path.parent, DIRECTORY_FLAGS)
        try:
            _set(parent, os.fsencode(path.name), tree)
        finally:
            os.close(parent)
    return path


def nested(levels: int, name: bytes, innermost: Directory) -> Directory:
    """`levels` directories in each other, the innermost last."""
    tree = innermost
    for _ in range(levels):
        tree = Directory(entries={name: tree})
    return tree


def acl(user: int, *, default: bool = False) -> dict[str, bytes]:
    """A POSIX ACL as the kernel has it: rwx for the owner, r-x for `user` and the group, nothing for others."""
    undefined = 0xFFFF_FFFF
    entries = [(0x01, 7, undefined), (0x02, 5, user), (0x04, 5, undefined), (0x10, 7, undefined), (0x20, 0, undefined)]
    value = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    return {ACL_DEFAULT if default else ACL_ACCESS: value}


def capability(bits: int) -> dict[str, bytes]:
    """Permitted and effective file capabilities, revision 2."""
    return {CAPABILITY: struct.pack("<IIIII", 0x0200_0001, bits, 0, 0, 0)}


def _fill(at: int, tree: Directory) -> None:
    for name, node in tree.entries.items():
        if isinstance(node, Directory):
            os.mkdir(name, 0o700, dir_fd=at)
            with _opened(name, at) as below:
                _fill(below, node)
        elif isinstance(node, File):
            _write(at, name, node)
        elif isinstance(node, Symlink):
            os.symlink(node.target, name, dir_fd=at)
        elif isinstance(node, Special):
            os.mknod(name, node.kind | 0o600, node.rdev, dir_fd=at)


def _write(at: int, name: bytes, node: File) -> None:
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=at)
    try:
        for offset, data in node.pieces or ((0, node.content),):
            os.lseek(fd, offset, os.SEEK_SET)
            with open(fd, "wb", closefd=False) as file:
                file.write(data)
        if node.size is not None:
            os.ftruncate(fd, node.size)
    finally:
        os.close(fd)


def _link(top: int, at: int, tree: Directory) -> None:
    for name, node in tree.entries.items():
        if isinstance(node, Directory):
            with _opened(name, at) as below:
                _link(top, below, node)
        elif isinstance(node, HardLink):
            _name_again(top, node.to.split(b"/"), at, name)


def _name_again(holder: int, way: list[bytes], at: int, name: bytes) -> None:
    if len(way) > 1:
        with _opened(way[0], holder) as below:
            _name_again(below, way[1:], at, name)
    else:
        os.link(way[0], name, src_dir_fd=holder, dst_dir_fd=at, follow_symlinks=False)


def _settle(at: int, tree: Directory) -> None:
    """Owners, modes, attributes, times: the innermost first, as each step disturbs those above."""
    for name, node in tree.entries.items():
        if isinstance(node, Directory):
            with _opened(name, at) as below:
                _settle(below, node)
    for name, node in tree.entries.items():
        if isinstance(node, Node):
            _set(at, name, node)


def _set(at: int, name: bytes, node: Node) -> None:
    where = _through(at, name)
    if node.owner is not None:
        os.chown(name, *node.owner, dir_fd=at, follow_symlinks=False)
    for key, value in sorted(node.xattrs.items()):
        if not key.startswith("system."):
            os.setxattr(where, key, value, follow_symlinks=False)
    if node.mode is not None and not isinstance(node, Symlink):
        os.chmod(where, node.mode)
    for key, value in sorted(node.xattrs.items()):
        if key.startswith("system."):
            os.setxattr(where, key, value)
    if node.mtime_ns is not None:
        os.utime(name, ns=(1_000_000_000_000_000_000, node.mtime_ns), dir_fd=at, follow_symlinks=False)


def _through(at: int, name: bytes) -> bytes:
    """A path for calls that take no directory descriptor."""
    return b"/proc/self/fd/%d/" % at + name


@contextmanager
def _opened(name: bytes, at: int | None = None) -> Iterator[int]:
    fd = os.open(name, DIRECTORY_FLAGS, dir_fd=at)
    try:
        yield fd
    finally:
        os.close(fd)


# -- what a real tree holds ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Known:
    """All that a backup has to bring back of one entry.

    content: a digest over what is not zero, and where it is. allocated: bytes on the disk, of regular files only; compared
    as "not much more". twins: all paths in the tree that are this same file.
    """

    kind: str
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    size: int = 0
    content: str = ""
    link: bytes = b""
    rdev: int = 0
    xattrs: tuple[tuple[str, bytes], ...] = ()
    twins: tuple[bytes, ...] = ()
    allocated: int = field(default=0, compare=False)


Survey: TypeAlias = dict[bytes, Known]

_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symbolic link",
    stat.S_IFIFO: "FIFO",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
    stat.S_IFSOCK: "socket",
}


def survey(path: Path) -> Survey:
    """Every entry at and below `path`, by its path relative to it; `path` itself is b""."""
    found: Survey = {}
    inodes: dict[tuple[int, int], list[bytes]] = defaultdict(list)
    parent = os.open(path.parent, DIRECTORY_FLAGS)
    try:
        _survey(parent, os.fsencode(path.name), b"", found, inodes)
    finally:
        os.close(parent)
    for names in inodes.values():
        if len(names) > 1:
            twins = tuple(sorted(names))
            found.update((name, replace(found[name], twins=twins)) for name in names)
    return found


def _survey(at: int, name: bytes, path: bytes, found: Survey, inodes: dict[tuple[int, int], list[bytes]]) -> None:
    status = os.stat(name, dir_fd=at, follow_symlinks=False)
    found[path] = _known(at, name, status)
    if stat.S_ISDIR(status.st_mode):
        with _opened(name, at) as fd:
            for below in os.listdir(fd):
                raw = os.fsencode(below)
                _survey(fd, raw, path + b"/" + raw if path else raw, found, inodes)
    elif status.st_nlink > 1:
        inodes[status.st_dev, status.st_ino].append(path)


def _known(at: int, name: bytes, status: os.stat_result) -> Known:
    regular, link = stat.S_ISREG(status.st_mode), stat.S_ISLNK(status.st_mode)
    where = _through(at, name)
    keys = sorted(os.listxattr(where, follow_symlinks=False))
    return Known(
        kind=_KINDS[stat.S_IFMT(status.st_mode)],
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        mtime_ns=status.st_mtime_ns,
        size=status.st_size if regular else 0,
        content=_digest(at, name, status.st_size) if regular else "",
        link=os.readlink(name, dir_fd=at) if link else b"",
        rdev=status.st_rdev if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode) else 0,
        xattrs=tuple((key, os.getxattr(where, key, follow_symlinks=False)) for key in keys),
        allocated=status.st_blocks * 512 if regular else 0,
    )


def _digest(at: int, name: bytes, size: int) -> str:
    digest = hashlib.blake2b(digest_size=16)
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
    try:
        if size <= WHOLE_BYTES:
            digest.update(os.read(fd, size + 1))
        else:
            zeros = bytes(HASHED_BLOCK)
            for offset, block in _blocks(fd, size):
                if block != zeros[: len(block)]:
                    digest.update(b"%d:" % offset + block)
    finally:
        os.close(fd)
    return digest.hexdigest()


def _blocks(fd: int, size: int) -> Iterator[tuple[int, bytes]]:
    """The blocks that are no holes."""
    at = 0
    while at < size:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:
            return  # nothing but a hole is left
        end = os.lseek(fd, start, os.SEEK_HOLE)
        start -= start % HASHED_BLOCK
        for offset in range(start, end, HASHED_BLOCK):
            yield offset, os.pread(fd, HASHED_BLOCK, offset)
        at = end


def restorable(tree: Survey) -> Survey:
    """Without sockets, which nobody saves."""
    return {path: known for path, known in tree.items() if known.kind != "socket"}


def under(tree: Survey, paths: Iterable[bytes]) -> Survey:
    """What is at and below some paths; of hard links, the names that are in it."""
    wanted = set(paths)
    kept = {name: known for name, known in tree.items() if wanted & set(ways(name))}
    for name, known in kept.items():
        twins = tuple(twin for twin in known.twins if twin in kept)
        kept[name] = replace(known, twins=twins if len(twins) > 1 else ())
    return kept


def ways(path: bytes) -> Iterator[bytes]:
    """The path and all above it, up to b""."""
    while path:
        yield path
        path = path.rpartition(b"/")[0]
    yield b""


# -- comparing ----------------------------------------------------------------------------------------------------

SLACK_BYTES = 1 << 20  # a file system may take blocks for its own tables


def differences(expected: Survey, found: Survey, *, but: frozenset[str] = frozenset()) -> list[str]:
    """One line for each entry that is missing, extra, or not the same in a field. but: fields that do not count."""
    lines = [f"missing: {path!r} ({expected[path].kind})" for path in expected.keys() - found.keys()]
    lines += [f"should not be there: {path!r} ({found[path].kind})" for path in found.keys() - expected.keys()]
    names = [one.name for one in fields(Known) if one.compare and one.name not in but]
    for path in expected.keys() & found.keys():
        was, now = expected[path], found[path]
        if was == now and now.allocated <= was.allocated:
            continue
        lines += [
            f"{path!r}: {name} was {_shown(getattr(was, name))}, is {_shown(getattr(now, name))}"
            for name in names
            if getattr(was, name) != getattr(now, name)
        ]
        if "allocated" not in but and now.allocated > was.allocated + was.allocated // 8 + SLACK_BYTES:
            lines.append(f"{path!r}: {was.allocated:,} bytes were allocated, {now.allocated:,} are")
    return sorted(lines)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) < 200 else f"{text[:200]}... ({len(text)} characters)"


def assert_same(expected: Survey, found: Survey, *, but: frozenset[str] = frozenset()) -> None:
    lines = differences(expected, found, but=but)
    assert not lines, "\n".join([f"{len(lines)} differences:", *lines[:40]])
