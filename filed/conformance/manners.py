"""Checks of what an agent does to the process it is a guest in, and of what it leaves there."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from filed.agents import Outcome
from filed.agents.abi import MIN_READ_BYTES
from filed.conformance import restoring
from filed.conformance.loading import unknown_extension
from filed.conformance.room import Room, Skipped
from filed.conformance.walk import Reading, walk
from filed.process.status_page import Cancel
from filed.process.system import Process, memory_file, open_handles, readable, resident_bytes

_COPY = 71  # what the host's own copy exits with, when an agent's fork came back
_WARM, _WARM_S, _JOBS = (
    30,
    10.0,
    12,
)  # the first Jobs fill what malloc and Python keep for the next; as many as time allows
_BY_CHANCE = 2  # Jobs of these that may happen to leave nothing
_DYING_S = 0.5  # for a process that is about to end by itself
_PAGES_OF_A_LEAK = 64 << 10
if sys.platform != "win32":
    _TO_RESET = (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ)  # which exec does not
_libc = ctypes.CDLL("msvcrt" if sys.platform == "win32" else None)


class _Mallinfo2(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        )
    ]


def guest(room: Room) -> None:
    """Descriptors, threads, children, standard input: during a Job, and when it is over."""
    if sys.platform == "win32":
        raise Skipped("what a process has open and started is only looked at on Linux")
    bait = memory_file("standard-input")
    os.write(bait, b"nobody's words\n" * 100)
    os.lseek(bait, 0, os.SEEK_SET)
    os.dup2(bait, 0)
    tasks, descriptors = _tasks(), _descriptors()
    inheritable: set[str] = set()
    deaf: dict[str, str] = {}

    def look(_page: object) -> None:
        inheritable.update(_inheritable(_descriptors() - descriptors))

    def look_and_read() -> int:
        deaf.update(_commands_that_ignore_signals())
        return MIN_READ_BYTES

    with room.agent(quiet=True) as (agent, _):
        inheritable |= _inheritable(_descriptors() - descriptors)
        with room.begun(agent, room.why()) as job:
            for _ in walk(job, Reading(at_page=look, cap=look_and_read)):
                look(None)
            job.commit()
            job.end(Outcome.DONE)
        _processes(room, "when its Job has ended")
    if os.lseek(bait, 0, os.SEEK_CUR):
        room.failed("it reads from standard input, which is not its own", "next_entries")
    for command, signals in sorted(deaf.items()):
        room.failed(f"a command that it started, {command}, ignores {signals}, which it inherited", "open_stream")
    for target in sorted(inheritable):
        room.failed(f"a descriptor without O_CLOEXEC: commands of other agents inherit it ({target})")
    left = _descriptors() - descriptors
    if left:
        targets = ", ".join(sorted(filter(None, map(_target, left))))
        room.failed(f"{len(left)} descriptors are open when the agent is gone: {targets}", "destroy")
    if len(_tasks()) > len(tasks):
        room.failed(f"{len(_tasks() - tasks)} of its threads run on when the agent is gone", "destroy")


def leaks(room: Room) -> None:
    """The same Job again and again, a new instance each time: memory and descriptors do not grow."""
    _measure(room, partial(_a_job, room))


def leaks_of_restores(room: Room) -> None:
    """The same restore again and again."""
    with restoring.source(room) as (seen, spool):
        _measure(room, partial(restoring.bring_back, room, seen, spool, room.directory("again")))


def _measure(room: Room, work: Callable[[], object]) -> None:
    measures: dict[str, tuple[Callable[[], int], int]] = {
        "bytes of malloc": (_allocated, 1),
        "bytes of memory": (_resident, _PAGES_OF_A_LEAK),
        "descriptors": (open_handles, 1),
    }
    history: dict[str, list[int]] = {name: [] for name in measures}
    until = time.monotonic() + _WARM_S
    warm = 0
    while len(history["descriptors"]) <= _JOBS:
        work()
        room.library.kept.clear()  # tables of instances that are gone: ours, and no leak
        gc.collect()
        warm += 1
        if warm >= _WARM or time.monotonic() > until:
            for name, (measure, _) in measures.items():
                history[name].append(measure())
    for name, (_, least) in measures.items():
        steps = sorted(after - before for before, after in pairwise(history[name]))
        if steps[_BY_CHANCE] >= least:
            room.failed(f"{_JOBS} equal Jobs leave behind about {steps[_JOBS // 2]:,} {name} each", "end")
            return
    room.note(f"{_JOBS} equal Jobs: no growth of memory or descriptors")


def _a_job(room: Room) -> None:
    """Each call there is."""
    with room.agent(quiet=True) as (agent, _):
        unknown_extension(agent)
        agent.confirmed("Check.Older", b"", 0)
        with room.begun(agent, room.why()) as job:
            for _ in walk(job):
                pass
            job.commit()
            job.end(Outcome.DONE)
        with agent.begin(room.why()) as job:
            job.next_page()
            room.status_page.ask_cancel(Cancel.ASKED)
            job.cancel()
            job.end(Outcome.CANCELLED)
            room.status_page.halves[0] = Cancel.NO


def _allocated() -> int:
    """What malloc has given out: glibc's, or a sanitizer's in its place; 0 where it cannot say."""
    sanitizer = _of_program("__sanitizer_get_current_allocated_bytes")
    if sanitizer is not None:
        sanitizer.restype = ctypes.c_size_t
        return int(sanitizer())
    mallinfo2 = _of_program("mallinfo2")
    if mallinfo2 is None:
        return 0
    mallinfo2.restype = _Mallinfo2
    info = mallinfo2()
    return int(info.uordblks + info.hblkhd)


def _resident() -> int:
    """0 below a sanitizer, which keeps for a while what was freed."""
    return 0 if _of_program("__sanitizer_get_current_allocated_bytes") is not None else resident_bytes()


def _of_program(name: str) -> Any:
    """A function of C; None when this program has none of the name."""
    try:
        return getattr(_libc, name)
    except AttributeError:
        return None


def _processes(room: Room, when: str) -> None:
    """Children, alive or not. Only those of the agent: this process has made none."""
    for pid in _children():
        with contextlib.closing(Process(pid)) as child:
            ended = readable(child.fileno(), timeout_s=_DYING_S)
            code = child.wait() if ended else 0
        if not ended:
            room.failed(f"a process that it started is still there {when}: {_name(pid)}", "end")
            continue
        if code == _COPY:
            room.failed("it forked without exec, and the copy came back into the host", "next_entries")
        else:
            room.warn(f"a process that it started was not waited for {when}", "end")


def _commands_that_ignore_signals() -> dict[str, str]:
    """Of the commands that run now, those that ignore what the host ignores: name -> signals."""
    found = {}
    for pid in _children():
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{pid}/exe") == os.readlink("/proc/self/exe"):  # noqa: PTH115  before its exec
                continue
            status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            mask = int(status.partition("SigIgn:")[2].split(maxsplit=1)[0], 16)
            names = [one.name for one in _TO_RESET if mask >> (one - 1) & 1]
            if names:
                found[_name(pid)] = ", ".join(names)
    return found


def _children() -> list[int]:
    """Of all threads; those that have ended and were not waited for, too."""
    return [
        int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text("ascii").split()
    ]


def _name(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    return str(pid)


def _tasks() -> set[str]:
    return {path.name for path in Path("/proc/self/task").iterdir()}


def _descriptors() -> set[int]:
    return {number for number in map(int, os.listdir("/proc/self/fd")) if _target(number)}  # noqa: PTH208  names are numbers


def _target(descriptor: int) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115  it is no path that has to exist
    except OSError:
        return ""  # the one that listed them


def _inheritable(descriptors: set[int]) -> set[str]:
    found = set()
    for number in descriptors:
        with contextlib.suppress(OSError):
            if os.get_inheritable(number):
                found.add(_target(number))
    return found
