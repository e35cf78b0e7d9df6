"""A limit holds over time, changes at once, and comes in no lumps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from filed.transport.bandwidth import BURST_S, Bandwidth


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def move(bandwidth: Bandwidth, clock: Clock, total: int) -> float:
    """Move so many bytes as a connection does; returns how long it took."""
    begin = clock.now
    while total:
        clock.now += bandwidth.wait_s()
        done = min(total, bandwidth.portion(total))
        bandwidth.spend(done)
        total -= done
    return clock.now + bandwidth.wait_s() - begin


@given(st.integers(1_000, 10_000_000), st.integers(0, 5_000_000))
def test_bytes_take_the_time_that_the_limit_says(limit: int, total: int) -> None:
    clock = Clock()
    took = move(Bandwidth(lambda: limit, clock), clock, total)
    assert total / limit - BURST_S - 0.001 <= took <= total / limit + 0.001


def test_no_limit_is_no_wait() -> None:
    clock = Clock()
    bandwidth = Bandwidth(lambda: 0, clock)
    bandwidth.spend(1 << 40)
    assert bandwidth.wait_s() == 0
    assert bandwidth.portion(262_144) == 262_144
    assert not bandwidth.limited


def test_a_portion_is_about_a_tenth_of_a_second() -> None:
    clock = Clock()
    assert Bandwidth(lambda: 1_000_000, clock).portion(262_144) == 100_000
    assert Bandwidth(lambda: 10, clock).portion(262_144) == 512


def test_a_limit_that_is_raised_or_lifted_shortens_a_wait_in_progress() -> None:
    clock, limit = Clock(), [1_000]
    bandwidth = Bandwidth(lambda: limit[0], clock)
    bandwidth.spend(10_000)
    assert bandwidth.wait_s() == 10
    limit[0] = 10_000
    assert bandwidth.wait_s() == 1
    limit[0] = 0
    assert bandwidth.wait_s() == 0


def test_idle_time_is_not_saved_up() -> None:
    clock = Clock()
    bandwidth = Bandwidth(lambda: 1_000, clock)
    clock.now += 3600
    bandwidth.spend(1_100)
    assert abs(bandwidth.wait_s() - 1.0) < 0.001
