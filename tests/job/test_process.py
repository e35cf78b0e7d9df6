"""The inside of a job process, from its parent's side of the fork; whole Jobs are in tests/system_agents."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from filed.catalog import Level
from filed.fileset import FileSet, Include
from filed.job.description import BackupJob, RestoreJob
from filed.job.process import BROKEN, Ends, serve
from filed.process.backtrace import Backtrace
from filed.process.capture import Capture
from filed.process.channel import Receiver
from filed.process.status_page import StatusPage
from tests.system_agents.jobs import Place, line


class Child:
    """A job process with nobody who supervises it."""

    def __init__(self, description, *, deaf: bool = False, ring: bool = False, gone: bool = False) -> None:
        ours, theirs = socket.socketpair()
        cancel_pipe, ring_end = os.pipe()
        self.capture, backtrace = Capture(), Backtrace()
        if deaf:
            ours.close()
        if ring:
            os.write(ring_end, b"c")
        if gone:
            os.close(ring_end)
        self.pid = os.fork()
        if self.pid == 0:
            serve(description, Ends(theirs, cancel_pipe, self.capture, backtrace), StatusPage(), 60)
        theirs.close()
        os.close(cancel_pipe)
        self.status = os.waitpid(self.pid, 0)[1]
        self.printed = self.capture.lines(final=True)
        self.events = []
        if not deaf:
            data = b"".join(iter(lambda: ours.recv(65536), b""))
            self.events = list(Receiver().feed(data))
            ours.close()
        if not gone:
            os.close(ring_end)
        self.capture.close()
        backtrace.close()

    @property
    def code(self) -> int:
        return os.waitstatus_to_exitcode(self.status)


@pytest.fixture
def good(jobs: Place) -> BackupJob:
    fileset = FileSet(includes=(Include(files=(b"/@GOOD",)),))
    return BackupJob(jobs.volumes, "J", "c", Level.FULL, fileset, jobs.setup(line("good")))


def test_a_job_reports_its_start_its_seal_and_its_end_and_leaves_with_0(good: BackupJob) -> None:
    child = Child(good)
    assert child.code == 0
    kinds = [event["event"] for event in child.events if event["event"] != "message"]
    assert kinds == ["started", "sealed", "outcome"]
    assert child.events[-1]["status"] == "T"
    assert child.printed == []


def test_a_job_that_fails_is_an_outcome_and_no_crash(jobs: Place) -> None:
    child = Child(RestoreJob(jobs.volumes, 1, Path("/nowhere"), jobs.setup(line("good"))))
    assert child.code == 0
    assert child.events[-1]["status"] == "f"
    assert str(jobs.volumes) in child.events[-1]["text"]


def test_a_bell_that_rang_before_is_heard(good: BackupJob) -> None:
    outcome = Child(good, ring=True).events[-1]
    assert outcome["status"] in ("A", "T")  # a Job of a few milliseconds may be sealed before the thread wakes


def test_who_cannot_report_leaves_with_a_code_of_its_own_and_says_why(good: BackupJob) -> None:
    child = Child(good, deaf=True)
    assert child.code == BROKEN
    assert child.printed[-1].startswith("BrokenPipeError")


def test_without_a_parent_it_ends_its_group_instead_of_leaving(good: BackupJob) -> None:
    assert Child(good, deaf=True, gone=True).code == -9


def in_child(work: Callable[[int], object]) -> str:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            text = str(work(writer))
        except BaseException as error:
            text = repr(error)
        os.write(writer, text.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        text = answer.read().decode()
    os.waitpid(pid, 0)
    return text


def test_inherited_descriptors_become_the_null_device_and_keep_their_numbers(tmp_path: Path) -> None:
    from filed.job import process

    with (tmp_path / "client").open("w") as held, (tmp_path / "kept").open("w") as kept:

        def work(answer: int) -> list[str]:
            process._let_go({1, 2, kept.fileno(), answer})
            links = [os.readlink(f"/proc/self/fd/{file.fileno()}") for file in (held, kept)]
            held.close()  # the parent's object goes: what it closes is its own
            return links

        assert in_child(work) == str(["/dev/null", str(tmp_path / "kept")])


def test_memory_that_was_freed_is_used_again_without_page_faults():
    """In a process of its own: what is kept, is kept for good."""
    code = (
        "import resource, sys\n"
        "from filed.job.process import _keep_memory\n"
        "if sys.argv[1] == 'kept': _keep_memory()\n"
        "faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "def churn():\n"
        "    for _ in range(200): [bytes(300_000) for _ in range(4)]\n"
        "churn(); before = faults(); churn(); print(faults() - before)\n"
    )
    kept, lost = (
        int(subprocess.run([sys.executable, "-c", code, how], capture_output=True, check=True, text=True).stdout)
        for how in ("kept", "lost")
    )
    assert kept < 100
    assert lost > kept


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
