"""An agent's entry as an attributes record, and a stored attributes record as an entry to restore.

Wire numbers never appear in the agents' contract, and the contract's numbers never on a Volume: this is the border.
"""

from __future__ import annotations

import stat as st

from filed.agents import Page
from filed.agents.abi import AgentStream, Entry, EntryType, Has
from filed.agents.page import join_xattr, split_xattr
from filed.errors import StreamError
from filed.wire.acl import pack_acl, parse_acl
from filed.wire.attributes import (
    Attributes,
    FileType,
    Stat,
    decode_stat,
    encode_stat,
    pack_nanoseconds,
    parse_nanoseconds,
)
from filed.wire.stream import Buffer, Stream
from filed.wire.xattr import pack_xattrs, parse_xattrs

# Plain ints: an IntFlag in `&` costs a microsecond an entry.
HAS_SIZE = int(Has.SIZE)
HAS_ALL_OF_A_FILE = int(
    Has.MODE | Has.OWNER | Has.SIZE | Has.BLOCKS | Has.INO | Has.NLINK | Has.ATIME | Has.MTIME | Has.CHTIME
)
HAS_RESTORED = int(Has.MODE | Has.OWNER | Has.INO | Has.NLINK | Has.RDEV | Has.ATIME | Has.MTIME | Has.CHTIME)

Meta = list[tuple[int, bytes]]
"""Records beside an entry's data: (stream, data)."""

READABLE_BY_ALL = 0o444
SIZE_UNKNOWN = -1  # as plugins store it: the true length is that of the data
PLAIN_BLKSIZE = 4096

_KIND_BITS = {
    EntryType.REGULAR: st.S_IFREG,
    EntryType.DIRECTORY: st.S_IFDIR,
    EntryType.SYMLINK: st.S_IFLNK,
    EntryType.FIFO: st.S_IFIFO,
    EntryType.CHARDEV: st.S_IFCHR,
    EntryType.BLOCKDEV: st.S_IFBLK,
}
_DEFAULT_MODE = {EntryType.DIRECTORY: 0o700, EntryType.SYMLINK: 0o777}
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
_NO_PLACES = (0,) * Entry._fields.index("cookie")
_NO_NANOSECONDS = (0, 0, 0)
_U32, _U64 = 0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF
_KIND_OF_BITS = {bits: kind for kind, bits in _KIND_BITS.items()}
_WIRE_TYPE = {
    EntryType.DIRECTORY: FileType.DIRECTORY,
    EntryType.SYMLINK: FileType.SYMLINK,
    EntryType.FIFO: FileType.SPECIAL,
    EntryType.CHARDEV: FileType.SPECIAL,
    EntryType.BLOCKDEV: FileType.SPECIAL,
}


def stored_path(name: bytes, kind: int) -> bytes:
    """The name as Volume and catalog have it: a directory ends in a slash."""
    return name + b"/" if kind == EntryType.DIRECTORY and not name.endswith(b"/") else name


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
        kind_bits = _KIND_BITS[e.type]  # type: ignore[index]  # an int equals its IntEnum member
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
    valid, kind = e.valid, EntryType(e.type)
    mode = e.mode & 0o7777 if valid & Has.MODE else _DEFAULT_MODE.get(kind, 0o600)
    mtime = e.mtime if valid & Has.MTIME else 0
    return (
        e.dev if valid & Has.INO else 0,
        e.ino if valid & Has.INO else 0,
        mode | _KIND_BITS[kind],
        e.nlink if valid & Has.NLINK else 1,
        e.uid if valid & Has.OWNER else 0,
        e.gid if valid & Has.OWNER else 0,
        e.rdev if valid & Has.RDEV else 0,
        e.size if valid & Has.SIZE else SIZE_UNKNOWN,
        e.blksize if valid & Has.BLOCKS else PLAIN_BLKSIZE,
        e.blocks if valid & Has.BLOCKS else 1,
        e.atime if valid & Has.ATIME else mtime,
        mtime,
        e.chtime if valid & Has.CHTIME else mtime,
        link_fi,
        0,
        data_stream,
    )


def encode_entry_nanoseconds(entry: Entry) -> bytes:
    """The <extended> field: the parts of a second of atime, mtime and ctime."""
    return pack_nanoseconds(entry.atime_ns, entry.mtime_ns, entry.chtime_ns)


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
    # fmt: off
    return (
        0, 0, valid, size, 0, ino & _U64, dev & _U64, rdev & _U64,  # cookie, streams, valid, size, blocks, ino, dev, rdev
        atime, atime_ns, mtime, mtime_ns, ctime, ctime_ns, 0, 0,
        kind, 0, 0, mode & 0o7777, nlink & _U32, uid & _U32, gid & _U32,  # type, change, flags, mode, nlink, uid, gid
        0, 0, 0,
    )
    # fmt: on


def _special_kind(attributes: Attributes, mode: int) -> EntryType:
    if attributes.type in (FileType.SPECIAL, FileType.FIFO_DATA, FileType.RAW_DEVICE):
        special = _KIND_OF_BITS.get(st.S_IFMT(mode & _U32))
        if special in (EntryType.FIFO, EntryType.CHARDEV, EntryType.BLOCKDEV):
            return special
    text = f"no agent restores a file of type {attributes.type}, mode {mode:o}"
    raise StreamError(text, 1, attributes.file_index)
