"""One tree with every kind of entry that a backup program gets wrong, as data."""

from __future__ import annotations

import os
import random
import stat

from tests.system.trees import Directory, File, HardLink, Node, Special, Symlink, acl, capability, nested

SECOND = 1_000_000_000
CHUNK = 64 << 10  # what a data record holds
PAGE_INLINE = 64 << 10
LONG = b"l" * 255
MIB = 1 << 20
GIB = 1 << 30

NAMES = (
    b"new\nline",
    b"tab\tand escape\x1b[31m",
    b"\xff\xfe\x80 not UTF-8",
    b" leading and trailing ",
    b"   ",
    b"-rf",
    b"*",
    b"?[a-z]",
    b"...",
    b"back\\slash",
    b'quote"s',
    b"\x01",
    b"\x7f",
    "\u00fc\u4e2d\U0001f600".encode(),
    "e\u0301 combining".encode(),
    "\u202eright to left".encode(),
    b"percent %s %n",
    b"trailing dot.",
    b"~",
    b"#",
    LONG,
)


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def names() -> Directory:
    """Odd names of files and of directories; and names that sort around a slash."""
    files: dict[bytes, Node | HardLink] = {name: File(name + b" holds this\n") for name in NAMES}
    folders = {b"d" + name[:254]: Directory(entries={name: File(b"inside")}) for name in NAMES}
    around = {
        b"a": Directory(entries={b"b": File(b"1"), b"\x01": File(b"2"), b"\xff": File(b"3")}),
        b"a ": File(b"4"),
        b"a.b": Directory(entries={b"c": File(b"5")}),
        b"a-b": File(b"6"),
        b"a0": Directory(entries={b"b": File(b"7")}),
    }
    return Directory(
        entries={
            b"files": Directory(entries=files),
            b"folders": Directory(entries=folders),
            b"around": Directory(entries=around),
        }
    )


