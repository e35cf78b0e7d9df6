from __future__ import annotations

import gc
import threading
import weakref

import pytest

from filed.pipeline.workers import Slot, Workers


@pytest.fixture
def workers():
    with Workers(2) as pool:
        yield pool


def test_no_thread_starts_before_there_is_work():
    before = threading.active_count()
    with Workers(4) as workers:
        assert (workers.started, threading.active_count()) == (0, before)
        assert workers.pool.submit(len, b"abc").wait() == 3
        assert workers.started == 1
    assert threading.active_count() == before


def test_a_pool_has_as_many_threads_as_cores_and_no_more():
    with Workers(3) as workers:
        together = threading.Barrier(3)
        slots = [workers.pool.submit(together.wait) for _ in range(3)]
        assert sorted(slot.wait() for slot in slots) == [0, 1, 2]
        assert workers.pool.submit(abs, -1).wait() == 1
        assert workers.started == 3


def test_who_has_one_core_to_himself_is_alone():
    assert [Workers(cores, neighbours=1).alone for cores in (1, 2, 3)] == [True, True, False]
    assert [Workers(cores).alone for cores in (1, 2)] == [True, False]


def test_tasks_of_a_lane_end_in_order(workers):
    done: list[int] = []
    lane = workers.lane()
    slots = [lane.submit(done.append, number) for number in range(1000)]
    slots[-1].wait()
    assert done == list(range(1000))


def test_files_that_follow_each_other_take_different_lanes(workers):
    assert workers.lane() is not workers.lane()


def test_what_a_task_dies_of_reaches_the_waiter_and_the_thread_lives(workers):
    slot = workers.pool.submit(bytes.fromhex, "x")
    with pytest.raises(ValueError, match="fromhex"):
        slot.wait()
    slot.settle()
    assert slot.done
    assert workers.pool.submit(len, b"").wait() == 0


def test_a_slot_that_is_filled_while_somebody_waits_opens():
    for _ in range(200):
        slot: Slot[int] = Slot()
        filler = threading.Thread(target=slot.fill, args=(7,))
        filler.start()
        assert slot.wait() == 7
        filler.join()


def test_a_finished_task_holds_nothing_of_its_giver(workers):
    class Buffer(bytearray):
        pass

    buffer = Buffer(9)
    gone = weakref.ref(buffer)
    assert workers.pool.submit(len, buffer).wait() == 9
    del buffer
    workers.pool.submit(len, b"").wait()
    gc.collect()
    assert gone() is None


def test_work_given_before_the_end_is_done():
    done: list[int] = []
    with Workers(1) as workers:
        lane = workers.lane()
        for number in range(100):
            lane.submit(workers.pool.pass_on, Slot(), done.append, number)
    assert sorted(done) == list(range(100))
