"""What every kind of Job has at hand."""

from __future__ import annotations

import pytest

from filed.errors import JobCanceled
from filed.process.outcome import JobStatus, Severity
from filed.process.status_page import Cancel
from tests.job.conftest import Desk


class Sleeper:
    """Something that blocks."""

    def __init__(self) -> None:
        self.woken = 0

    def cancel(self) -> None:
        self.woken += 1


def test_messages_go_to_the_parent_and_are_counted_by_their_weight(desk: Desk) -> None:
    place = desk.place
    for severity in Severity:
        place.message(severity, severity.name)
    place.warning("again")
    assert [event["severity"] for event in desk.events()] == ["debug", "info", "warning", "error", "fatal", "warning"]
    assert (place.totals.warnings, place.totals.errors) == (2, 1)


def test_a_warning_that_is_the_same_for_each_file_comes_once(desk: Desk) -> None:
    for _ in range(3):
        desk.place.warn_once("signatures could not be checked")
        desk.place.warn_once("")
    assert desk.texts() == ["signatures could not be checked"]


def test_the_parent_learns_job_and_level_and_each_outcome_has_them(desk: Desk) -> None:
    desk.place.started(7, "Full")
    assert desk.events() == [{"event": "started", "jobid": 7, "level": "Full"}]
    outcome = desk.place.ended(JobStatus.OK, volumes=("Vol-0001",))
    assert (outcome.jobid, outcome.level, outcome.volumes) == (7, "Full", ("Vol-0001",))


def test_a_seal_is_told_at_once_as_the_outcome_it_stands_for(desk: Desk) -> None:
    assert desk.place.made_good is None
    outcome = desk.place.ended(JobStatus.OK)
    desk.place.sealed(outcome)
    (event,) = desk.events()
    assert event["event"] == "sealed"
    assert event["status"] == "T"
    assert desk.place.made_good is outcome


def test_progress_is_on_the_page_that_the_parent_reads(desk: Desk) -> None:
    place = desk.place
    place.totals.files, place.totals.read_bytes, place.totals.errors, place.expected = 3, 1000, 1, 5000
    assert place.status_page.counters.files == 0
    place.show_progress()
    seen = place.status_page.counters
    assert (seen.files, seen.bytes_read, seen.errors, seen.bytes_expected) == (3, 1000, 1, 5000)


def test_a_cancel_sets_the_word_and_wakes_what_blocks(desk: Desk) -> None:
    place, sleepers = desk.place, (Sleeper(), Sleeper())
    for sleeper in sleepers:
        place.on_cancel(sleeper)
    place.check_canceled()
    place.cancel()
    assert place.status_page.cancel == Cancel.ASKED
    assert [sleeper.woken for sleeper in sleepers] == [1, 1]
    with pytest.raises(JobCanceled):
        place.check_canceled()


def test_what_begins_to_block_after_the_bell_rang_is_woken_too(desk: Desk) -> None:
    desk.place.cancel()
    late = Sleeper()
    desk.place.on_cancel(late)
    assert late.woken == 1


def test_closing_does_what_was_left_for_it(desk: Desk) -> None:
    done: list[int] = []
    desk.place.at_close += [lambda: done.append(1), lambda: done.append(2)]
    desk.place.close()
    assert done == [1, 2]


def test_a_message_that_nobody_reads_any_more_is_no_fault_of_the_job(desk: Desk) -> None:
    """The parent is gone; what ends the Job is its cancel pipe, as canceled."""
    desk.sock.close()
    desk.place.error("unheard")
    assert desk.place.totals.errors == 1
