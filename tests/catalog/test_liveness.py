from __future__ import annotations

import ctypes
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

from filed.catalog import ProcessMark

SYS_EXIT = {"x86_64": 60, "aarch64": 93}[platform.machine()]  # of one thread


def test_this_process_is_alive() -> None:
    assert ProcessMark.of(os.getpid()).alive()


def test_a_child_is_dead_when_it_has_ended_even_before_anybody_waits_for_it() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    mark = ProcessMark.of(child.pid)
    with child:
        assert mark.alive()
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not mark.alive()
    assert not mark.alive()


def test_a_pid_that_was_given_out_again_is_another_process() -> None:
    mark = ProcessMark.of(os.getpid())
    assert not replace(mark, start=mark.start - 1).alive()


def test_nothing_survives_a_boot() -> None:
    mark = ProcessMark.of(os.getpid())
    assert not replace(mark, machine="another-boot " + mark.machine.split(" ")[1]).alive()


def test_in_another_container_nobody_can_tell() -> None:
    mark = ProcessMark.of(os.getpid())
    elsewhere = mark.machine.split(" ")[0] + " pid:[1]"
    assert replace(mark, machine=elsewhere, pid=1 << 22).alive()


def test_without_a_start_time_the_pid_decides() -> None:
    mark = ProcessMark.of(os.getpid())
    assert replace(mark, start=0).alive()
    assert not replace(mark, start=0, pid=1 << 22).alive()


def test_a_process_whose_first_thread_is_gone_lives_on_in_the_others() -> None:
    """So it is for a moment when a process is killed; its locks are held until the last thread is gone."""
    pid = os.fork()
    if pid == 0:
        threading.Thread(target=time.sleep, args=(60,)).start()
        ctypes.CDLL(None).syscall(SYS_EXIT, 0)
    mark = ProcessMark.of(pid)
    while b") Z " not in Path(f"/proc/{pid}/stat").read_bytes():
        time.sleep(0.01)  # nobody is told of the end of a thread
    assert mark.alive()
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert not mark.alive()
    os.waitpid(pid, 0)
