"""Whose processor time counts as whose."""

from __future__ import annotations

import os

from tests.bench.beside import MUCH, Beside, Process, beside, processor_s, tree_of


def test_what_a_process_started_is_part_of_it() -> None:
    all_ = {1: Process(0, 1.0), 5: Process(1, 1.0), 6: Process(5, 1.0), 7: Process(6, 1.0), 8: Process(1, 1.0)}
    assert tree_of(all_, [5]) == {5, 6, 7}
    assert tree_of(all_, [8, 6]) == {8, 6, 7}


def test_what_we_do_ourselves_is_not_done_by_others() -> None:
    before = processor_s(os.getpid())
    with beside() as others:
        while processor_s(os.getpid()) < before + 0.05:
            pass
    assert others.share >= 0.0


def test_rows_beside_which_others_worked_are_marked() -> None:
    found = Beside()
    assert found.mark == ""
    found.share = MUCH * 2
    assert found.mark == " *"
