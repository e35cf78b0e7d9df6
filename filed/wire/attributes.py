"""The attributes record (streams 1, 5, 37): what a file is, apart from its bytes.

    <FileIndex> SP <FileType> SP <path> NUL <stat> NUL <link> NUL <extended> NUL <delta_seq> NUL

Paths are bytes and may hold anything but NUL.  <stat> is 16 numbers in radix 64, most significant digit
first, alphabet A-Z a-z 0-9 + / (A is zero), parted by single spaces.

Source: docs/formats/attributes.md; tests/wire/test_attributes.py checks the records of real daemons.

Every file of a Job passes here, so `Stat` and `Attributes` are named tuples (a frozen dataclass of 16 fields
takes 3 us to build, this 0.4) and numbers are remembered once written.
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable
from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple

from filed.errors import LocalProtocolError, StreamError

MAX_REMEMBERED: Final = 8192  # numbers per direction: about 1 MB; inodes and times would grow it for ever
DIGITS: Final = 12  # base64 digits in 9 bytes, and no 64-bit number needs more than 11
STAT_FIELDS: Final = 16
OLDEST_STAT_FIELDS: Final = 13  # old writers stop after st_ctime
MAX_STAT_FIELDS: Final = 24  # Windows appends one; anything far beyond is not a stat
MAX_DECIMAL_DIGITS: Final = 10
FILE_TYPE_MASK: Final = 0xFFFF
NULL_EXTENDED: Final = b"<NULL>"
"""What real daemons write as <extended> in stream 37."""
UPDATE_DELTA: Final = 1
"""<delta_seq> in stream 37, also in one behind another: a Director then restores the content of the Job before, too."""

METADATA_MARK: Final = b"|"
"""In a catalog of ours, behind <extended>: what follows is the digest of the ACLs and extended attributes, nothing where there are none."""

_OUR_EXTENDED: Final = re.compile(rb"ns:([0-9]{1,9}),([0-9]{1,9}),([0-9]{1,9})(?:;([a-z]*))?(?:\|[0-9a-f]*)?").fullmatch
NANOSECONDS: Final = 1_000_000_000
ACLS_LOOKED_FOR: Final = b"a"
XATTRS_LOOKED_FOR: Final = b"x"


class FileType(IntEnum):
    """What the path names.  7 to 15 and 18 to 20 are never written."""

    HARD_LINK = 1
    EMPTY = 2
    REGULAR = 3
    SYMLINK = 4
    DIRECTORY = 5
    SPECIAL = 6
    NO_ACCESS = 7
    NO_FOLLOW = 8
    NO_STAT = 9
    NO_CHANGE = 10
    DIRECTORY_NO_CHANGE = 11
    ARCHIVE = 12
    NO_RECURSE = 13
    OTHER_FILE_SYSTEM = 14
    NO_OPEN = 15
    RAW_DEVICE = 16
    FIFO_DATA = 17
    DIRECTORY_BEGIN = 18
    INVALID_FILE_SYSTEM = 19
    INVALID_DRIVE_TYPE = 20
    REPARSE_POINT = 21
    PLUGIN_FILE = 22
    DELETED = 23
    BASE = 24
    RESTORE_FIRST = 25
    JUNCTION = 26
    PLUGIN_CONFIG = 27
    PLUGIN_CONFIG_FILLED = 28
    PLUGIN_OBJECT = 29
    SECURITY_OBJECT = 30


class Stat(NamedTuple):
    """The 16 numbers of <stat>, in their order on the wire.

    Times are seconds and may be negative; size is -1 when a plugin does not know it.  link_fi: FileIndex of the
    first saved name when this is a hard link.  data_stream: the stream the content uses, data or not.
    """

    dev: int = 0
    ino: int = 0
    mode: int = 0
    nlink: int = 0
    uid: int = 0
    gid: int = 0
    rdev: int = 0
    size: int = 0
    blksize: int = 0
    blocks: int = 0
    atime: int = 0
    mtime: int = 0
    ctime: int = 0
    link_fi: int = 0
    flags: int = 0
    data_stream: int = 0


class Attributes(NamedTuple):
    """One attributes record.  lstat: the encoded <stat>, for `decode_stat`."""

    file_index: int
    type: int
    path: bytes
    lstat: bytes
    link: bytes = b""
    extended: bytes = b""
    delta_seq: int = 0


class _Written(dict[int, bytes]):
    """Number -> its digits."""

    def __missing__(self, value: int) -> bytes:
        if value < 0:
            if value < -(1 << 63):
                raise LocalProtocolError(f"{value} does not fit a 64-bit field of an attributes record")
            digits = b"-" + _digits(-value)
        elif value >= 1 << 63:  # the field is signed: a u64 inode or device keeps its bits
            if value >= 1 << 64:
                raise LocalProtocolError(f"{value} does not fit a 64-bit field of an attributes record")
            return self[value - (1 << 64)]
        else:
            digits = _digits(value)
        if len(self) >= MAX_REMEMBERED:
            self.clear()
        self[value] = digits
        return digits


class _Read(dict[bytes, int]):
    """Digits -> the number; holds only what was valid."""

    def __missing__(self, digits: bytes) -> int:
        magnitude = digits[1:] if digits[:1] == b"-" else digits
        try:
            raw = a2b_base64(magnitude.rjust(DIGITS, b"A"), strict_mode=True)
        except (ValueError, Base64Error) as error:
            raise StreamError(f"{digits[:40]!r} is not a number of an attributes record") from error
        value = int.from_bytes(raw, "big")
        # Nine bytes: neither more digits nor base64's own padding.
        if len(raw) != DIGITS * 6 // 8 or not magnitude or value >= 1 << 64:
            raise StreamError(f"{digits[:40]!r} is not a 64-bit number of an attributes record")
        if magnitude is not digits:
            value = -value
        if len(self) >= MAX_REMEMBERED:
            self.clear()
        self[digits] = value
        return value


def _digits(value: int) -> bytes:
    return b2a_base64(value.to_bytes(9, "big"), newline=False).lstrip(b"A") or b"A"


_written = _Written()
_read = _Read()
_write_one = _written.__getitem__
_read_one = _read.__getitem__


def encode_int(value: int) -> bytes:
    """Digits of a 64-bit number; 2**63 and above are written as the negative with the same bits."""
    return _written[value]


def decode_int(digits: bytes) -> int:
    """The number; StreamError when these are not digits of one."""
    return _read[digits]


def encode_stat(stat: Iterable[int]) -> bytes:
    """A `Stat`, or its 16 numbers in order, as <stat>."""
    return b" ".join(map(_write_one, stat))


def parse_stat(lstat: bytes) -> Stat:
    """<stat> as numbers.  Fields an old writer left out are 0; those a Windows writer added are dropped.

    Raises StreamError for anything else.
    """
    fields = lstat.split(b" ", MAX_STAT_FIELDS)
    count = len(fields)
    if count == STAT_FIELDS:
        return tuple.__new__(Stat, map(_read_one, fields))  # a third less than _make takes
    if count < OLDEST_STAT_FIELDS or count > MAX_STAT_FIELDS:
        raise StreamError(f"an attributes record has {count} numbers where 16 belong: {lstat[:80]!r}")
    return Stat(*map(_read_one, fields[:STAT_FIELDS]))


def stat_field(lstat: bytes, place: int) -> int:
    """One number of <stat> alone, for those who look at millions; 0 where an old writer left it out. Raises StreamError."""
    fields = lstat.split(b" ", place + 1)
    if place < len(fields):
        return _read[fields[place]]
    if len(fields) < OLDEST_STAT_FIELDS:
        raise StreamError(f"an attributes record has {len(fields)} numbers where 16 belong: {lstat[:80]!r}")
    return 0


decode_stat: Final = lru_cache(maxsize=4)(parse_stat)
"""The same, for those who ask several times about one entry."""


def pack_attributes(  # noqa: PLR0917 - keywords cost a third more, and every file comes by
    file_index: int,
    file_type: int,
    path: bytes,
    lstat: bytes,
    link: bytes = b"",
    extended: bytes = b"",
    delta_seq: int = 0,
) -> bytes:
    """The record.  A NUL in a path or link is our bug: LocalProtocolError."""
    if 0 in path or 0 in link:
        raise LocalProtocolError(f"a NUL cannot stand in a path: {path[:200]!r}")
    return b"%d %d %b\0%b\0%b\0%b\0%d\0" % (file_index, file_type, path, lstat, link, extended, delta_seq)


def parse_attributes(data: bytes | bytearray | memoryview) -> Attributes:
    """The record taken apart; <stat> stays encoded.  Missing last fields are empty, as old writers leave them.

    Raises StreamError when it is not an attributes record.
    """
    parts = bytes(data).split(b"\0", 5)
    head = parts[0].split(b" ", 2)
    if len(parts) < 2 or len(head) != 3:
        raise StreamError(f"not an attributes record: {bytes(data[:80])!r}", 1)
    file_index, file_type, path = head
    number = _decimal(file_index)
    if not path:
        raise StreamError("an attributes record without a path", 1, number)
    if len(parts) < 5:
        parts += (b"", b"", b"")
    _, lstat, link, extended, delta_seq, *_ = parts
    delta = _decimal(delta_seq) if delta_seq and delta_seq != b"0" else 0
    return Attributes(number, _decimal(file_type) & FILE_TYPE_MASK, path, lstat, link, extended, delta)


def attributes_of(file_index: int, data: bytes | bytearray | memoryview) -> Attributes:
    """The same under the FileIndex of the record's header: the one inside is in no catalog. Raises StreamError."""
    found = parse_attributes(data)
    return found if found.file_index == file_index else found._replace(file_index=file_index)


def pack_extended(atime: int, mtime: int, ctime: int, looked_for: bytes = b"") -> bytes:
    """<extended> of our own Volumes: the parts of a second that <stat> cannot say, each 0..999,999,999.

    looked_for: letters of what was saved of the entry if it had any, so that a restore knows what it had not.
    Real daemons ignore <extended> on stream 1.
    """
    return b"ns:%d,%d,%d%b" % (atime, mtime, ctime, b";" + looked_for if looked_for else b"")


def parse_nanoseconds(extended: bytes) -> tuple[int, int, int] | None:
    """The times of `pack_extended`; None when <extended> holds anything else: the seconds are still good."""
    found = _OUR_EXTENDED(extended) if extended else None
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def parse_looked_for(extended: bytes) -> bytes:
    """The letters of `pack_extended`; none where nothing is known."""
    found = _OUR_EXTENDED(extended) if extended else None
    return found[4] or b"" if found else b""


def _decimal(digits: bytes) -> int:
    # int() alone would take b" 1_0" too.
    if not digits.isdigit() or len(digits) > MAX_DECIMAL_DIGITS:
        raise StreamError(f"{digits[:40]!r} is not a decimal number of an attributes record", 1)
    return int(digits)
