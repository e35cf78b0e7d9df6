from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from filed.director.daemon_api import Ending
from filed.job.description import JobDescription, Level, NetworkBackup
from filed.process.outcome import JobStatus, Outcome, Totals
from filed.wire import reply
from filed.wire.reply import EndJob, parse_end_job
from tests.director.visiting import OnEvent, Told, Visiting, prepared


def test_a_full_runs_and_is_told_of(tmp_path: Path) -> None:
    with Visiting(tmp_path) as talk:
        prepared(talk)
        talk.say(b"backup FileIndex=0\n")
        assert talk.text() == reply.OK_BACKUP
        (end,) = talk.rest()
        assert end == EndJob("T", 4, 10, 5).format()
    (job,) = talk.house.jobs
    assert isinstance(job, NetworkBackup)
    assert (job.level, job.fileset.includes[0].files, job.storage.key) == (Level.FULL, (b"/a",), "KEY")
    assert [(ended.job_id, ended.name, ended.files) for ended in talk.house.over] == [(7, "Save", 4)]


def test_nonsense_is_told_without_the_key_in_it(tmp_path: Path) -> None:
    with Visiting(tmp_path) as talk:
        talk.name(7)
        talk.say(b"storage address=192.0.2.5 port=9103 ssl=none Authorization=SECRET-KEY\n")
        talk.rest()
    (job,) = talk.house.over
    assert (
        "unexpected command from Director: b'storage address=192.0.2.5 port=9103 ssl=none Authorization=...\\n'"
        in job.text
    )


def test_a_director_that_hangs_up_is_a_lost_connection(tmp_path: Path) -> None:
    with Visiting(tmp_path) as talk:
        prepared(talk)
    assert talk.error is not None
    assert [job.status for job in talk.house.over] == ["E"]


def test_a_job_that_is_stopped_is_incomplete(tmp_path: Path) -> None:
    canceled = Outcome(JobStatus.CANCELED, Totals(), text="canceled")
    with Visiting(tmp_path, lambda _job, _on_event, _wanted: canceled) as talk:
        prepared(talk)
        talk.house.ending = Ending.STOP
        talk.say(b"backup FileIndex=0\n")
        talk.until(reply.OK_BACKUP)
        said, end = talk.rest()
    assert isinstance(said, bytes)
    assert b"can be restarted" in said
    assert isinstance(end, bytes)
    assert parse_end_job(end).term_code == "I"
    assert [job.status for job in talk.house.over] == ["I"]


@pytest.mark.parametrize(("ending", "status"), [(Ending.CANCEL, "A"), (Ending.NO, "f")])
def test_a_job_whose_storage_daemon_is_canceled_first_is_canceled(tmp_path: Path, ending: Ending, status: str) -> None:
    lost = Outcome(JobStatus.FATAL, Totals(errors=1), text="connection to Storage Daemon lost")
    with Visiting(tmp_path, lambda _job, _on_event, _wanted: lost) as talk:
        prepared(talk)
        talk.house.ending = ending
        talk.say(b"backup FileIndex=0\n")
        talk.until(reply.OK_BACKUP)
        end = talk.rest()[-1]
    assert isinstance(end, bytes)
    assert parse_end_job(end).term_code == status
    assert [job.status for job in talk.house.over] == [status]


@pytest.mark.parametrize(("number", "released"), [(10_002, True), (103, False)])
def test_a_storage_daemon_is_called_for_a_job_that_ends_before_it_did(
    tmp_path: Path, number: int, *, released: bool
) -> None:
    """A Director of 15 waits for it, two minutes long."""
    with Visiting(tmp_path, number=number) as talk:
        prepared(talk)
        talk.say(b"RunBeforeJob /bin/false\n")
        assert talk.rest()[-1].startswith(b"2800 End Job TermCode=69")  # type: ignore[union-attr]
    assert (("release", "Save.2026-11-23_10.14.28_03", "KEY") in talk.house.asked) is released


def test_a_storage_daemon_that_the_job_has_called_is_not_called_again(tmp_path: Path) -> None:
    def work(_job: JobDescription, on_event: OnEvent, _wanted: Callable[[], bool]) -> Outcome:
        on_event({"event": "storage called"}, Told())
        return Outcome(JobStatus.FATAL, Totals(errors=1), text="no Volume")

    with Visiting(tmp_path, work, number=10_002) as talk:
        prepared(talk)
        talk.say(b"backup FileIndex=0\n")
        talk.rest()
    assert talk.house.asked == []
