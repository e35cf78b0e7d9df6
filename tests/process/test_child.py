"""The inside of a child process, from its parent's side; whole Jobs are in tests/system_agents."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from filed.process import system
from filed.process.backtrace import Backtrace
from filed.process.capture import Capture
from filed.process.channel import Event, Receiver
from filed.process.child import BROKEN, Ends, serve
from filed.process.status_page import StatusPage
from filed.process.system import let_go
from filed.process.task import Task, send_task

PROGRAM = "tests.process.program"


class Child:
    """A child process with nobody who supervises it."""

    def __init__(self, request: bytes, *, deaf: bool = False, ring: bool = False, gone: bool = False) -> None:
        ours, theirs = socket.socketpair()
        cancel_pipe, ring_end = os.pipe()
        self.capture, backtrace = Capture(), Backtrace()
        send_task(ours, Task(PROGRAM, request, 60))
        if deaf:
            ours.close()
        if ring:
            os.write(ring_end, b"c")
        if gone:
            os.close(ring_end)
        ends = Ends(theirs, cancel_pipe, self.capture, backtrace, StatusPage())
        process = system.start(partial(serve, ends))
        theirs.close()
        os.close(cancel_pipe)
        self.code = process.wait()
        process.close()
        self.printed = self.capture.lines(final=True)
        self.events: list[Event] = []
        if not deaf:
            self.events = list(Receiver().feed(b"".join(iter(lambda: ours.recv(65536), b""))))
            ours.close()
        if not gone:
            os.close(ring_end)
        self.capture.close()
        backtrace.close()


def test_the_request_arrives_and_the_outcome_is_the_last_line() -> None:
    child = Child(b"repeat " + b"a\0\xff" * 100)
    assert child.code == 0
    assert [event["event"] for event in child.events] == ["message", "outcome"]
    assert child.events[0]["text"] == (b"a\0\xff" * 100).hex()
    assert child.printed == []


def test_a_cancel_from_before_its_start_reaches_it() -> None:
    assert Child(b"wait", ring=True).events[-1]["status"] == "A"


def test_who_cannot_report_leaves_with_a_code_of_its_own_and_says_why() -> None:
    child = Child(b"repeat", deaf=True)
    assert child.code == BROKEN
    assert child.printed[-1].startswith("BrokenPipeError")


def test_a_program_that_fails_leaves_with_that_code_too() -> None:
    child = Child(b"fail")
    assert child.code == BROKEN
    assert child.printed[-1] == "LookupError: nothing here"
    assert child.events == []


def test_without_a_parent_it_ends_its_group_instead_of_leaving() -> None:
    assert Child(b"repeat", deaf=True, gone=True).code == -9


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
    with (tmp_path / "client").open("w") as held, (tmp_path / "kept").open("w") as kept:

        def work(answer: int) -> list[str]:
            let_go({1, 2, kept.fileno(), answer})
            links = [os.readlink(f"/proc/self/fd/{file.fileno()}") for file in (held, kept)]
            held.close()  # the parent's object goes: what it closes is its own
            return links

        assert in_child(work) == str(["/dev/null", str(tmp_path / "kept")])


def test_memory_that_was_freed_is_used_again_without_page_faults() -> None:
    """In a process of its own: what is kept, is kept for good."""
    code = (
        "import resource, sys\n"
        "from filed.process.system import keep_memory\n"
        "if sys.argv[1] == 'kept': keep_memory()\n"
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
