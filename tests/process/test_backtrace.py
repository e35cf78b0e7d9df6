from __future__ import annotations

import ctypes
import os
import signal
import struct
import time
from collections.abc import Callable
from typing import NoReturn

import pytest

from filed.process.backtrace import Backtrace


def die(words: Backtrace, work: Callable[[], object]) -> int:
    """What a process that prepared for a crash ends with: minus the signal's number."""
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        words.install()
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def wild_pointer() -> None:
    ctypes.string_at(8)


def abort() -> NoReturn:
    os.abort()


@pytest.mark.parametrize(("work", "number"), [(wild_pointer, signal.SIGSEGV), (abort, signal.SIGABRT)])
def test_a_crash_leaves_its_signal_and_its_native_frames(work: Callable[[], object], number: signal.Signals) -> None:
    words = Backtrace()
    assert die(words, work) == -number
    first, *frames = words.read()
    assert first.startswith(f"signal {int(number)}")
    assert "address 0x8" in first or number is signal.SIGABRT
    assert len(frames) > 5
    assert any("libc.so.6" in frame for frame in frames)
    words.close()


def test_a_signal_that_somebody_sends_ends_the_process_as_well() -> None:
    words = Backtrace()
    assert die(words, lambda: os.kill(os.getpid(), signal.SIGBUS)) == -signal.SIGBUS
    words.close()


def call_what_is_forbidden() -> None:
    """By a seccomp filter that traps one system call, as service managers and containers set them; then go on."""
    load, if_equal, answer, call, trap, allow = 0x20, 0x15, 0x06, 4095, 0x00030000, 0x7FFF0000
    steps = [(load, 0, 0, 0), (if_equal, 0, 1, call), (answer, 0, 0, trap), (answer, 0, 0, allow)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    libc = ctypes.CDLL(None)
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
    fprog = ctypes.create_string_buffer(struct.pack("HP", len(steps), ctypes.addressof(program)))
    assert libc.prctl(22, 2, fprog, 0, 0) == 0  # PR_SET_SECCOMP
    libc.syscall(call)


def test_a_forbidden_system_call_ends_the_process_as_well() -> None:
    words = Backtrace()
    assert die(words, call_what_is_forbidden) == -signal.SIGSYS
    assert words.read()[0].startswith(f"signal {int(signal.SIGSYS)}")
    words.close()


def test_a_good_end_leaves_nothing() -> None:
    words = Backtrace()
    assert die(words, lambda: None) == 0
    assert words.read() == []
    words.close()


def test_a_process_that_hangs_says_where_and_goes_on() -> None:
    words = Backtrace()
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        words.install()
        os.write(told, b"r")
        time.sleep(60)
        os._exit(1)
    assert os.read(ready, 1) == b"r"
    words.ask(pid)
    lines = words.read()
    assert lines[0].startswith(f"signal {int(signal.SIGQUIT)}")
    assert any("libc.so.6" in line for line in lines)
    assert os.waitpid(pid, os.WNOHANG) == (0, 0)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    for descriptor in (ready, told):
        os.close(descriptor)
    words.close()
