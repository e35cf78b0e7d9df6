from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from filed.daemon.registry import KEPT, ClientProcess, EndedJobs, may_begin, one_too_many, state_path
from filed.director.daemon_api import Ending
from filed.director.status import EndedJob, RunningJob
from filed.process.status_page import Counters, StatusPage
from filed.process.system import Process
from tests.full_disk import no_file_above


def ended(job_id: int) -> EndedJob:
    return EndedJob(job_id, "Save", "F", "B", 1, 2, 0, "T", 1000.5)


def test_the_last_jobs_are_kept_on_the_disk(tmp_path: Path) -> None:
    path = state_path(tmp_path, "a/fd")
    jobs = EndedJobs(path)
    for job_id in range(KEPT + 5):
        jobs.add(ended(job_id))
    assert [job.job_id for job in EndedJobs(path)] == list(range(5, KEPT + 5))
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_keeps_what_was_kept_and_is_not_filled_further(tmp_path: Path) -> None:
    path = state_path(tmp_path, "a-fd")
    jobs = EndedJobs(path)
    jobs.add(ended(1))
    with no_file_above(100):
        jobs.add(ended(2))
    assert [job.job_id for job in jobs] == [1, 2]
    assert [job.job_id for job in EndedJobs(path)] == [1]
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_of_something_else_is_no_reason_not_to_start(tmp_path: Path) -> None:
    path = state_path(tmp_path, "a-fd")
    for content in ("nonsense", "[1]", "{}"):
        path.write_text(content)
        assert list(EndedJobs(path)) == []


def test_a_client_is_seen_with_the_counters_of_now() -> None:
    ours, theirs = socket.socketpair()
    cancel_pipe, ring = os.pipe()
    client = ClientProcess("somewhere", Process(os.getpid()), ours, ring, ours, StatusPage())
    assert client.running() is None
    client.job = RunningJob(7, "Save.1", "a-dir", 1000)
    client.status_page.count(Counters(files=3, bytes_read=4, bytes_written=2))
    running = client.running()
    assert running is not None
    assert (running.files, running.read_bytes, running.job_bytes) == (3, 4, 2)
    client.ring(Ending.STOP)
    assert os.read(cancel_pipe, 10) == b"s"
    client.close()
    theirs.close()
    os.close(cancel_pipe)


@pytest.fixture
def clients() -> Iterator[list[ClientProcess]]:
    """Ten, the oldest first, of which the even ones call from "near"."""
    with ExitStack() as stack:
        made = []
        for number in range(10):
            ours, theirs = socket.socketpair()
            stack.enter_context(theirs)
            cancel_pipe, ring = os.pipe()
            stack.callback(os.close, cancel_pipe)
            client = ClientProcess(
                "far" if number % 2 else "near", Process(os.getpid()), ours, ring, ours, StatusPage()
            )
            stack.callback(client.close)
            made.append(client)
        yield made


def test_jobs_begin_in_their_order_as_many_as_may(clients: list[ClientProcess]) -> None:
    for number, client in enumerate(clients[1:], 1):  # the first is no Job's
        client.job = RunningJob(number, f"Save.{number}", "a-dir", 1000)
    assert [may_begin(clients, client, 3) for client in clients[1:6]] == [True, True, True, False, False]
    for client in clients[1:4]:
        client.begun = True
    assert not may_begin(clients, clients[4], 3)
    assert may_begin(clients, clients[1], 3), "it did already"
    clients[2].job = None  # it ended
    assert [may_begin(clients, client, 3) for client in clients[4:6]] == [True, False]


def test_who_calls_most_and_says_nothing_goes_first(clients: list[ClientProcess]) -> None:
    assert one_too_many(clients, 11) is None
    clients[0].authenticated = True
    assert one_too_many(clients, 9) is clients[1], "the oldest of five from far; there are four from near"
    for number in (1, 3):
        clients[number].dismissed = True
    assert one_too_many(clients, 9) is None
    assert one_too_many(clients, 7) is clients[2]
