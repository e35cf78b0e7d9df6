"""Line compression: worth it or left alone, and bounded."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.errors import RemoteProtocolError
from filed.wire.line_compression import MAX_EXPANDED_BYTES, compress_line, expand_line


def test_a_block_by_hand_is_expanded() -> None:
    """Token 1|15, the literal "a", 1 back, 15 + 10 + 4 times; then five literals."""
    assert expand_line(b"\x1fa\x01\0\x0a\x50bcdef") == b"a" * 30 + b"bcdef"


def test_short_payloads_are_left_alone() -> None:
    assert compress_line(b"a" * 20) is None


def test_what_saves_less_than_ten_bytes_is_left_alone() -> None:
    assert compress_line(bytes(range(200))) is None


def test_a_block_that_grows_too_much_is_refused() -> None:
    packed = compress_line(bytes(MAX_EXPANDED_BYTES + 1))
    assert packed is not None
    with pytest.raises(RemoteProtocolError, match="4,000,000"):
        expand_line(packed)


@given(st.binary(max_size=500), st.integers(1, 20))
def test_what_is_compressed_comes_back(piece: bytes, times: int) -> None:
    payload = piece * times
    packed = compress_line(payload)
    assert packed is None or (expand_line(packed) == payload and len(packed) <= len(payload) - 10)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_payload_or_a_remote_protocol_error(block: bytes) -> None:
    with contextlib.suppress(RemoteProtocolError):
        assert len(expand_line(block)) <= MAX_EXPANDED_BYTES
