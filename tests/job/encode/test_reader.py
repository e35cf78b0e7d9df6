"""Streams of agents pulled to their end: of whole Jobs, since a stream belongs to a running agent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from filed.job.encode.buffers import BUFFER_BYTES, BUFFERS
from filed.job.encode.reader import MAX_OBJECT_BYTES
from filed.process.outcome import JobStatus
from tests.system_agents.jobs import Place, Ran, line
from tests.system_agents.plan import ROOT, Item, write_plan


def of_object(jobs: Place, tmp_path: Path, content: str, streams: str) -> Ran:
    plan = write_plan(tmp_path / "plan", Item("/@TRACE/config", content, kind="o"), ROOT)
    return jobs.backup(line("trace", plan=plan, streams=streams), files=[b"/@TRACE"])


def test_a_file_of_more_than_all_buffers_comes_back_whole(jobs: Place, tmp_path: Path) -> None:
    size = BUFFER_BYTES * (BUFFERS + 3) + 17
    (tmp_path / "file").write_bytes(bytes(range(256)) * (size // 256) + b"x" * (size % 256))
    ran = jobs.backup(line("filesystem"), files=[os.fsencode(tmp_path / "file")])
    assert ran.outcome.totals.read_bytes == size
    done = jobs.restore(ran.outcome.jobid, tmp_path / "to")
    assert done.outcome.status is JobStatus.OK
    restored = tmp_path / "to" / (tmp_path / "file").relative_to("/")
    assert restored.read_bytes() == (tmp_path / "file").read_bytes()


@pytest.mark.parametrize("streams", ["no", "yes"])
def test_a_restore_object_is_counted_once_however_it_came(jobs: Place, tmp_path: Path, streams: str) -> None:
    ran = of_object(jobs, tmp_path, "[settings]", streams)
    assert ran.outcome.status is JobStatus.OK
    assert ran.outcome.totals.read_bytes == len("[settings]")


@pytest.mark.parametrize(("over", "status"), [(0, JobStatus.OK), (1, JobStatus.WARNINGS)])
def test_a_restore_object_may_be_as_long_as_a_state(jobs: Place, tmp_path: Path, over: int, status: JobStatus) -> None:
    ran = of_object(jobs, tmp_path, "x" * (MAX_OBJECT_BYTES + over), "yes")
    assert ran.outcome.status is status, ran.messages
