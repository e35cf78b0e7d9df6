r"""The ACL records of Linux (1008 access, 1007 default): libacl's long text, one entry a line, then one NUL.

    user::rw-\n user:1234:r--\n group::r--\n mask::r--\n other::---\n NUL

Where the mask takes something away, libacl says behind the entry what is left: a tab and `#effective:r--`.
Users and groups are names where the saving host knew them, else numbers; a reader takes both.

Source: docs/formats/attributes.md.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import Final

from filed.errors import LocalProtocolError, StreamError
from filed.wire.stream import Stream

MAX_ACL_BYTES: Final = 1 << 20  # the kernel keeps an ACL in one attribute of at most 64 KiB; the text is longer
_COMMENT: Final = re.compile(rb"[ \t]+#effective:[rwx-]{3}$", re.MULTILINE)
_ENTRY: Final = re.compile(rb"(?:user|group|mask|other):[^:\n\0]*:[r-][w-][x-]")

ACCESS_XATTR: Final = b"system.posix_acl_access"
_KERNEL_HEAD: Final = struct.pack("<I", 2)  # the version
_KERNEL_ENTRY: Final = struct.Struct("<HHI")  # tag, permissions, id; linux/posix_acl_xattr.h
_TAGS: Final = {b"user": 0x01, b"group": 0x04, b"mask": 0x10, b"other": 0x20}
_NAMED_TAGS: Final = {b"user": 0x02, b"group": 0x08}
_NO_ID: Final = 0xFFFF_FFFF


def pack_acl(text: bytes) -> bytes:
    r"""The record of an ACL's text; a missing last `\n` is added.  LocalProtocolError when it is not one."""
    text = text if text.endswith(b"\n") else text + b"\n"
    if not all(map(_ENTRY.fullmatch, text[:-1].split(b"\n"))):
        raise LocalProtocolError(f"not the text of an ACL: {text[:80]!r}")
    return text + b"\0"


def parse_acl(data: bytes | bytearray | memoryview, stream: int) -> bytes:
    r"""The text, lines ended by `\n`, without comments and the NUL.  StreamError unless each line is an entry."""
    text = _COMMENT.sub(b"", bytes(data[: MAX_ACL_BYTES + 1]).rstrip(b"\0").rstrip(b"\n"))
    if len(text) >= MAX_ACL_BYTES or not all(map(_ENTRY.fullmatch, text.split(b"\n"))):
        raise StreamError(f"not the text of an ACL: {text[:80]!r}", stream)
    return text + b"\n"


def kernel_acl(data: bytes | bytearray | memoryview, user: Callable[[str], int], group: Callable[[str], int]) -> bytes:
    """An access ACL's record in the form that the kernel keeps as an extended attribute, ordered by tag and id.

    user, group: the number of a name; KeyError when there is none.  Raises StreamError for no ACL, or one with an unknown name.
    """
    entries: list[tuple[int, int, int]] = []
    for line in parse_acl(data, Stream.ACL_LINUX_ACCESS).splitlines():
        kind, name, letters = line.split(b":")
        permissions = sum(bit for bit, letter in zip((4, 2, 1), letters, strict=True) if letter != ord("-"))
        number = _number(name, user if kind == b"user" else group) if name else _NO_ID
        tags = _NAMED_TAGS if name else _TAGS
        if kind not in tags:
            raise StreamError(f"not an entry of an ACL: {line[:80]!r}", Stream.ACL_LINUX_ACCESS)
        entries.append((tags[kind], number, permissions))
    return _KERNEL_HEAD + b"".join(_KERNEL_ENTRY.pack(tag, mode, number) for tag, number, mode in sorted(entries))


def _number(name: bytes, number_of: Callable[[str], int]) -> int:
    if name.isdigit() and int(name) < _NO_ID:
        return int(name)
    try:
        return number_of(name.decode("utf-8", "surrogateescape"))
    except KeyError:
        text = f"the ACL has the name {name[:80]!r}, which this machine does not know"
        raise StreamError(text, Stream.ACL_LINUX_ACCESS) from None
