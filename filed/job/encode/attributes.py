"""An agent's entry as an attributes record, with its ACLs and extended attributes.

Wire numbers never appear in the agents' contract, and the contract's numbers never on a Volume: this is the border.
"""

from __future__ import annotations

import stat as st

from filed.agents import Page
from filed.agents.abi import AgentStream, Entry, EntryType, Has
from filed.agents.page import split_xattr
from filed.wire.acl import pack_acl
from filed.wire.attributes import (
    ACLS_LOOKED_FOR,
    XATTRS_LOOKED_FOR,
    FileType,
    encode_stat,
    pack_extended,
)
from filed.wire.stream import Stream
from filed.wire.xattr import pack_xattrs

# Plain ints: an IntFlag in `&` costs a microsecond an entry.
HAS_SIZE = int(Has.SIZE)
HAS_MODE, HAS_OWNER, HAS_BLOCKS = int(Has.MODE), int(Has.OWNER), int(Has.BLOCKS)
HAS_INO, HAS_NLINK, HAS_RDEV = int(Has.INO), int(Has.NLINK), int(Has.RDEV)
HAS_ATIME, HAS_MTIME, HAS_CHTIME = int(Has.ATIME), int(Has.MTIME), int(Has.CHTIME)
ACL_BIT = 1 << AgentStream.ACL_ACCESS
XATTR_BIT = 1 << AgentStream.XATTR
HAS_ALL_OF_A_FILE = int(
    Has.MODE | Has.OWNER | Has.SIZE | Has.BLOCKS | Has.INO | Has.NLINK | Has.ATIME | Has.MTIME | Has.CHTIME
)

Meta = list[tuple[int, bytes]]
"""Records beside an entry's data: (stream, data)."""

READABLE_BY_ALL = 0o444
SIZE_UNKNOWN = -1  # as plugins store it: the true length is that of the data
PLAIN_BLKSIZE = 4096

_KIND_BITS: dict[int, int] = {
    EntryType.REGULAR: st.S_IFREG,
    EntryType.DIRECTORY: st.S_IFDIR,
    EntryType.SYMLINK: st.S_IFLNK,
    EntryType.FIFO: st.S_IFIFO,
    EntryType.CHARDEV: st.S_IFCHR,
    EntryType.BLOCKDEV: st.S_IFBLK,
}
_DEFAULT_MODE: dict[int, int] = {EntryType.DIRECTORY: 0o700, EntryType.SYMLINK: 0o777}
_WIRE_TYPE = {
    EntryType.DIRECTORY: FileType.DIRECTORY,
    EntryType.SYMLINK: FileType.SYMLINK,
    EntryType.FIFO: FileType.SPECIAL,
    EntryType.CHARDEV: FileType.SPECIAL,
    EntryType.BLOCKDEV: FileType.SPECIAL,
}


def wire_type(entry: Entry, *, with_data: bool) -> FileType:
    """The FileType of an entry that is no hard link. with_data: a FIFO's or a device's content is sent too."""
    kind = entry.type
    if kind == EntryType.REGULAR:
        empty = entry.size == 0 and entry.valid & HAS_SIZE and entry.mode & READABLE_BY_ALL == READABLE_BY_ALL
        return FileType.EMPTY if empty else FileType.REGULAR
    if with_data and kind == EntryType.FIFO:
        return FileType.FIFO_DATA
    if with_data and kind == EntryType.BLOCKDEV:
        return FileType.RAW_DEVICE
    return _WIRE_TYPE[EntryType(kind)]


def encode_entry_stat(entry: Entry, data_stream: int, link_fi: int = 0) -> bytes:
    """<stat> of an entry; what the agent does not know gets the values that plugins' entries have."""
    e = entry
    if e.valid & HAS_ALL_OF_A_FILE == HAS_ALL_OF_A_FILE:
        kind_bits = _KIND_BITS[e.type]
        return encode_stat(
            (
                e.dev,
                e.ino,
                e.mode & 0o7777 | kind_bits,
                e.nlink,
                e.uid,
                e.gid,
                e.rdev,
                e.size,
                e.blksize,
                e.blocks,
                e.atime,
                e.mtime,
                e.chtime,
                link_fi,
                0,
                data_stream,
            )
        )
    return encode_stat(_known_stat(e, data_stream, link_fi))


def _known_stat(e: Entry, data_stream: int, link_fi: int) -> tuple[int, ...]:
    valid, kind = e.valid, e.type
    mode = e.mode & 0o7777 if valid & HAS_MODE else _DEFAULT_MODE.get(kind, 0o600)
    mtime = e.mtime if valid & HAS_MTIME else 0
    return (
        e.dev if valid & HAS_INO else 0,
        e.ino if valid & HAS_INO else 0,
        mode | _KIND_BITS[kind],
        e.nlink if valid & HAS_NLINK else 1,
        e.uid if valid & HAS_OWNER else 0,
        e.gid if valid & HAS_OWNER else 0,
        e.rdev if valid & HAS_RDEV else 0,
        e.size if valid & HAS_SIZE else SIZE_UNKNOWN,
        e.blksize if valid & HAS_BLOCKS else PLAIN_BLKSIZE,
        e.blocks if valid & HAS_BLOCKS else 1,
        e.atime if valid & HAS_ATIME else mtime,
        mtime,
        e.chtime if valid & HAS_CHTIME else mtime,
        link_fi,
        0,
        data_stream,
    )


def encode_entry_extended(entry: Entry, looked_for: bytes = b"") -> bytes:
    """The <extended> field: the parts of a second of atime, mtime and ctime; looked_for: see `looked_for`."""
    return pack_extended(entry.atime_ns, entry.mtime_ns, entry.chtime_ns, looked_for)


def looked_for(streams: int) -> bytes:
    """Letters of the ACLs and extended attributes among these. A restore takes from a directory that it finds what it had not."""
    return (ACLS_LOOKED_FOR if streams & ACL_BIT else b"") + (XATTRS_LOOKED_FOR if streams & XATTR_BIT else b"")


def meta_records(page: Page, entry: Entry) -> Meta:
    """The ACL and xattr records of an entry, in the order that real daemons write."""
    found: Meta = []
    xattrs: list[tuple[bytes, bytes]] = []
    for stream, data in page.tlvs(entry):
        if stream == AgentStream.XATTR:
            xattrs.append(split_xattr(data))
        elif stream == AgentStream.ACL_ACCESS:
            found.insert(0, (Stream.ACL_LINUX_ACCESS, pack_acl(data)))
        elif stream == AgentStream.ACL_DEFAULT:
            found.append((Stream.ACL_LINUX_DEFAULT, pack_acl(data)))
    if xattrs:
        found.append((Stream.XATTR_LINUX, pack_xattrs(xattrs)))
    return found
