"""Is the process that runs a Job still there?

A pid alone is given out again. With the time its process started, the boot and the pid namespace it names one process
for good. Where /proc is missing, the pid is all there is.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PID_NAMESPACE = Path("/proc/self/ns/pid")
_THREADS_FIELD, _START_FIELD = 20 - 3, 22 - 3  # of /proc/<pid>/stat, counted after the command's closing bracket


@dataclass(frozen=True, slots=True)
class ProcessMark:
    """pid, its start in clock ticks since boot (0: unknown), and `<boot id> <pid namespace>`."""

    pid: int
    start: int
    machine: str

    @classmethod
    def of(cls, pid: int) -> ProcessMark:
        """The mark of a living process, usually `os.getpid()`."""
        return cls(pid, _start_of(pid) or 0, _machine())

    def alive(self) -> bool:
        """False only when it is certain. In another container nobody can tell: then it counts as alive."""
        boot, _, namespace = self.machine.partition(" ")
        here_boot, _, here_namespace = _machine().partition(" ")
        if boot != here_boot:
            return False
        if namespace != here_namespace:
            return True
        if not self.start:
            return _exists(self.pid)
        return _start_of(self.pid) == self.start


def _machine() -> str:
    try:
        return f"{_BOOT_ID.read_text().strip()} {_PID_NAMESPACE.readlink()}"
    except OSError:
        return ""


def _start_of(pid: int) -> int | None:
    """None: no such process, or it has ended and only its parent does not know yet.

    The first thread of a killed process may be gone while others still hold its files, and the locks on Volumes.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The command stands in brackets and may hold brackets itself.
    fields = stat[stat.rindex(b")") + 2 :].split()
    if fields[0] in {b"Z", b"X"} and int(fields[_THREADS_FIELD]) <= 1:
        return None
    return int(fields[_START_FIELD])


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
