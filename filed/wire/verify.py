"""What a File Daemon tells a Director that compares with its catalog: a line for each entry, and one for its digest.

    <FileIndex> 1 <letters> <path> NUL <stat> NUL <link> NUL
    <FileIndex> <digest stream> <digest> *<name>-<FileIndex>*

letters: what is to be compared, as in the FileSet's `verify` option. The digest is base64 without padding.
Source: docs/formats/director.md.
"""

from __future__ import annotations

import base64
import re

from filed.wire.stream import Buffer, Stream

DEFAULT_LETTERS = b"V"
VOLUME_LETTERS = b"pinsug5"
"""What a Director compares of what a Volume holds: the times are not among them."""

_LINE = re.compile(rb"\d{1,10} \d{1,3} ", re.ASCII)
_NAMES = {
    Stream.MD5_DIGEST: b"MD5",
    Stream.SHA1_DIGEST: b"SHA1",
    Stream.SHA256_DIGEST: b"SHA256",
    Stream.SHA512_DIGEST: b"SHA512",
    Stream.XXH64_DIGEST: b"XXHASH64",
    Stream.XXH3_64_DIGEST: b"XXH3_64",
    Stream.XXH3_128_DIGEST: b"XXH3_128",
}


def letters_of(option: str | None) -> bytes:
    """How the letters of a `verify` option travel: behind the one that says so, even a second time."""
    return DEFAULT_LETTERS if option is None else DEFAULT_LETTERS + b"V" + option.encode("ascii", "replace")


def entry_line(file_index: int, letters: bytes, path: bytes, lstat: bytes, link: bytes = b"") -> bytes:
    """file_index: 0 for the mark of a deleted file."""
    return b"%d %d %b %b\0%b\0%b\0" % (file_index, Stream.UNIX_ATTRIBUTES, letters, path, lstat, link)


def digest_line(file_index: int, stream: int, digest: Buffer) -> bytes:
    name = _NAMES[Stream(stream)]
    return b"%d %d %b *%b-%d*" % (file_index, stream, digest_text(digest), name, file_index)


def digest_text(digest: Buffer) -> bytes:
    """A digest as a catalog has it."""
    return base64.b64encode(digest).rstrip(b"=")


def is_line(packet: bytes) -> bool:
    """Whether it begins as one of the two."""
    return _LINE.match(packet) is not None