def contents() -> Directory:
    """Sizes around the border of a chunk, a page's inline data and a block; compressible, random, zero."""
    sizes = {0, 1, 2, 511, 512, 4095, 4096, 4097, 64511, 64512, 64513, 256 << 10, MIB + 1, 3 * MIB - 7}
    sizes |= {n * CHUNK + around for n in (1, 2, 16) for around in (-1, 0, 1)}
    entries: dict[bytes, Node | HardLink] = {}
    for size in sorted(sizes):
        entries[b"random %d" % size] = File(noise(size, size))
        entries[b"text %d" % size] = File((b"the same line again and again\n" * (size // 30 + 1))[:size])
        entries[b"zeros %d" % size] = File(bytes(size))
    entries[b"zeros within"] = File(noise(CHUNK) + bytes(3 * CHUNK) + noise(CHUNK, 1))
    entries[b"zeros at the end"] = File(noise(CHUNK + 1) + bytes(5 * CHUNK))
    entries[b"zeros in front"] = File(bytes(5 * CHUNK) + noise(17))
    return Directory(entries=entries)


def kinds(*, root: bool) -> Directory:
    """Every type, with modes, times and links."""
    entries: dict[bytes, Node | HardLink] = {
        b"empty file": File(),
        b"empty directory": Directory(),
        b"sticky": Directory(mode=0o1777, entries={b"in it": File(b"x")}),
        b"set-group-id": Directory(mode=0o2775, entries={b"in it": Directory(entries={b"deeper": File(b"y")})}),
        b"read-only directory": Directory(mode=0o555, entries={b"in it": File(b"z", mode=0o400)}),
        b"dangling": Symlink(b"nowhere/at all", mtime_ns=1_234_567_890_123_456_789),
        b"absolute": Symlink(b"/etc/passwd"),
        b"to a directory": Symlink(b"sticky"),
        b"up": Symlink(b"../.."),
        b"to itself": Symlink(b"to itself"),
        b"odd target": Symlink(b"\xff\n not UTF-8 "),
        b"long link": Symlink(b"x/" * 2000),
        b"link of one letter": Symlink(b"."),
        b"FIFO": Special(kind=stat.S_IFIFO, mode=0o640, mtime_ns=999 * SECOND + 1),
        b"socket": Special(kind=stat.S_IFSOCK, mode=0o600),
        b"set-user-id": File(b"#!/bin/sh\n", mode=0o4755),
        b"set-group-id file": File(b"#!/bin/sh\n", mode=0o2755),
        b"every bit": File(b"all", mode=0o7777),
        b"write only": File(b"who reads it?", mode=0o600 if not root else 0o200),
        b"before 1970": File(b"old", mtime_ns=-5_500_000_000),
        b"in 1901": File(b"very old", mtime_ns=-2_147_483_648 * SECOND),
        b"1970": File(b"zero", mtime_ns=0),
        b"after 2038": File(b"new", mtime_ns=2_147_483_648 * SECOND + 999_999_999),
        b"in 2400": File(b"far", mtime_ns=13_569_465_600 * SECOND + 1),
        b"old directory": Directory(mtime_ns=-86_400 * SECOND - 1, entries={b"f": File(mtime_ns=1)}),
        b"first name": File(b"one file, four names\n" * 9),
        b"second name": HardLink(b"first name"),
        b"links": Directory(entries={b"third name": HardLink(b"first name"), b"big": File(noise(300_000, 9))}),
        b"more links": Directory(
            mode=0o700,
            entries={
                b"fourth name": HardLink(b"first name"),
                b"big too": HardLink(b"links/big"),
                b"empty too": HardLink(b"empty file"),
            },
        ),
        b"second name of a link": HardLink(b"dangling"),
        b"second name of a FIFO": HardLink(b"FIFO"),
    }
    if root:
        entries |= {
            b"no rights": File(b"closed", mode=0),
            b"no rights directory": Directory(mode=0, entries={b"in it": File(b"root reads it")}),
            b"of somebody": File(b"theirs", owner=(12345, 54321), mode=0o6711),
            b"of a high number": File(b"theirs", owner=(3_000_000_000, 4_000_000_000)),
            b"their directory": Directory(owner=(1000, 1001), mode=0o2750, entries={b"f": File(b"x", owner=(7, 8))}),
            b"their link": Symlink(b"somewhere", owner=(1000, 1001), mtime_ns=5 * SECOND + 5),
            b"their FIFO": Special(kind=stat.S_IFIFO, mode=0o622, owner=(1000, 1001)),
            b"character device": Special(kind=stat.S_IFCHR, rdev=os.makedev(1, 3), mode=0o666),
            b"block device": Special(kind=stat.S_IFBLK, rdev=os.makedev(259, 300_000), mode=0o640, owner=(0, 6)),
        }
    return Directory(mtime_ns=1_600_000_000_987_654_321, entries=entries)


def attributes(*, root: bool) -> Directory:
    """Extended attributes, access control lists, capabilities."""
    entries: dict[bytes, Node | HardLink] = {
        b"one": File(b"x", xattrs={"user.one": b"value"}),
        b"many": File(b"x", xattrs={f"user.number {n}": b"%d" % n * n for n in range(40)}),
        b"binary": File(b"x", xattrs={"user.binary": bytes(range(256)), "user.empty": b""}),
        b"large": File(b"x", xattrs={"user.large": noise(3000)}),
        b"read only": File(b"x", mode=0o400, xattrs={"user.one": b"value"}),
        b"on nothing": File(xattrs={"user.one": b"value"}),
        b"on much": File(noise(200_000), mode=0o444, xattrs={"user.one": b"value"}),
        b"on a directory": Directory(xattrs={"user.one": b"value"}),
        b"on a closed directory": Directory(mode=0o500, xattrs={"user.one": b"value"}, entries={b"f": File(b"x")}),
        b"with a list": File(b"x", mode=0o640, xattrs=acl(1234)),
        b"with a list and more": File(b"x", xattrs=acl(1234) | {"user.one": b"value"}),
        b"list on a directory": Directory(xattrs=acl(4321), entries={b"f": File(b"x", mode=0o644)}),
        b"default list": Directory(
            xattrs=acl(1234) | acl(77, default=True),
            entries={
                b"without": File(b"made in it, with rights of its own", mode=0o604, xattrs={}),
                b"below": Directory(mode=0o711, entries={b"f": File(b"x", mode=0o640)}),
                b"link": Symlink(b"without"),
            },
        ),
    }
    if root:
        entries |= {
            b"capable": File(b"\x7fELF", mode=0o755, xattrs=capability(1 << 10)),
            b"capable, theirs": File(b"\x7fELF", mode=0o4755, owner=(1000, 1000), xattrs=capability(1 << 12)),
            b"trusted": File(b"x", xattrs={"trusted.one": b"value", "user.one": b"value"}),
            b"trusted directory": Directory(xattrs={"trusted.one": b"value"}),
            b"trusted link": Symlink(b"x", xattrs={"trusted.one": b"on the link itself"}),
            b"trusted FIFO": Special(kind=stat.S_IFIFO, xattrs={"trusted.one": b"on a FIFO"}),
            b"theirs": File(b"x", owner=(1000, 1000), mode=0o2750, xattrs=acl(55) | {"user.one": b"value"}),
        }
    return Directory(entries=entries)


def deep(levels: int = 300) -> Directory:
    """Beyond PATH_MAX: 40 bytes a level."""
    bottom = Directory(
        mode=0o750,
        mtime_ns=1_000_000_000 * SECOND,
        entries={b"file": File(b"far down\n"), b"link": Symlink(b"file"), b"other": HardLink(_path(levels) + b"/file")},
    )
    return nested(levels, _LEVEL, bottom)


_LEVEL = b"d" * 39


def _path(levels: int) -> bytes:
    return b"deep/" + b"/".join([_LEVEL] * levels)


def sparse(size: int = 20 * GIB) -> Directory:
    """Holes: in front, between, behind; and nothing but a hole."""
    block = noise(100_000, 3)
    return Directory(
        entries={
            b"begin, middle, end": File(
                pieces=((0, block), (size // 2 + 4096, block), (size - 5, b"final")), size=size
            ),
            b"hole in front": File(pieces=((size // 4, block),), size=size // 4 + len(block)),
            b"hole behind": File(pieces=((0, b"begin"),), size=size // 4),
            b"all hole": File(size=size),
            b"small hole": File(size=100_000),
            b"one block": File(pieces=((8192, b"x" * 4096),), size=65536),
        }
    )


def odd_tree(*, root: bool, sparse_bytes: int = 20 * GIB) -> Directory:
    """root: with what only root can make."""
    return Directory(
        mode=0o755,
        mtime_ns=1_500_000_000_111_111_111,
        entries={
            b"names": names(),
            b"contents": contents(),
            b"kinds": _moved(kinds(root=root), b"kinds/"),
            b"attributes": attributes(root=root),
            b"deep": deep(),
            b"sparse": sparse(sparse_bytes),
        },
    )


def _moved(tree: Directory, prefix: bytes) -> Directory:
    """The same tree below `prefix`: its hard links name paths from the top."""
    entries: dict[bytes, Node | HardLink] = {}
    for name, node in tree.entries.items():
        if isinstance(node, HardLink):
            entries[name] = HardLink(prefix + node.to)
        elif isinstance(node, Directory):
            entries[name] = _moved(node, prefix)
        else:
            entries[name] = node
    return Directory(entries=entries, mode=tree.mode, mtime_ns=tree.mtime_ns, owner=tree.owner, xattrs=tree.xattrs)
