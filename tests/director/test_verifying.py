from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from filed.job.description import JobDescription, NetworkVerify, VerifyLevel
from filed.process.outcome import JobStatus, Outcome, Totals
from filed.wire import reply
from filed.wire.frame import Signal
from filed.wire.reply import EndJob, parse_end_job
from tests.director.visiting import FILESET, STORAGE, OnEvent, Told, Visiting

LINES = ["1 1 V /a\0A\0\0", "1 3 digest *MD5-1*"]


def telling(_job: JobDescription, on_event: OnEvent, _wanted: Callable[[], bool]) -> Outcome:
    on_event({"event": "verify lines", "lines": [*LINES, "2800 End Job TermCode=84"]}, Told())
    return Outcome(JobStatus.OK, Totals(files=1, read_bytes=10))


def test_what_the_disk_has_is_told_up_to_the_end_of_data(tmp_path: Path) -> None:
    with Visiting(tmp_path, telling) as talk:
        talk.name(7)
        talk.say(*FILESET, b"verify level=disk_to_catalog\n")
        talk.until(reply.OK_VERIFY)
        told = talk.until(Signal.EOD)
        assert talk.rest() == [EndJob("T", 1, 10, 10).format()]
    assert told == [line.encode() for line in LINES], "and nothing else that a job process may want said"
    (job,) = talk.house.jobs
    assert isinstance(job, NetworkVerify)
    assert (job.level, job.storage) == (VerifyLevel.DISK, None)
    assert job.fileset is not None
    assert [(ended.type, ended.files) for ended in talk.house.over] == [("V", 1)]


def test_differences_have_their_own_end(tmp_path: Path) -> None:
    outcome = Outcome(JobStatus.DIFFERENCES, Totals(files=1))
    with Visiting(tmp_path, lambda _job, _on_event, _wanted: outcome) as talk:
        talk.name(7)
        talk.say(b"accurate files=1\n", b"/a\0stat", Signal.EOD, STORAGE, b"verify level=data\n")
        talk.until(Signal.EOD)
        (end,) = talk.rest()
        assert isinstance(end, bytes)
        assert parse_end_job(end).term_code == "D"
    (job,) = talk.house.jobs
    assert isinstance(job, NetworkVerify)
    assert job.accurate is not None
    assert job.storage is not None


@pytest.mark.parametrize(
    ("word", "why"), [(b"everything", b"level everything is not known"), (b"volume", b"needs a Storage Daemon")]
)
def test_a_verify_that_makes_no_sense_is_refused_with_the_reason(tmp_path: Path, word: bytes, why: bytes) -> None:
    with Visiting(tmp_path) as talk:
        talk.name(7)
        talk.say(b"verify level=%b\n" % word)
        fatal, bad, end = talk.rest()
    assert isinstance(fatal, bytes)
    assert b"Fatal error: verify: " in fatal
    assert why in fatal
    assert isinstance(bad, bytes)
    assert bad.startswith(b"2994 Bad verify command: ")
    assert isinstance(end, bytes)
    assert parse_end_job(end).term_code == "f"
    assert talk.house.jobs == []


def test_a_verify_of_the_disk_needs_a_fileset(tmp_path: Path) -> None:
    with Visiting(tmp_path) as talk:
        talk.name(7)
        talk.say(b"verify level=init\n")
        fatal, _end = talk.rest()
    assert isinstance(fatal, bytes)
    assert b"FileSet" in fatal
