from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from filed.volume import FileIndexes

small = st.integers(1, 40)
ranges = st.lists(st.tuples(st.integers(-3, 40), st.integers(-3, 40)))


@given(ranges, small, small)
def test_it_is_the_set_of_its_ranges(pairs: list[tuple[int, int]], low: int, high: int) -> None:
    wanted = {index for first, last in pairs for index in range(max(first, 1), last + 1)}
    chosen = FileIndexes(pairs)
    assert {index for index in range(50) if index in chosen} == wanted
    assert chosen.overlaps(low, low + high) == any(low <= index <= low + high for index in wanted)
    assert chosen.last == max(wanted, default=0)
    assert bool(chosen) == bool(wanted)
    assert chosen == FileIndexes.of(wanted)


@given(ranges, st.integers(-5, 50))
def test_a_run_is_where_the_answer_stays_the_same(pairs: list[tuple[int, int]], index: int) -> None:
    chosen = FileIndexes(pairs)
    wanted, first, last = chosen.run(index)
    assert first <= index <= last
    assert all((other in chosen) == wanted for other in range(max(first, -9), min(last, 60) + 1))


def test_a_million_neighbours_are_one_range() -> None:
    assert FileIndexes.of(range(1, 1_000_001)).ranges == [(1, 1_000_000)]


def test_everything_is_everything_but_labels() -> None:
    everything = FileIndexes.everything()
    assert 1 in everything
    assert 2**31 - 1 in everything
    assert 0 not in everything
    assert -4 not in everything
