from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from filed.catalog import Level
from filed.errors import VolumeError
from filed.fileset import FileSet, Include
from filed.job.context import JobContext
from filed.job.description import BackupJob, JobDescription, Places, RestoreJob
from filed.job.process import guarded, start_job
from filed.process.channel import Event
from filed.process.outcome import JobStatus, Outcome
from tests.job.conftest import Desk
from tests.system_agents.jobs import Place, line


def run(description: JobDescription) -> tuple[Outcome, list[Event]]:
    events: list[Event] = []
    with start_job(description) as process:
        return process.run(events.append, lambda: None), events


@pytest.fixture
def good(jobs: Place) -> BackupJob:
    fileset = FileSet(includes=(Include(files=(b"/@GOOD",)),))
    return BackupJob(Places.within(jobs.volumes), "J", "c", Level.FULL, fileset, jobs.setup(line("good")))


def test_a_job_reports_its_start_and_its_end(good: BackupJob) -> None:
    outcome, events = run(good)
    assert outcome.status is JobStatus.OK
    assert [event for event in events if event["event"] != "message"] == [
        {"event": "started", "jobid": 1, "level": "Full"}
    ]


def test_a_job_that_fails_is_an_outcome_and_no_crash(jobs: Place) -> None:
    outcome, _ = run(RestoreJob(Places.within(jobs.volumes), 1, Path("/nowhere"), jobs.setup(line("good"))))
    assert outcome.status is JobStatus.FATAL
    assert str(jobs.volumes) in outcome.text


@pytest.mark.parametrize(
    ("reason", "status", "text"),
    [
        ("", JobStatus.CANCELED, "canceled; the Volume is gone"),
        ("an agent hangs", JobStatus.FATAL, "the Volume is gone"),
    ],
)
def test_what_fails_because_of_a_cancel_is_canceled(desk: Desk, reason: str, status: JobStatus, text: str) -> None:
    def work(context: JobContext) -> Outcome:
        context.cancellation.cancel()
        context.status_page.set_reason(reason)
        raise VolumeError("the Volume is gone")

    outcome = guarded(work, desk.context)
    assert (outcome.status, outcome.text) == (status, text)


def test_what_is_loaded_ahead_leaves_a_network_job_nothing_to_load() -> None:
    code = (
        "import sys\n"
        "from filed.job.process import load_ahead\n"
        "load_ahead(keys=True); before = set(sys.modules)\n"
        "import filed.job.ends.director_backup, filed.job.ends.director_restore, filed.pipeline.der\n"
        "from filed.pipeline.digest import Digest\n"
        "Digest.XXH64.new()\n"
        "from cryptography import x509\n"
        "print(len(set(sys.modules) - before))\n"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout == "0\n"
