from __future__ import annotations

from pathlib import Path

import pytest

from filed.director.daemon_api import Ending
from filed.job.description import Level, NetworkBackup
from filed.process.outcome import JobStatus, Outcome, Totals
from filed.wire import reply
from filed.wire.reply import EndJob, parse_end_job
from tests.director.visiting import Visiting, prepared


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


@pytest.mark.parametrize("status", [JobStatus.CANCELED, JobStatus.FATAL])
def test_a_job_that_is_stopped_is_incomplete(tmp_path: Path, status: JobStatus) -> None:
    """Fatal where the Storage Daemon, which its Director stops as well, has hung up first."""
    ended = Outcome(status, Totals(), text="why")
    with Visiting(tmp_path, lambda _job, _on_event, _wanted: ended) as talk:
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


def test_a_storage_daemon_is_called_at_once_and_left_by_a_job_that_ends_early(tmp_path: Path) -> None:
    """A Director of 15 waits for it, two minutes long."""
    with Visiting(tmp_path) as talk:
        prepared(talk)
        assert talk.house.called == [("Save.2026-11-23_10.14.28_03", "KEY")]
        talk.say(b"RunBeforeJob /bin/false\n")
        assert talk.rest()[-1].startswith(b"2800 End Job TermCode=69")  # type: ignore[union-attr]
    assert talk.house.called[1:] == ["leave"]
