"""What differs between operating systems, as POSIX has it: starting, watching and ending processes, waiting, files, names.

Everything else in `filed` that needs one of these asks here, so that another system is another module like this one.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Callable
from typing import NoReturn

# -- processes -----------------------------------------------------------------------------------------------------


class Process:
    """A child, from its start until `wait` has its exit code. `fileno` is readable once it has ended."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._descriptor = os.pidfd_open(pid)  # its end shows here, whoever else still holds its sockets open
        self._code: int | None = None

    def fileno(self) -> int:
        return self._descriptor

    def kill_tree(self) -> None:
        """The process with all that it started. Nothing happens once it was waited for: the number may be another's."""
        if self._code is None:
            end_group(self.pid, signal.SIGKILL)
            os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Its exit code, or minus the signal that ended it. Nothing that it started is left."""
        if self._code is None:
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
            end_group(self.pid, signal.SIGKILL)
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._code

    def close(self) -> None:
        os.close(self._descriptor)


def start(main: Callable[[], NoReturn]) -> Process:
    """A child that runs `main`, in a group of its own with all that it starts. Raises OSError when there is no room for one.

    It is a copy of us, so that what we have loaded need not be loaded again; `main` lets go of what is not its own. We have one thread.
    """
    pid = os.fork()
    if pid == 0:
        try:
            main()
        finally:
            os._exit(1)
    lead_group(pid)
    try:
        return Process(pid)
    except OSError:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise


def lead_group(pid: int = 0) -> None:
    """Of that process, or of this one. Parent and child both ask for it: who comes second finds it done."""
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)


def end_group(group: int, number: signal.Signals = signal.SIGTERM) -> None:
    """Ask all processes of a group to end, or kill them. Nothing happens when they have ended."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def end_own_group() -> None:
    """Kill this process with all that it started."""
    os.killpg(0, signal.SIGKILL)


# -- waiting -------------------------------------------------------------------------------------------------------


def readable(*descriptors: int, timeout_s: float | None = None) -> set[int]:
    """Which of them hold something, or are at their end. timeout_s: None for ever.

    By poll, since select takes no descriptor above 1023: a daemon of many Jobs has them.
    """
    waiting = select.poll()
    for descriptor in descriptors:
        waiting.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in waiting.poll(None if timeout_s is None else timeout_s * 1000)}


def at_end(descriptor: int, timeout_s: float | None = 0) -> bool:
    """Has the other side of a pipe gone? What still is in the pipe does not count. timeout_s: how long to wait for it; None for ever."""
    waiting = select.poll()
    waiting.register(descriptor, 0)
    found = waiting.poll(None if timeout_s is None else timeout_s * 1000)
    return any(event & select.POLLHUP for _, event in found)  # an agent may have closed it: nobody knows then
