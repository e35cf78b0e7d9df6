from __future__ import annotations

import logging
from itertools import pairwise

import pytest

from filed.daemon.attendant import FIRST_PAUSE_S, LONGEST_PAUSE_S, Attendant


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_it_begins_once_and_again_after_a_pause_that_grows_to_a_bound() -> None:
    clock, begun = Clock(), []

    def begin() -> int:
        begun.append(clock.now)
        return 17

    attendant = Attendant("metrics", begin, clock)
    for _ in range(10):
        attendant.tend()
        attendant.tend()
        assert (attendant.pid, attendant.patience_s()) == (17, None)
        attendant.died("was killed")
        clock.now += attendant.patience_s() or 0
    pauses = [after - before for before, after in pairwise(begun)]
    assert pauses[:3] == [FIRST_PAUSE_S, FIRST_PAUSE_S * 2, FIRST_PAUSE_S * 4]
    assert pauses[-1] == max(pauses) == LONGEST_PAUSE_S


def test_before_its_pause_is_over_nothing_begins() -> None:
    clock = Clock()
    attendant = Attendant("metrics", lambda: 17, clock)
    attendant.tend()
    attendant.died("was killed")
    clock.now += FIRST_PAUSE_S / 2
    attendant.tend()
    assert (attendant.pid, attendant.patience_s()) == (0, FIRST_PAUSE_S / 2)


def test_who_lived_long_waits_as_little_as_the_first_time() -> None:
    clock = Clock()
    attendant = Attendant("metrics", lambda: 17, clock)
    for _ in range(3):
        attendant.tend()
        attendant.died("was killed")
        clock.now += LONGEST_PAUSE_S
    attendant.tend()
    clock.now += LONGEST_PAUSE_S
    attendant.died("was killed")
    assert attendant.patience_s() == FIRST_PAUSE_S


def test_no_room_for_it_is_told_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()

    def begin() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    attendant = Attendant("metrics", begin, clock)
    attendant.tend()
    assert attendant.patience_s() == FIRST_PAUSE_S
    assert [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR] == [
        "metrics gets no process: Resource temporarily unavailable; it begins again in 1 s"
    ]
