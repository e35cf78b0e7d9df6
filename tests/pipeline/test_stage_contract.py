"""One suite over every stage that changes bytes: what goes forward comes back, and damage is a StreamError."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.errors import StreamError
from filed.pipeline.compress import Codec, Compression, expand, inflate
from filed.pipeline.encrypt import PacketCipher, PacketReader, SessionKey
from filed.pipeline.keys import Cipher
from filed.pipeline.sparse import split_address, with_address
from tests.pipeline.content import CHUNK, text


@dataclass
class Stage:
    """One chunk there, one chunk back."""

    name: str
    forward: Callable[[memoryview], bytes]
    reverse: Callable[[memoryview], bytes]

    def __str__(self) -> str:
        return self.name


def _encrypted(cipher: Cipher) -> Stage:
    key = SessionKey.fresh(cipher)

    def forward(chunk: memoryview) -> bytes:
        packets = PacketCipher(key, 20)
        return b"".join(bytes(record) for _, record in packets.packets([chunk]) + packets.finish())

    def reverse(record: memoryview) -> bytes:
        reader = PacketReader(key)
        return b"".join(reader.feed(record)) + b"".join(reader.finish())

    return Stage(cipher.name, forward, reverse)


STAGES = [
    *(Stage(f"GZIP{level}", Compression(Codec.GZIP, level).coder(), inflate) for level in range(1, 10)),
    Stage("LZO", Compression(Codec.LZO).coder(), expand),
    *(Stage(f"ZSTD{level}", Compression(Codec.ZSTD, level).coder(), expand) for level in (1, 3, 10)),
    Stage("SPARSE", lambda chunk: with_address(99, chunk), lambda record: split_address(record)[1]),
    *map(_encrypted, Cipher),
]
CONTENTS = [b"x", text(100), text(CHUNK - 1), text(CHUNK), bytes(CHUNK), os.urandom(CHUNK), os.urandom(17)]


@pytest.mark.parametrize("stage", STAGES, ids=str)
def test_what_goes_forward_comes_back(stage):
    for content in CONTENTS:
        buffer = bytearray(content)
        record = stage.forward(memoryview(buffer))
        buffer[:] = bytes(len(buffer))  # a stage keeps no view of its input
        assert bytes(stage.reverse(memoryview(record))) == content


@pytest.mark.parametrize("stage", STAGES, ids=str)
def test_a_chunk_grows_by_little(stage):
    for content in CONTENTS:
        assert len(stage.forward(memoryview(content))) <= len(content) + len(content) // 200 + 32


@pytest.mark.parametrize("stage", STAGES, ids=str)
@given(at=st.integers(0, 10_000), change=st.integers(1, 255), cut=st.integers(0, 200))
def test_damage_is_a_stream_error_or_other_content(stage, at, change, cut):
    record = bytearray(stage.forward(memoryview(text(3000))))
    record[at % len(record)] ^= change
    del record[len(record) - cut :]
    try:
        stage.reverse(memoryview(record))
    except StreamError:
        return
