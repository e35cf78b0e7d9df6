from __future__ import annotations

import os

import pytest

from filed.agents.waiting import Patience
from filed.errors import JobCanceled
from filed.process.status_page import HEARTBEAT_AT, StatusPage


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
def cancel_pipe() -> int:
    """A cancel pipe that nobody rings."""
    return os.pipe()[0]


def test_patience_ends_after_its_time_without_a_sign_of_life(cancel_pipe: int) -> None:
    clock = Clock()
    patience = Patience(StatusPage(), 3.0, cancel_pipe, clock)
    assert waits(patience) == 4
    assert clock.now == 5


def test_heartbeats_and_callbacks_renew_it(cancel_pipe: int) -> None:
    status_page = StatusPage()
    patience = Patience(status_page, 2.0, cancel_pipe, Clock())
    for callbacks in range(4):
        assert patience.wait(callbacks)
    for _ in range(4):
        status_page.words[HEARTBEAT_AT // 8] += 1
        assert patience.wait(3)
    assert waits(patience, 3) == 2


def test_defer_grants_its_seconds(cancel_pipe: int) -> None:
    status_page = StatusPage()
    patience = Patience(status_page, 2.0, cancel_pipe, Clock())
    assert patience.wait(0)
    status_page.defer(5)
    assert waits(patience) == 6


def test_an_entry_starts_it_anew(cancel_pipe: int) -> None:
    patience = Patience(StatusPage(), 2.0, cancel_pipe, Clock())
    assert waits(patience) == 3
    patience.renew()
    assert patience.wait(0)


def test_the_bell_ends_it_at_once() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"c")
    with pytest.raises(JobCanceled):
        Patience(StatusPage(), 1e9, reader, lambda: 0.0).wait(0)
    os.close(reader)
    os.close(writer)


def test_the_end_of_the_parent_ends_it_at_once() -> None:
    reader, writer = os.pipe()
    os.close(writer)
    with pytest.raises(JobCanceled):
        Patience(StatusPage(), 1e9, reader, lambda: 0.0).wait(0)
    os.close(reader)


def test_without_a_bell_the_cancel_word_is_looked_at() -> None:
    status_page = StatusPage()
    patience = Patience(status_page, 1e9, None, lambda: 0.0)
    assert patience.wait(0)
    status_page.ask_cancel()
    with pytest.raises(JobCanceled):
        patience.wait(0)
