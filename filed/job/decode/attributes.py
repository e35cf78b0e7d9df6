"""A stored attributes record as an entry to restore, with its ACLs and extended attributes.

Wire numbers never appear in the agents' contract, and the contract's numbers never on a Volume: this is the border.
"""

from __future__ import annotations

import stat as st

from filed.agents.abi import AgentStream, Entry, EntryType, Has
from filed.agents.page import join_xattr
from filed.errors import StreamError
from filed.wire.acl import parse_acl
from filed.wire.attributes import (
    ACLS_LOOKED_FOR,
    XATTRS_LOOKED_FOR,
    Attributes,
    FileType,
    Stat,
    decode_stat,
    parse_looked_for,
    parse_nanoseconds,
)
from filed.wire.stream import Buffer, Stream
from filed.wire.xattr import parse_xattrs

HAS_SIZE = int(Has.SIZE)  # plain ints: an IntFlag in `&` costs a microsecond an entry
HAS_RESTORED = int(Has.MODE | Has.OWNER | Has.INO | Has.NLINK | Has.RDEV | Has.ATIME | Has.MTIME | Has.CHTIME)

_RESTORED_TYPE: dict[int, EntryType] = {
    FileType.HARD_LINK: EntryType.HARDLINK,
    FileType.DIRECTORY: EntryType.DIRECTORY,
    FileType.SYMLINK: EntryType.SYMLINK,
    FileType.REGULAR: EntryType.REGULAR,
    FileType.EMPTY: EntryType.REGULAR,
    FileType.PLUGIN_FILE: EntryType.REGULAR,
}
_ACLS = {
    int(Stream.ACL_LINUX_ACCESS): AgentStream.ACL_ACCESS,
    int(Stream.ACL_LINUX_DEFAULT): AgentStream.ACL_DEFAULT,
}
META_STREAMS = frozenset(_ACLS) | {int(Stream.XATTR_LINUX)}
"""The records of ACLs and extended attributes that agents get in a restore."""
_KIND_OF_BITS = {
    st.S_IFREG: EntryType.REGULAR,
    st.S_IFDIR: EntryType.DIRECTORY,
    st.S_IFLNK: EntryType.SYMLINK,
    st.S_IFIFO: EntryType.FIFO,
    st.S_IFCHR: EntryType.CHARDEV,
    st.S_IFBLK: EntryType.BLOCKDEV,
}
ACL_BITS = AgentStream.ACL_ACCESS.bit | AgentStream.ACL_DEFAULT.bit
XATTR_BIT = AgentStream.XATTR.bit
_NO_PLACES = (0,) * Entry._fields.index("cookie")
_NO_NANOSECONDS = (0, 0, 0)
_U32, _U64 = 0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF


def meta_streams(kind: int, record: Buffer) -> list[tuple[AgentStream, bytes]]:
    """What an agent gets of a record of META_STREAMS. Raises StreamError when it is none."""
    if kind == Stream.XATTR_LINUX:
        return [(AgentStream.XATTR, join_xattr(name, value)) for name, value in parse_xattrs(record)]
    return [(_ACLS[kind], parse_acl(record, kind))]


def entry_to_restore(attributes: Attributes) -> Entry:
    """A stored record as the entry an agent restores. Offsets are the host's to set.

    Raises StreamError when the record's stat is none, or its kind cannot be restored.
    """
    return Entry(*_NO_PLACES, *restored_fields(attributes, decode_stat(attributes.lstat)))


def restored_fields(attributes: Attributes, stat: Stat) -> tuple[int, ...]:
    """The same as the fields of an `Entry` from its cookie on; HOT. stat: the record's."""
    dev, ino, mode, nlink, uid, gid, rdev, size, _, _, atime, mtime, ctime, _, _, _ = stat
    atime_ns, mtime_ns, ctime_ns = parse_nanoseconds(attributes.extended) or _NO_NANOSECONDS
    valid, size = (HAS_RESTORED | HAS_SIZE, size) if size >= 0 else (HAS_RESTORED, 0)
    kind = _RESTORED_TYPE.get(attributes.type) or _special_kind(attributes, mode)
    streams = _streams_looked_for(attributes.extended) if kind == EntryType.DIRECTORY else 0
    # fmt: off
    return (
        0, streams, valid, size, 0, ino & _U64, dev & _U64, rdev & _U64,  # cookie, streams, valid, size, blocks, ino, dev, rdev
        atime, atime_ns, mtime, mtime_ns, ctime, ctime_ns, 0, 0,
        kind, 0, 0, mode & 0o7777, nlink & _U32, uid & _U32, gid & _U32,  # type, change, flags, mode, nlink, uid, gid
        0, 0, 0,
    )
    # fmt: on


def _streams_looked_for(extended: bytes) -> int:
    letters = parse_looked_for(extended)
    return (ACL_BITS if ACLS_LOOKED_FOR in letters else 0) | (XATTR_BIT if XATTRS_LOOKED_FOR in letters else 0)


def _special_kind(attributes: Attributes, mode: int) -> EntryType:
    if attributes.type in (FileType.SPECIAL, FileType.FIFO_DATA, FileType.RAW_DEVICE):
        special = _KIND_OF_BITS.get(st.S_IFMT(mode & _U32))
        if special in (EntryType.FIFO, EntryType.CHARDEV, EntryType.BLOCKDEV):
            return special
    text = f"no agent restores a file of type {attributes.type}, mode {mode:o}"
    raise StreamError(text, 1, attributes.file_index)
