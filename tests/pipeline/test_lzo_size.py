from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lzallright import LZOCompressor

from filed.pipeline.lzo_size import lzo_size
from tests.pipeline.content import text

PARTS = st.one_of(
    st.binary(max_size=700),
    st.builds(lambda byte, count: bytes([byte]) * count, st.integers(0, 255), st.integers(1, 6000)),
    st.builds(lambda at, count: text(9000)[at : at + count], st.integers(0, 8000), st.integers(1, 900)),
)


@given(st.lists(PARTS, max_size=12).map(b"".join))
def test_the_size_is_that_of_the_content(content: bytes) -> None:
    assert lzo_size(LZOCompressor().compress(content), 1 << 30) == len(content)


def test_a_walk_stops_behind_its_limit() -> None:
    packed = LZOCompressor().compress(text(300_000))
    assert 5000 < lzo_size(packed, 5000) < 300_000


@given(st.binary(min_size=1, max_size=300))
def test_any_bytes_have_a_size_or_end_too_early(data: bytes) -> None:
    with contextlib.suppress(IndexError):
        assert lzo_size(data, 1 << 20) >= 0


@pytest.mark.parametrize("length", range(1, 40))
def test_data_cut_short_ends_too_early(length: int) -> None:
    packed = LZOCompressor().compress(text(3000))
    with pytest.raises(IndexError):
        lzo_size(packed[:length], 1 << 20)
