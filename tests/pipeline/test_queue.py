from __future__ import annotations

import threading

import pytest

from filed.pipeline.queue import RecordQueue, Records
from filed.pipeline.workers import Slot


def ready(*records: tuple[int, bytes]) -> Slot[Records]:
    slot: Slot[Records] = Slot()
    slot.fill(list(records))
    return slot


@pytest.fixture
def written():
    return []


@pytest.fixture
def queue(written):
    return RecordQueue(lambda file_index, stream, data: written.append((file_index, stream, bytes(data))), 100)


def test_a_record_leaves_at_once_when_nothing_is_in_front(queue, written):
    queue.put(1, 2, b"data")
    assert written == [(1, 2, b"data")]
    assert queue.pending_bytes == 0
    assert not queue.step()


def test_what_is_not_ready_holds_back_what_comes_after(queue, written):
    late: Slot[Records] = Slot()
    queue.put_later(1, late, 10)
    queue.put_later(1, ready((3, b"digest")), 0)
    queue.put(2, 1, b"next file")
    assert written == []
    late.fill([(22, b"a"), (20, b"b")])
    queue.put(2, 2, b"data")
    assert written == [(1, 22, b"a"), (1, 20, b"b"), (1, 3, b"digest"), (2, 1, b"next file"), (2, 2, b"data")]


def test_data_that_is_only_lent_is_copied_when_it_must_wait(queue, written):
    late: Slot[Records] = Slot()
    queue.put_later(1, late, 0)
    data = bytearray(b"mine")
    queue.put(1, 2, memoryview(data))
    data[:] = b"used"
    late.fill([])
    queue.flush()
    assert written == [(1, 2, b"mine")]


def test_a_buffer_is_released_after_its_record_is_written_and_its_folds_are_done(queue, written):
    events: list[str] = []
    fold: Slot[None] = Slot()
    queue.put_lent(1, [(2, b"a")], release=lambda: events.append("a"))
    queue.put_lent(1, [(2, b"b")], (fold,), lambda: events.append("b"))
    queue.put_lent(1, [(2, b"c")], release=lambda: events.append("c"))
    assert (events, len(written)) == (["a"], 3)
    assert queue.pending_bytes == 2
    fold.fill(None)
    queue.flush()
    assert events == ["a", "b", "c"]
    assert queue.pending_bytes == 0


def test_what_was_lent_and_written_is_taken_back_when_something_else_is_put(queue):
    released: list[int] = []
    fold: Slot[None] = Slot()
    queue.put_lent(1, [(2, b"first")], (fold,), lambda: released.append(1))
    fold.fill(None)
    assert released == []
    queue.put_later(1, ready((2, b"second")), 6)
    assert released == [1]


def test_a_caller_short_of_buffers_waits_for_the_fold_of_what_is_written(queue):
    released: list[int] = []
    fold: Slot[None] = Slot()
    queue.put_lent(1, [(2, b"first")], (fold,), lambda: released.append(1))
    filler = threading.Thread(target=fold.fill, args=(None,))
    filler.start()
    assert queue.step()
    filler.join()
    assert released == [1]
    assert not queue.step()


def test_what_is_written_and_still_read_counts_in_the_window(queue):
    released: list[int] = []
    folds: list[Slot[None]] = [Slot(), Slot()]
    queue.put_lent(1, [(2, bytes(60))], (folds[0],), lambda: released.append(1))
    filler = threading.Thread(target=folds[0].fill, args=(None,))
    filler.start()
    queue.put_lent(1, [(2, bytes(60))], (folds[1],), lambda: released.append(2))
    filler.join()
    assert released == [1]
    assert queue.pending_bytes == 60
    folds[1].fill(None)


def test_a_folds_failure_comes_out_and_the_buffer_is_given_back(queue):
    released: list[int] = []
    fold: Slot[None] = Slot()
    queue.put_lent(1, [(2, b"x")], (fold,), lambda: released.append(1))
    fold.fail(ZeroDivisionError("fold"))
    with pytest.raises(ZeroDivisionError):
        queue.flush()
    assert released == [1]


def test_a_full_window_waits_for_its_first_record(queue, written):
    slots = [Slot() for _ in range(3)]
    queue.put_later(1, slots[0], 60)
    slots[1].fill([(2, b"second")])
    slots[0].fill([(2, b"first")])
    queue.put_later(1, slots[1], 60)
    assert [data for _, _, data in written] == [b"first", b"second"]
    assert queue.pending_bytes == 0


def test_a_workers_failure_comes_out_where_its_record_stands(queue, written):
    failed: Slot[Records] = Slot()
    late: Slot[Records] = Slot()
    queue.put_later(1, late, 0)
    released: list[int] = []
    queue.put_later(2, failed, 0, release=lambda: released.append(2))
    failed.fail(ZeroDivisionError("worker"))
    late.fill([(2, b"good")])
    with pytest.raises(ZeroDivisionError):
        queue.put(3, 1, b"never")
    assert written == [(1, 2, b"good")]
    queue.discard()
    assert released == [2]


def test_a_failing_write_comes_out_and_the_rest_can_be_discarded():
    def write(file_index: int, stream: int, data: object) -> None:
        raise OSError(28, "No space left on device")

    queue = RecordQueue(write)
    released: list[int] = []
    late: Slot[Records] = Slot()
    queue.put_later(1, late, 5, release=lambda: released.append(1))
    queue.put_lent(1, [(2, b"x")], (), lambda: released.append(2))
    late.fill([(2, b"x")])
    with pytest.raises(OSError, match="No space"):
        queue.flush()
    queue.discard()
    assert released == [1, 2]
    assert queue.pending_bytes == 0
    queue.flush()


def test_records_that_are_there_together_are_written_together():
    together: list[tuple[int, Records]] = []
    queue = RecordQueue(lambda *_: None, write_all=lambda index, records: together.append((index, records)))
    queue.put_lent(1, [(2, b"a"), (2, b"b")])
    queue.put_later(2, ready((20, b"c"), (20, b"d")), 2)
    assert together == [(1, [(2, b"a"), (2, b"b")]), (2, [(20, b"c"), (20, b"d")])]
