r"""The ACL records of Linux (1008 access, 1007 default): libacl's long text, one entry a line, then one NUL.

    user::rw-\n user:1234:r--\n group::r--\n mask::r--\n other::---\n NUL

Where the mask takes something away, libacl says behind the entry what is left: a tab and `#effective:r--`.
Users and groups are names where the saving host knew them, else numbers; a reader takes both.

Source: docs/formats/attributes.md.
"""

from __future__ import annotations

import re
from typing import Final

from filed.errors import LocalProtocolError, StreamError

MAX_ACL_BYTES: Final = 1 << 20  # the kernel keeps an ACL in one attribute of at most 64 KiB; the text is longer
_COMMENT: Final = re.compile(rb"[ \t]+#effective:[rwx-]{3}$", re.MULTILINE)
_ENTRY: Final = re.compile(rb"(?:user|group|mask|other):[^:\n\0]*:[r-][w-][x-]")


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
