"""What differs between operating systems, as POSIX has it: starting, watching and ending processes, waiting, files, names.

Everything else in `filed` that needs one of these asks here, so that another system is another module like this one.
"""

from __future__ import annotations

import contextlib
import fcntl
import grp
import os
import pwd
import select
import signal
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PID_NAMESPACE = Path("/proc/self/ns/pid")
_THREADS_FIELD, _START_FIELD = 20 - 3, 22 - 3  # of /proc/<pid>/stat, counted after the command's closing bracket

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
            lead_group()
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


def resident_bytes() -> int:
    """The memory that this process holds; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


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


def exists(pid: int) -> bool:
    """Is there a process of that number, anybody's?"""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def start_of(pid: int) -> int | None:
    """When it was started, in clock ticks since boot. None: no such process, or it has ended and only its parent does not know yet.

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


def this_machine() -> str:
    """`<boot id> <pid namespace>`: where and between which two starts of the machine a pid means one process. "" when nobody can tell."""
    try:
        return f"{_BOOT_ID.read_text().strip()} {_PID_NAMESPACE.readlink()}"
    except OSError:
        return ""


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


# -- files ---------------------------------------------------------------------------------------------------------


def open_file(
    path: str | bytes | os.PathLike[str], flags: int = os.O_RDONLY, mode: int = 0o600, *, follow: bool = False
) -> int:
    """A descriptor that no program inherits; a FIFO is not waited for. flags: O_RDWR, O_CREAT, O_EXCL and the like.

    follow: a symbolic link at the end of the path; else OSError.
    """
    return os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW), mode)


def read_at(descriptor: int, length: int, offset: int) -> bytes:
    """Fewer bytes than `length` at the end of the file."""
    return os.pread(descriptor, length, offset)


def write_at(descriptor: int, data: bytes | memoryview, offset: int) -> int:
    """How many of them were written."""
    return os.pwrite(descriptor, data, offset)


def lock_file(descriptor: int, *, wait: bool, shared: bool = False) -> None:
    """Lock a whole file until it is closed, for other processes and for other opens of this one. Raises BlockingIOError unless `wait`."""
    fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))


def sync_directory(path: Path) -> None:
    """Names made, changed or removed in `path` are on stable storage on return."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def memory_file(name: str) -> int:
    """A descriptor of a new file without a place on a disk; a child that is given it finds its content."""
    return os.memfd_create(name, os.MFD_CLOEXEC)


# -- names ---------------------------------------------------------------------------------------------------------


def user_name(uid: int) -> str:
    """Raises KeyError for an id without a name."""
    return pwd.getpwuid(uid).pw_name


def group_name(gid: int) -> str:
    return grp.getgrgid(gid).gr_name


def user_number(name: str) -> int:
    """Raises KeyError for a name that nobody has."""
    return pwd.getpwnam(name).pw_uid


def group_number(name: str) -> int:
    return grp.getgrnam(name).gr_gid
