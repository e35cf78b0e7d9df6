from __future__ import annotations

import ctypes

import pytest

from filed.agents.buffers import borrowed


@pytest.mark.parametrize(
    "data",
    [b"content", bytearray(b"content"), memoryview(b"content"), memoryview(bytearray(b"..content.."))[2:9], b""],
)
def test_any_buffer_has_an_address_while_it_is_borrowed(data: bytes | bytearray | memoryview) -> None:
    with borrowed(data) as (address, length):
        assert length == len(data)
        assert ctypes.string_at(address, length) == bytes(data)


def test_a_borrowed_buffer_cannot_move_and_can_again_afterwards() -> None:
    data = bytearray(b"x")
    with borrowed(data), pytest.raises(BufferError):
        data.extend(bytes(1 << 20))
    data.extend(bytes(1 << 20))


def test_a_view_with_gaps_has_no_address() -> None:
    with pytest.raises(BufferError), borrowed(memoryview(b"abcdef")[::2]):
        pass


def test_wide_items_are_counted_in_bytes() -> None:
    with borrowed(memoryview(bytes(16)).cast("Q")) as (_, length):
        assert length == 16
