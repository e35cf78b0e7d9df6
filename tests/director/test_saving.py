from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from filed.job.description import EstimateJob, JobDescription, ListMeaning, NetworkBackup
from filed.process.outcome import JobStatus, Outcome, Severity, Totals
from filed.wire import reply
from filed.wire.frame import Signal
from filed.wire.reply import EndJob
from tests.director.visiting import FILESET, OnEvent, Told, Visiting, prepared


def test_a_backup_of_nothing_is_refused(tmp_path: Path) -> None:
    with Visiting(tmp_path) as talk:
        talk.name(7)
        talk.say(b"backup FileIndex=0\n")
        *_, bad, end = talk.rest()
        assert bad == reply.BAD_BACKUP
        assert end == EndJob("f", errors=1).format()
    assert talk.house.jobs == []


def test_an_estimate_lists_and_counts(tmp_path: Path) -> None:
    def work(_job: JobDescription, on_event: OnEvent, _wanted: Callable[[], bool]) -> Outcome:
        on_event({"event": "listing", "lines": ["-rw a", "-rw b"]}, Told())
        return Outcome(JobStatus.OK, Totals(files=2, job_bytes=1234))

    with Visiting(tmp_path, work) as talk:
        talk.name()
        talk.say(b"level = full  mtime_only=0 \n", *FILESET, b"estimate listing=1\n")
        talk.until(reply.OK_FILESET)
        assert talk.until(Signal.EOD) == [b"-rw a\n", b"-rw b\n", b"2000 OK estimate files=2 bytes=1,234\n"]
        talk.say(Signal.TERMINATE)
    (job,) = talk.house.jobs
    assert isinstance(job, EstimateJob)
    assert job.listing


def test_what_an_estimate_has_to_say_is_a_line_that_a_console_can_show(tmp_path: Path) -> None:
    def work(_job: JobDescription, on_event: OnEvent, _wanted: Callable[[], bool]) -> Outcome:
        for severity in Severity.INFO, Severity.WARNING, Severity.ERROR:
            on_event({"event": "message", "severity": severity.value, "text": "/a: is not there"}, Told())
        return Outcome(JobStatus.FATAL, Totals(), text="the agent is gone")

    with Visiting(tmp_path, work) as talk:
        talk.name()
        talk.say(b"level = full  mtime_only=0 \n", *FILESET, b"estimate listing=1\n")
        talk.until(reply.OK_FILESET)
        assert talk.until(Signal.EOD) == [
            b"Warning: /a: is not there\n",
            b"Error: /a: is not there\n",
            b"Error: the agent is gone\n",
            b"2000 OK estimate files=0 bytes=0\n",
        ]
        talk.say(Signal.TERMINATE)


def test_what_a_director_is_told_a_number_of_is_named_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def work(_job: JobDescription, on_event: OnEvent, _wanted: Callable[[], bool]) -> Outcome:
        on_event({"event": "message", "severity": Severity.DEBUG.value, "text": "/a: Permission denied"}, Told())
        return Outcome(JobStatus.OK, Totals())

    with caplog.at_level(logging.DEBUG, "filed"), Visiting(tmp_path, work) as talk:
        prepared(talk)
        talk.say(b"backup FileIndex=0\n")
        talk.until(reply.OK_BACKUP)
        assert len(talk.rest()) == 1
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("DEBUG", "/a: Permission denied")
    ]


def test_what_is_to_say_of_a_fileset_waits_for_the_listing(tmp_path: Path) -> None:
    """A Director takes any packet behind its FileSet for the answer, and gives up."""
    with Visiting(tmp_path, lambda *_: Outcome(JobStatus.OK, Totals())) as talk:
        talk.name()
        lines = b"fileset\n", b"I\n", b"O d1\n", b"N\n", b"F /a\n", b"N\n"
        talk.say(b"level = full  mtime_only=0 \n")
        assert talk.text() == reply.OK_LEVEL
        talk.say(*lines, Signal.EOD)
        assert talk.text() == reply.OK_FILESET
        talk.say(b"estimate listing=1\n")
        dedup, _ = talk.until(Signal.EOD)
        assert dedup.startswith(b"Warning: FileSet: Dedup"), dedup
        talk.say(Signal.TERMINATE)


def test_a_full_with_a_list_is_upon_base_jobs(tmp_path: Path) -> None:
    with Visiting(tmp_path) as talk:
        prepared(talk)
        talk.say(b"accurate files=1\n", b"/a\0stat", Signal.EOD, b"backup FileIndex=0\n")
        talk.rest()
    (job,) = talk.house.jobs
    assert isinstance(job, NetworkBackup)
    assert (job.changes.meaning, job.changes.sent) == (ListMeaning.BASE, 0)


def test_an_incomplete_full_is_gone_on_with(tmp_path: Path) -> None:
    with Visiting(tmp_path) as talk:
        prepared(talk, b"full rerunning")
        talk.say(b"accurate files=3\n", b"/a\0stat", Signal.EOD, b"backup FileIndex=3\n")
        talk.rest()
    (job,) = talk.house.jobs
    assert isinstance(job, NetworkBackup)
    assert (job.changes.meaning, job.changes.sent) == (ListMeaning.SENT, 3)


def test_an_incomplete_job_without_a_list_is_refused_with_the_reason(tmp_path: Path) -> None:
    with Visiting(tmp_path) as talk:
        prepared(talk, b"full rerunning")
        talk.say(b"backup FileIndex=3\n")
        fatal, bad, _end = talk.rest()
    assert isinstance(fatal, bytes)
    assert b"sent no list of files already saved" in fatal
    assert bad == reply.BAD_BACKUP
    assert talk.house.jobs == []
