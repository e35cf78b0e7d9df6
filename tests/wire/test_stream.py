from __future__ import annotations

from filed.wire.stream import (
    ACL_STREAMS,
    DATA_STREAMS,
    DIGEST_STREAMS,
    ENCRYPTED_STREAMS,
    SPARSE_STREAMS,
    XATTR_STREAMS,
    Stream,
    StreamFlag,
    stream_type,
)


def test_flags_are_taken_off_a_stream_word():
    assert stream_type(Stream.FILE_DATA | StreamFlag.OFFSETS) == Stream.FILE_DATA
    assert Stream.FILE_DATA | StreamFlag.OFFSETS == 0x04000002


def test_every_number_in_a_set_has_a_name_and_one_meaning():
    assert not DATA_STREAMS & DIGEST_STREAMS
    assert not ACL_STREAMS & XATTR_STREAMS
    assert DATA_STREAMS >= ENCRYPTED_STREAMS | SPARSE_STREAMS
    for number in DATA_STREAMS | DIGEST_STREAMS | ACL_STREAMS | XATTR_STREAMS:
        assert Stream(number).name
    assert {s for s in Stream if "DIGEST" in s.name} == DIGEST_STREAMS | {Stream.SIGNED_DIGEST}
    assert {
        s for s in Stream if s.name.startswith("ENCRYPTED_") and "SESSION" not in s.name and "FORK" not in s.name
    } == (ENCRYPTED_STREAMS)
