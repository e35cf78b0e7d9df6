from __future__ import annotations

import hashlib

import pytest

from filed.wire.stream import DIGEST_BYTES, Stream
from filed.wire.verify import VOLUME_LETTERS, digest_line, entry_line, is_line, letters_of

LSTAT = b"P4A IMA4 IGk C A A A E BAA I BrBHL9 BfXhAA BrBHL7 A A A"


def test_lines_are_those_of_a_real_file_daemon() -> None:
    assert entry_line(1, letters_of("pinsugm5"), b"/t/b", LSTAT) == b"1 1 VVpinsugm5 /t/b\0%b\0\0" % LSTAT
    assert entry_line(4, letters_of(None), b"/t/link", LSTAT, b"a") == b"4 1 V /t/link\0%b\0a\0" % LSTAT
    assert entry_line(7, VOLUME_LETTERS, b"/t/hard", LSTAT, b"/t/b") == b"7 1 pinsug5 /t/hard\0%b\0/t/b\0" % LSTAT
    digest = hashlib.md5(b"bbb\n").digest()
    assert digest_line(1, Stream.MD5_DIGEST, digest) == b"1 3 uGlNgnwPE/Iu07xhDBnsFQ *MD5-1*"
    digest = hashlib.sha1(b"bbb\n").digest()
    assert digest_line(1, Stream.SHA1_DIGEST, digest) == b"1 10 yAHJz+lEAJY/y2gyRiF9Xbd/mpo *SHA1-1*"


@pytest.mark.parametrize("stream", DIGEST_BYTES)
def test_every_digest_has_a_line(stream: int) -> None:
    assert is_line(digest_line(3, stream, bytes(DIGEST_BYTES[stream])))


def test_what_is_no_line_is_known() -> None:
    assert is_line(entry_line(2800, b"V", b"/a", LSTAT))
    for packet in (
        b"2800 End Job TermCode=84",
        b"2000 OK verify\n",
        b"Jmsg JobId=1 type=3 level=1 x",
        b"",
        b"1 ",
        b"-1 1 ",
    ):
        assert not is_line(packet)
