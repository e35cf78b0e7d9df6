"""Stream numbers: what one record of a Job holds.

A record is (FileIndex, Stream, data).  The Stream word is a signed 32-bit integer: its low 11 bits are a
type, the high ones flags.  Mask before dispatching, keep the word for its flags.

Source: docs/formats/streams.md.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Final, TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview
"""What the data of a record may be; a memoryview is one-dimensional bytes."""

STREAM_TYPE_MASK: Final = 0x7FF


class StreamFlag(IntFlag):
    """The high bits of a Stream word.  Only OFFSETS was ever met in the open; DEDUP cannot be restored."""

    PREPARE = 1 << 22
    NO_DEDUP = 1 << 23
    DEDUP = 1 << 24
    PORTABLE = 1 << 25
    OFFSETS = 1 << 26
    DELTA = 1 << 27
    PLUGIN = 1 << 28
    HAS_FLAGS = 1 << 29
    WIDE = 1 << 30


class Stream(IntEnum):
    """The types that can stand in a record."""

    NONE = 0
    UNIX_ATTRIBUTES = 1
    FILE_DATA = 2
    MD5_DIGEST = 3
    GZIP_DATA = 4
    UNIX_ATTRIBUTES_EX = 5
    SPARSE_DATA = 6
    SPARSE_GZIP_DATA = 7
    PROGRAM_NAMES = 8
    PROGRAM_DATA = 9
    SHA1_DIGEST = 10
    WIN32_DATA = 11
    WIN32_GZIP_DATA = 12
    MACOS_FORK_DATA = 13
    HFSPLUS_ATTRIBUTES = 14
    UNIX_ACCESS_ACL = 15
    UNIX_DEFAULT_ACL = 16
    SHA256_DIGEST = 17
    SHA512_DIGEST = 18
    SIGNED_DIGEST = 19
    ENCRYPTED_FILE_DATA = 20
    ENCRYPTED_WIN32_DATA = 21
    ENCRYPTED_SESSION_DATA = 22
    ENCRYPTED_FILE_GZIP_DATA = 23
    ENCRYPTED_WIN32_GZIP_DATA = 24
    ENCRYPTED_MACOS_FORK_DATA = 25
    PLUGIN_NAME = 26
    PLUGIN_DATA = 27
    RESTORE_OBJECT = 28
    COMPRESSED_DATA = 29
    SPARSE_COMPRESSED_DATA = 30
    WIN32_COMPRESSED_DATA = 31
    ENCRYPTED_FILE_COMPRESSED_DATA = 32
    ENCRYPTED_WIN32_COMPRESSED_DATA = 33
    PLUGIN_OBJECT = 34
    PLUGIN_META_BLOB = 35
    PLUGIN_META_CATALOG = 36
    UNIX_ATTRIBUTE_UPDATE = 37
    FILEEVENT = 38
    XXH64_DIGEST = 39
    XXH3_64_DIGEST = 40
    XXH3_128_DIGEST = 41
    ADATA_BLOCK_HEADER = 200
    ADATA_RECORD_HEADER = 201
    ACL_AIX_TEXT = 1000
    ACL_DARWIN_ACCESS = 1001
    ACL_FREEBSD_DEFAULT = 1002
    ACL_FREEBSD_ACCESS = 1003
    ACL_HPUX = 1004
    ACL_IRIX_DEFAULT = 1005
    ACL_IRIX_ACCESS = 1006
    ACL_LINUX_DEFAULT = 1007
    ACL_LINUX_ACCESS = 1008
    ACL_TRU64_DEFAULT = 1009
    ACL_TRU64_DEFAULT_DIR = 1010
    ACL_TRU64_ACCESS = 1011
    ACL_SOLARIS_POSIX = 1012
    ACL_SOLARIS_NFS4 = 1013
    ACL_AFS = 1014
    ACL_AIX_AIXC = 1015
    ACL_AIX_NFS4 = 1016
    ACL_FREEBSD_NFS4 = 1017
    ACL_HURD_DEFAULT = 1018
    ACL_HURD_ACCESS = 1019
    ACL_PLUGIN = 1020
    ACL_GPFS_DEFAULT = 1021
    ACL_GPFS_ACCESS = 1022
    XATTR_GPFS = 1987
    XATTR_PLUGIN = 1988
    XATTR_HURD = 1989
    XATTR_IRIX = 1990
    XATTR_TRU64 = 1991
    XATTR_AIX = 1992
    XATTR_OPENBSD = 1993
    XATTR_SOLARIS_SYSTEM = 1994
    XATTR_SOLARIS = 1995
    XATTR_DARWIN = 1996
    XATTR_FREEBSD = 1997
    XATTR_LINUX = 1998
    XATTR_NETBSD = 1999


ATTRIBUTE_STREAMS: Final = frozenset(
    {int(Stream.UNIX_ATTRIBUTES), int(Stream.UNIX_ATTRIBUTES_EX), int(Stream.UNIX_ATTRIBUTE_UPDATE)}
)
"""An item begins here, or with RESTORE_OBJECT or PLUGIN_OBJECT."""

ENCRYPTED_STREAMS: Final = frozenset({20, 21, 23, 24, 32, 33})
"""Cipher text of packets; needs the session of ENCRYPTED_SESSION_DATA."""

SPARSE_STREAMS: Final = frozenset({6, 7, 30})
"""Each record starts with the u64 address of its chunk; so do those with StreamFlag.OFFSETS."""

JOINED_STREAMS: Final = frozenset({2}) | ENCRYPTED_STREAMS
"""How the bytes were cut into records means nothing, unless StreamFlag.OFFSETS gives each its address: not in the set."""

GZIP_STREAMS: Final = frozenset({4, 7, 12, 23, 24})
COMPRESSED_STREAMS: Final = frozenset({29, 30, 31, 32, 33})
"""A 12-byte header names the algorithm of each chunk."""

WIN32_STREAMS: Final = frozenset({11, 12, 21, 24, 31, 33})
"""What Windows' BackupRead gives: parts with headers, the file's bytes in some of them."""

DATA_STREAMS: Final = frozenset({2, 4, 6, 7, 11, 12, 20, 21, 23, 24, 29, 30, 31, 32, 33})
"""The content of a file, in every coat."""

DIGEST_BYTES: Final[dict[int, int]] = {3: 16, 10: 20, 17: 32, 18: 64, 39: 8, 40: 8, 41: 16}
"""Digest stream -> length of its record."""

DIGEST_STREAMS: Final = frozenset(DIGEST_BYTES)
ACL_STREAMS: Final = frozenset({15, 16, *range(1000, 1023)})
XATTR_STREAMS: Final = frozenset(range(1987, 2000))

CATALOG_STREAMS: Final = ATTRIBUTE_STREAMS | DIGEST_STREAMS | {28, 34, 36, 38}
"""What a Storage Daemon passes on to the Director's catalog; the rest stays on the Volume."""


def stream_type(word: int) -> int:
    """The type in a Stream word, its flags taken off."""
    return word & STREAM_TYPE_MASK


def same_layout(one: int, other: int) -> bool:
    """Whether data of two streams, without flags, has the content in the same places: with addresses or without, in Windows' parts or not."""
    return (one in SPARSE_STREAMS) == (other in SPARSE_STREAMS) and (one in WIN32_STREAMS) == (other in WIN32_STREAMS)
