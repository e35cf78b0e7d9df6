from __future__ import annotations

import os

import pytest

from filed.agents.pulse import HEARTBEAT_AT, Pulse
from filed.agents.waiting import Patience
from filed.errors import JobCanceled


class Clock:
    """Seconds that pass by 1 at each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def waits(patience: Patience, callbacks: int = 0, limit: int = 40) -> int:
    """How often it waits before it gives up."""
    for times in range(limit):
        if not patience.wait(callbacks):
            return times
    return limit


@pytest.fixture
def bell() -> int:
    """A doorbell that nobody rings."""
    return os.pipe()[0]


def test_patience_ends_after_its_time_without_a_sign_of_life(bell: int) -> None:
    clock = Clock()
    patience = Patience(Pulse(), 3.0, bell, clock)
    assert waits(patience) == 4
    assert clock.now == 5


def test_heartbeats_and_callbacks_renew_it(bell: int) -> None:
    pulse = Pulse()
    patience = Patience(pulse, 2.0, bell, Clock())
    for callbacks in range(4):
        assert patience.wait(callbacks)
    for _ in range(4):
        pulse.words[HEARTBEAT_AT // 8] += 1
        assert patience.wait(3)
    assert waits(patience, 3) == 2


def test_defer_grants_its_seconds(bell: int) -> None:
    pulse = Pulse()
    patience = Patience(pulse, 2.0, bell, Clock())
    assert patience.wait(0)
    pulse.defer(5)
    assert waits(patience) == 6


def test_an_entry_starts_it_anew(bell: int) -> None:
    patience = Patience(Pulse(), 2.0, bell, Clock())
    assert waits(patience) == 3
    patience.renew()
    assert patience.wait(0)


def test_the_bell_ends_it_at_once() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"c")
    with pytest.raises(JobCanceled):
        Patience(Pulse(), 1e9, reader, lambda: 0.0).wait(0)
    os.close(reader)
    os.close(writer)


def test_the_end_of_the_parent_ends_it_at_once() -> None:
    reader, writer = os.pipe()
    os.close(writer)
    with pytest.raises(JobCanceled):
        Patience(Pulse(), 1e9, reader, lambda: 0.0).wait(0)
    os.close(reader)


def test_without_a_bell_the_cancel_word_is_looked_at() -> None:
    pulse = Pulse()
    patience = Patience(pulse, 1e9, None, lambda: 0.0)
    assert patience.wait(0)
    pulse.ask_cancel()
    with pytest.raises(JobCanceled):
        patience.wait(0)
