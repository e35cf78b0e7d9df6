"""The module of Windows, in a Windows Python: children in trees, files, locks, bells."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from filed.process import system
from filed.process.outcome import JobStatus, Outcome
from filed.process.supervisor import Supervisor
from filed.process.task import Task

WITHIN_S = 60.0

assert sys.platform == "win32"


def child(request: bytes, postmortems: Path, *, kill_after_s: float = 60) -> Supervisor:
    task = Task("tests.process.program", request, kill_after_s)
    return Supervisor(task, silent_s=60, postmortems=postmortems)


def outcome_of(request: bytes, postmortems: Path) -> tuple[Outcome, list[object]]:
    events: list[object] = []
    with child(request, postmortems) as process:
        return process.run(events.append, lambda: None), events


def gone(pid: int) -> bool:
    until = time.monotonic() + WITHIN_S
    while system.exists(pid) and time.monotonic() < until:
        time.sleep(0.01)
    return not system.exists(pid)


def test_a_request_reaches_a_child_and_its_outcome_comes_back(tmp_path: Path) -> None:
    outcome, events = outcome_of(b"repeat \xff\0", tmp_path)
    assert outcome.status is JobStatus.OK, outcome
    assert {"event": "message", "severity": "info", "text": "ff00"} in events


def test_a_child_that_leaves_is_reported_with_its_code(tmp_path: Path) -> None:
    outcome, _ = outcome_of(b"exit 7", tmp_path)
    assert outcome.text == "the job process called exit(7), outside of any agent"


def test_a_crash_is_reported_by_the_name_of_its_exception_and_printed_words_are_kept(tmp_path: Path) -> None:
    outcome, events = outcome_of(b"crash", tmp_path)
    assert outcome.text.startswith("the job process crashed (access violation), outside of any agent"), outcome
    printed = [event["text"] for event in events if isinstance(event, dict)]
    assert any("last words of C" in str(text) for text in printed), printed


def test_a_cancel_reaches_a_child_that_waits(tmp_path: Path) -> None:
    with child(b"wait", tmp_path) as process:
        process.cancel()
        assert process.run(lambda _event: None, lambda: None).status is JobStatus.CANCELED


def test_a_deaf_child_is_killed_with_what_it_started(tmp_path: Path) -> None:
    told: list[int] = []
    with child(b"start", tmp_path, kill_after_s=0) as process:

        def listen(event: object) -> None:
            assert isinstance(event, dict)
            told.append(int(event["text"]))
            process.cancel()

        outcome = process.run(listen, lambda: None)
    assert outcome.status is JobStatus.CANCELED, outcome
    assert gone(told[0])


def test_a_child_whose_parent_is_killed_ends_with_what_it_started(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-X", "utf8", "-m", "tests.process.parent", str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout is not None
        child_pid, grandchild = (int(parent.stdout.readline()) for _ in range(2))
        parent.kill()
    assert gone(child_pid)
    assert gone(grandchild)


def test_a_process_is_known_by_its_number_and_its_start() -> None:
    ours = system.start_of(os.getpid())
    assert ours
    assert system.exists(os.getpid())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        assert system.exists(other.pid), "to ask does not end it"
        assert other.poll() is None
        assert (system.start_of(other.pid) or 0) > ours
    assert not system.exists(other.pid)
    assert system.start_of(other.pid) is None
    assert system.this_machine().endswith(" windows")
    assert system.resident_bytes() > 1 << 20


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    descriptor = system.open_file(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    yield descriptor
    os.close(descriptor)


def test_bytes_are_read_and_written_at_their_place_as_they_are(file: int) -> None:
    assert system.write_at(file, memoryview(b"a\r\n\x1a\n"), 1 << 32) == 5
    assert system.read_at(file, 100, (1 << 32) + 1) == b"\r\n\x1a\n"
    assert system.read_at(file, 4, 0) == bytes(4)
    assert system.read_at(file, 4, 1 << 40) == b""


def test_an_open_file_can_be_removed_and_another_made_in_its_place(tmp_path: Path, file: int) -> None:
    system.write_at(file, b"old", 0)
    (tmp_path / "file").rename(tmp_path / "other")
    (tmp_path / "file").write_bytes(b"new")
    assert system.read_at(file, 3, 0) == b"old"


def test_a_lock_keeps_others_out_and_lets_them_read(tmp_path: Path, file: int) -> None:
    system.write_at(file, b"x", 0)
    system.lock_file(file, wait=False)
    other = system.open_file(tmp_path / "file", os.O_RDWR)
    with pytest.raises(BlockingIOError):
        system.lock_file(other, wait=False)
    with pytest.raises(BlockingIOError):
        system.lock_file(other, wait=False, shared=True)
    assert system.read_at(other, 1, 0) == b"x"
    os.close(other)


def test_two_may_share_a_lock(tmp_path: Path, file: int) -> None:
    other = system.open_file(tmp_path / "file", os.O_RDWR)
    system.lock_file(file, wait=False, shared=True)
    system.lock_file(other, wait=False, shared=True)
    os.close(other)


def test_a_path_may_be_long_and_beyond_the_code_page(tmp_path: Path) -> None:
    deep = tmp_path / "\N{SNOWMAN}ж" / ("d" * 200) / ("e" * 200)
    os.makedirs(system.native(deep))
    descriptor = system.open_file(deep / "file", os.O_RDWR | os.O_CREAT | os.O_EXCL)
    os.close(descriptor)
    with pytest.raises(FileExistsError):
        system.open_file(deep / "file", os.O_RDWR | os.O_CREAT | os.O_EXCL)
    with pytest.raises(FileNotFoundError):
        system.open_file(deep / "none")


def test_a_memory_file_goes_with_its_descriptor() -> None:
    descriptor = system.memory_file("x")
    os.write(descriptor, b"\n")
    assert system.read_at(descriptor, 9, 0) == b"\n"
    os.close(descriptor)


def test_a_bell_is_heard_beside_a_socket_and_when_its_other_end_is_gone() -> None:
    heard, rung = system.bell()
    ours, theirs = socket.socketpair()
    assert system.readable(heard, ours.fileno(), timeout_s=0) == set()
    theirs.send(b"x")
    assert system.readable(heard, ours.fileno(), timeout_s=WITHIN_S) == {ours.fileno()}
    system.ring(rung, b"c")
    assert heard in system.readable(heard, timeout_s=WITHIN_S)
    ours.recv(1)
    system.close_bell(rung)
    poll = system.Poll()
    poll.register(heard, system.READ)
    poll.register(ours.fileno(), system.WRITE)
    assert dict(poll.poll(1000)) == {heard: system.READ, ours.fileno(): system.WRITE}
    system.close_bell(heard)
    ours.close()
    theirs.close()
