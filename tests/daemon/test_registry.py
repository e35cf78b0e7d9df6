from __future__ import annotations

import os
import socket
from pathlib import Path

from filed.agents.pulse import Counters, Pulse
from filed.daemon.registry import KEPT, EndedJobs, Visit, state_path
from filed.director.house import Ending
from filed.director.status import EndedJob, RunningJob


def ended(job_id: int) -> EndedJob:
    return EndedJob(job_id, "Save", "F", "B", 1, 2, 0, "T", 1000.5)


def test_the_last_jobs_are_kept_on_the_disk(tmp_path: Path) -> None:
    path = state_path(tmp_path, "a/fd")
    jobs = EndedJobs(path)
    for job_id in range(KEPT + 5):
        jobs.add(ended(job_id))
    assert [job.job_id for job in EndedJobs(path)] == list(range(5, KEPT + 5))
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_of_something_else_is_no_reason_not_to_start(tmp_path: Path) -> None:
    path = state_path(tmp_path, "a-fd")
    for content in ("nonsense", "[1]", "{}"):
        path.write_text(content)
        assert list(EndedJobs(path)) == []


def test_a_visit_is_seen_with_the_counters_of_now() -> None:
    ours, theirs = socket.socketpair()
    bell, ring = os.pipe()
    visit = Visit(1, ours, ring, Pulse(), "somewhere")
    assert visit.running() is None
    visit.job = RunningJob(7, "Save.1", "a-dir", 1000)
    visit.pulse.count(Counters(files=3, bytes_read=4, bytes_written=2))
    running = visit.running()
    assert running is not None
    assert (running.files, running.read_bytes, running.job_bytes) == (3, 4, 2)
    visit.ring(Ending.STOP)
    assert os.read(bell, 10) == b"s"
    visit.close()
    theirs.close()
    os.close(bell)
