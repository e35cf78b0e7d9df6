"""What every kind of Job has at hand."""

from __future__ import annotations

import os
import socket

import pytest

from filed.errors import ItemError, JobCanceled, KeysError, StreamError
from filed.job.context import MAX_CAUSES
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
    messages, totals = desk.context.messages, desk.context.counters.totals
    for severity in Severity:
        messages.message(severity, severity.name)
    messages.warning("again")
    assert [event["severity"] for event in desk.events()] == ["debug", "info", "warning", "error", "fatal", "warning"]
    assert (totals.warnings, totals.errors) == (2, 1)


def test_a_warning_that_is_the_same_for_each_file_comes_once(desk: Desk) -> None:
    for _ in range(3):
        desk.context.messages.warn_once("signatures could not be checked")
        desk.context.messages.warn_once("")
    assert desk.texts() == ["signatures could not be checked"]


def test_the_first_entries_of_a_cause_are_named_and_the_others_counted(desk: Desk) -> None:
    messages, totals = desk.context.messages, desk.context.counters.totals
    for number in range(5):
        error = ItemError(b"/r/%d" % number, f"agent filesystem 1.0: create /r/{number}: Read-only file system")
        messages.entry_error(error, str(error))
        messages.about_entry(
            Severity.WARNING, f"agent a: /{number}: {number},000 bytes were announced and {number} came"
        )
    messages.about_entry(Severity.ERROR, "agent a: Cannot open /x: Permission denied")
    messages.counted()
    messages.counted()
    events = desk.events()
    said = {
        weight: [str(e["text"]) for e in events if e["severity"] == weight] for weight in ("error", "warning", "debug")
    }
    assert [text.rpartition(": ")[0] for text in said["error"]] == [
        *(f"/r/{number}: agent filesystem 1.0: create /r/{number}" for number in range(3)),
        "agent a: Cannot open /x",
        "2 more of the same kind",
    ]
    assert said["error"][-1] == "2 more of the same kind: Read-only file system"
    assert said["warning"][3:] == ["2 more of the same kind: 0,000 bytes were announced and 0 came"]
    assert len(said["debug"]) == 4
    assert (totals.errors, totals.warnings) == (6, 5)


def test_of_wrong_keys_the_first_files_are_named_and_of_damage_all(desk: Desk) -> None:
    for number in range(1, 6):
        for error in (KeysError("give the key", 23, number), StreamError("its digest differs", 40, number)):
            desk.context.messages.entry_error(error, f"/{number}: {error}")
    desk.context.messages.counted()
    said = [str(event["text"]) for event in desk.events() if event["severity"] == "error"]
    assert sum("its digest differs" in text for text in said) == 5
    assert said[-1] == "2 more of the same kind: give the key"


def test_any_number_of_causes_is_told_in_bounded_memory(desk: Desk) -> None:
    for number in range(MAX_CAUSES + 10):
        desk.context.messages.about_entry(Severity.ERROR, f"/x: cause {'a' * number}")
        desk.events()
    assert desk.context.counters.totals.errors == MAX_CAUSES + 10


def test_a_message_that_nobody_reads_any_more_is_no_fault_of_the_job(desk: Desk) -> None:
    """The parent is gone; what ends the Job is its cancel pipe, as canceled."""
    desk.sock.close()
    desk.context.messages.error("unheard")
    assert desk.context.counters.totals.errors == 1


def test_the_parent_learns_job_and_level_and_each_outcome_has_them(desk: Desk) -> None:
    desk.context.parent.started(7, "Full")
    assert desk.events() == [{"event": "started", "jobid": 7, "level": "Full"}]
    outcome = desk.context.ended(JobStatus.OK, volumes=("Vol-0001",))
    assert (outcome.jobid, outcome.level, outcome.volumes) == (7, "Full", ("Vol-0001",))


def test_a_commit_is_told_at_once_as_the_outcome_it_stands_for(desk: Desk) -> None:
    parent = desk.context.parent
    assert parent.committed is None
    outcome = desk.context.ended(JobStatus.OK)
    parent.commit(outcome)
    (event,) = desk.events()
    assert event["event"] == "sealed"
    assert event["status"] == "T"
    assert parent.committed is outcome


def test_the_parents_events_come_one_by_one_however_they_arrive(desk: Desk) -> None:
    desk.sock.sendall(b'{"event":"again"}\n{"event":')
    assert desk.context.parent.receive() == {"event": "again"}
    desk.sock.sendall(b'"done"}\n')
    assert desk.context.parent.receive() == {"event": "done"}


def test_a_wait_for_the_parent_ends_with_a_cancel_and_with_the_parent(desk: Desk) -> None:
    desk.sock.shutdown(socket.SHUT_WR)
    with pytest.raises(JobCanceled, match="nobody waits"):
        desk.context.parent.receive()
    os.write(desk.ring, b"c")
    with pytest.raises(JobCanceled, match="canceled"):
        desk.context.parent.receive()


def test_counters_are_on_the_page_that_the_parent_reads_once_they_are_shown(desk: Desk) -> None:
    counters, page = desk.context.counters, desk.context.status_page
    counters.files(3)
    counters.read(1000)
    counters.encoded(700)
    counters.failed()
    counters.expected_bytes = 5000
    assert page.counters.files == 0
    counters.show()
    seen = page.counters
    assert (seen.files, seen.bytes_read, seen.bytes_written, seen.errors, seen.bytes_expected) == (
        3,
        1000,
        700,
        1,
        5000,
    )


def test_a_cancel_sets_the_word_and_wakes_what_blocks(desk: Desk) -> None:
    cancellation, sleepers = desk.context.cancellation, (Sleeper(), Sleeper())
    for sleeper in sleepers:
        cancellation.on_cancel(sleeper)
    cancellation.check()
    cancellation.cancel()
    assert desk.context.status_page.cancel == Cancel.ASKED
    assert [sleeper.woken for sleeper in sleepers] == [1, 1]
    with pytest.raises(JobCanceled):
        cancellation.check()


def test_what_ended_before_a_cancel_is_not_woken(desk: Desk) -> None:
    ended = Sleeper()
    desk.context.cancellation.on_cancel(ended)
    desk.context.cancellation.ended_before(ended)
    desk.context.cancellation.cancel()
    assert ended.woken == 0


def test_what_begins_to_block_after_the_cancel_is_woken_too(desk: Desk) -> None:
    desk.context.cancellation.cancel()
    late = Sleeper()
    desk.context.cancellation.on_cancel(late)
    assert late.woken == 1
