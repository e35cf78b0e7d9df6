"""One thread reads what the next will be, another takes what there is."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from filed.errors import ConnectionLost
from filed.job.decode.batches import Batch, Damaged
from filed.job.decode.read_ahead import ReadAhead


def batches(count: int) -> Iterator[Batch]:
    for number in range(count):
        yield Damaged(str(number))


def test_everything_comes_in_order() -> None:
    with ReadAhead(batches(100)) as ahead:
        assert list(ahead) == list(batches(100))
    with ReadAhead(batches(0)) as ahead:
        assert list(ahead) == []


def test_the_reader_is_one_ahead_and_no_more() -> None:
    read: list[int] = []
    asked = [threading.Event() for _ in range(4)]

    def reading() -> Iterator[Batch]:
        for number in range(4):
            read.append(number)
            asked[number].set()
            yield []

    with ReadAhead(reading()) as ahead:
        for number, _ in enumerate(ahead):
            if number < 3:
                assert asked[number + 1].wait(20)
            assert len(read) <= number + 2


def test_it_is_read_on_another_thread() -> None:
    def reading() -> Iterator[Batch]:
        yield Damaged(threading.current_thread().name)

    with ReadAhead(reading()) as ahead:
        (batch,) = ahead
    assert batch != Damaged(threading.current_thread().name)


def test_what_goes_wrong_comes_behind_what_was_read_before() -> None:
    def reading() -> Iterator[Batch]:
        yield from batches(3)
        raise ConnectionLost("the Storage Daemon", "the reading of data", "it is gone")

    taken: list[Batch] = []
    with pytest.raises(ConnectionLost), ReadAhead(reading()) as ahead:
        taken.extend(ahead)
    assert taken == list(batches(3))


def test_who_leaves_early_ends_the_wait_of_the_reader() -> None:
    never, left = threading.Event(), threading.Event()

    def reading() -> Iterator[Batch]:
        yield []
        assert never.wait(20)
        left.set()
        raise ConnectionLost("the Storage Daemon", "the reading of data", "it was interrupted")

    with ReadAhead(reading(), never.set) as ahead:
        assert next(iter(ahead)) == []
    assert left.is_set()


def test_who_takes_all_interrupts_nobody() -> None:
    interrupted: list[bool] = []
    with ReadAhead(batches(3), lambda: interrupted.append(True)) as ahead:
        assert len(list(ahead)) == 3
    assert not interrupted
