"""What is read ahead of a stream: in memory, then in a file, then not at all."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from filed.agents import Chunk
from filed.errors import ItemError
from filed.job.encode.spool import MEMORY_BYTES, Quota, Spool

PIECE = MEMORY_BYTES // 4


def piece(number: int, *, last: bool = False) -> tuple[Chunk, memoryview]:
    return Chunk(number * PIECE, PIECE, last), memoryview(bytes([number]) * PIECE)


def test_what_does_not_fit_into_memory_comes_back_from_a_file_in_order(tmp_path: Path) -> None:
    spool = Spool(Quota(tmp_path))
    for round_ in range(3):  # the file is used again when it is empty
        for number in range(10):
            assert spool.put(*piece(number, last=number == 9))
        for number in range(10):
            assert spool.get() == (piece(number, last=number == 9)[0], bytes(piece(number)[1])), round_
    spool.close()
    assert not list(tmp_path.iterdir())  # it has no name


def test_the_quota_holds_for_all_streams_and_comes_back(tmp_path: Path) -> None:
    quota = Quota(tmp_path, 2 * PIECE)
    one, two = Spool(quota), Spool(quota)
    for number in range(6):
        one.put(*piece(number))
    assert not quota.take(1)
    one.close()
    for number in range(6):
        two.put(*piece(number))
    assert not quota.take(1)
    for number in range(6):
        assert two.get()[1] == piece(number)[1]
    assert quota.take(2 * PIECE)


def test_a_reader_without_room_waits_until_there_is_some_or_nobody_wants_it() -> None:
    spool = Spool(Quota(None))
    put: list[bool] = []

    def read() -> None:
        put.extend(spool.put(*piece(number)) for number in range(6))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(2):
        assert spool.get()[1] == piece(number)[1]
    spool.close()
    reader.join(60)
    assert not reader.is_alive()
    assert put[:2] == [True, True]


def test_a_full_disk_is_no_error_but_less_is_read_ahead(tmp_path: Path) -> None:
    quota = Quota(tmp_path)
    spool = Spool(Quota(tmp_path / "gone"))
    assert not Quota(tmp_path / "gone").take(1)
    quota.is_used_up()
    assert not quota.take(1)
    spool.put(*piece(1))
    assert spool.get()[1] == piece(1)[1]


def test_what_ends_a_reader_comes_behind_what_it_has_read(tmp_path: Path) -> None:
    spool = Spool(Quota(tmp_path))
    spool.put(*piece(1))
    spool.fail(ItemError(b"/one", "it broke"))
    assert spool.get()[1] == piece(1)[1]
    with pytest.raises(ItemError, match="it broke"):
        spool.get()
