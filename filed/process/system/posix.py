"""What differs between operating systems, as POSIX has it: starting, watching and ending processes, waiting, files, names."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import grp
import mmap
import os
import pwd
import resource
import select
import signal
import socket
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

assert sys.platform != "win32"

_libc: Final = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
DESCRIPTORS = 4096  # a walk needs tens, and who leaks shall meet a bound
_PR_SET_NO_NEW_PRIVS = 38
_CAP_SYS_RESOURCE = 24
_hard_data = resource.getrlimit(resource.RLIMIT_DATA)[1]
_LINE_BUFFERED = 1  # _IOLBF of glibc and musl
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PID_NAMESPACE = Path("/proc/self/ns/pid")
_MALLOPT_TRIM_THRESHOLD, _MALLOPT_MMAP_THRESHOLD = -1, -3  # <malloc.h>
_KEPT_BYTES = 32 << 20  # freed memory that stays with the process
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


def cores_for_us() -> int:
    """Of the machine's, those on which we may run."""
    return len(os.sched_getaffinity(0))


def ask_where_it_is(pid: int) -> bool:
    """Have a process that prepared for it (`native_host/postmortem`) write a backtrace. False where there is no such way."""
    os.kill(pid, signal.SIGQUIT)
    return True


def resident_bytes() -> int:
    """The memory that this process holds; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


LIBRARY_SUFFIX: Final = ".so"


class _DlInfo(ctypes.Structure):
    _fields_ = (
        ("file", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("symbol", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
    )


def open_library(path: Path) -> ctypes.CDLL:
    """With all it needs, and its names seen by nobody else. Raises OSError."""
    return ctypes.CDLL(str(path), mode=os.RTLD_NOW | os.RTLD_LOCAL)


def library_at(address: int) -> Path | None:
    """Whose code lies there."""
    info = _DlInfo()
    found = _libc.dladdr(ctypes.c_void_p(address), ctypes.byref(info))
    return Path(os.fsdecode(info.file)) if found and info.file else None


def handle_of(descriptor: int) -> int:
    """What C code calls it."""
    return descriptor


def exit_code(returncode: int) -> int:
    """Of a program that `subprocess` waited for, or minus the signal that ended it."""
    return returncode


def open_handles() -> int:
    """How many descriptors this process has."""
    return len(os.listdir("/proc/self/fd")) - 1  # noqa: PTH208  names are numbers; one is that of the list


def lead_group(pid: int = 0) -> None:
    """Of that process, or of this one. Parent and child both ask for it: who comes second finds it done."""
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)


def end_group(group: int, number: signal.Signals = signal.SIGTERM) -> None:
    """Ask all processes of a group to end, or kill them. Nothing happens when they have ended."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def kill_group(group: int) -> None:
    """Kill all processes of a group. Nothing happens when they have ended."""
    end_group(group, signal.SIGKILL)


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


def keep_memory() -> None:
    """What is freed stays with the process: buffers of some hundred KiB come and go by the thousand.

    Each from the kernel anew is 64 page faults: 1.2 s of the 7 that encrypting 1.6 GB took. Does nothing where malloc is not glibc's.
    """
    mallopt = getattr(_libc, "mallopt", None)
    if mallopt is not None:
        mallopt(_MALLOPT_MMAP_THRESHOLD, _KEPT_BYTES)
        mallopt(_MALLOPT_TRIM_THRESHOLD, _KEPT_BYTES)


def let_go(kept: Collection[int]) -> None:
    """Everything else inherited becomes /dev/null: other Jobs' cancel pipes, above all, must ring when their parent dies.

    Not closed: an object of the parent's that Python drops later would close our file of the same number.
    """
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for name in [path.name for path in Path("/proc/self/fd").iterdir()]:
        descriptor = int(name)
        if descriptor not in kept and descriptor != null:
            with contextlib.suppress(OSError):  # the one that listed them is gone
                os.fstat(descriptor)
                os.dup2(null, descriptor, inheritable=descriptor == 0)
    os.close(null)


# -- limits --------------------------------------------------------------------------------------------------------


def bound_process(*, new_privileges: bool) -> None:
    """See `limits.bound_process`."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limit = _at_most(resource.getrlimit(resource.RLIMIT_NOFILE)[1], DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    if not new_privileges and _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_NO_NEW_PRIVS)")


def be_nice(nice: int) -> None:
    """From now on. Who is nicer already stays so."""
    os.setpriority(os.PRIO_PROCESS, 0, max(nice, os.getpriority(os.PRIO_PROCESS, 0)))


def bound_memory(size_bytes: int | None) -> None:
    """What this process may have, counted as `data_bytes` does. None: what it may have had at its start.

    Where we can raise it again for the next agent, the limit is hard: a program that an agent starts as its own user cannot.
    """
    wanted = _hard_data if size_bytes is None else _at_most(_hard_data, size_bytes)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, wanted if _may_raise_hard_limits() else _hard_data))


def data_bytes() -> int:
    """What RLIMIT_DATA counts of this process: private, writable memory."""
    status = Path("/proc/self/status").read_bytes()
    return int(status.partition(b"VmData:")[2].split()[0]) << 10


def _at_most(hard: int, wanted: int) -> int:
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


def _may_raise_hard_limits() -> bool:
    status = Path("/proc/self/status").read_bytes()
    return bool(int(status.partition(b"CapEff:")[2].split()[0], 16) >> _CAP_SYS_RESOURCE & 1)


# -- memory --------------------------------------------------------------------------------------------------------


class SharedMemory:
    """`map`: memory that children have as well. name: of some that another process handed us (`handed_memory`)."""

    def __init__(self, size_bytes: int, name: str = "") -> None:
        self.map = mmap.mmap(int(name) if name else -1, size_bytes)


@contextmanager
def handed_memory(size_bytes: int) -> Iterator[tuple[SharedMemory, str, tuple[int, ...]]]:
    """Memory for a program that we start: with its name there, and the descriptors that the program must inherit."""
    descriptor = memory_file("filed-shared-memory")
    try:
        os.ftruncate(descriptor, size_bytes)
        yield SharedMemory(size_bytes, str(descriptor)), str(descriptor), (descriptor,)
    finally:
        os.close(descriptor)


def protect(address: int, size_bytes: int, *, read: bool, write: bool) -> None:
    """What may be done with pages of ours. Raises OSError."""
    allowed = (mmap.PROT_READ if read else 0) | (mmap.PROT_WRITE if write else 0)
    if _libc.mprotect(address, size_bytes, allowed):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def pages(size_bytes: int) -> mmap.mmap:
    """Memory of our own, aligned to a page."""
    return mmap.mmap(-1, size_bytes, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


# -- waiting -------------------------------------------------------------------------------------------------------


def send_parts(sock: socket.socket, parts: Sequence[bytes | bytearray | memoryview]) -> int:
    """How many bytes of them went out, at once. Raises as `socket.send`."""
    return sock.sendmsg(parts)


def readable(*descriptors: int, timeout_s: float | None = None) -> set[int]:
    """Which of them hold something, or are at their end. timeout_s: None for ever.

    By poll, since select takes no descriptor above 1023: a daemon of many Jobs has them.
    """
    waiting = select.poll()
    for descriptor in descriptors:
        waiting.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in waiting.poll(None if timeout_s is None else timeout_s * 1000)}


READ: Final = select.POLLIN
WRITE: Final = select.POLLOUT
Poll = select.poll


def bell() -> tuple[int, int]:
    """(where it is heard, where it is rung): descriptors. It is heard as readable, and when the other end is gone."""
    return os.pipe()


def ring(rung: int, data: bytes) -> None:
    """Raises OSError when nobody is there to hear it."""
    os.write(rung, data)


def close_bell(bell_end: int) -> None:
    os.close(bell_end)


def parent_is_gone(descriptor: int, timeout_s: float | None = 0) -> bool:
    """Has the other side of a bell gone? What still is in the pipe does not count. timeout_s: how long to wait for it; None for ever."""
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


REPLACES_OPEN_FILES: Final = True
"""Whether a file can be replaced, or removed, while somebody has it open."""


def unlink_while_open(path: Path) -> None:
    """It stays for those who have it open, and nobody else finds it. Raises OSError."""
    path.unlink()


def read_only(directory: Path) -> bool:
    """Is its file system mounted for reading alone? Raises OSError."""
    return bool(os.statvfs(directory).f_flag & os.ST_RDONLY)


def free_bytes(directory: Path) -> int:
    """Of its file system, for this user. Raises OSError."""
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize


def memory_file(name: str) -> int:
    """A descriptor of a new file without a place on a disk; a child that is given it finds its content."""
    return os.memfd_create(name, os.MFD_CLOEXEC)


def name_of(path: Path | bytes) -> bytes:
    """As it stands in names of entries."""
    return bytes(path)


# -- what programs print ------------------------------------------------------------------------------------------


def printing() -> tuple[int, int]:
    """Both ends of a pipe for what a child prints: a flood is cut off at what the pipe holds instead of stopping the child."""
    return os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)


def print_into(writer: int) -> None:
    """What this process prints goes there from now on."""
    for descriptor in (1, 2):
        os.dup2(writer, descriptor)


def printed(reader: int, length: int) -> bytes:
    """What is in the pipe, without waiting; b"" for nothing."""
    try:
        return os.read(reader, length)
    except BlockingIOError:
        return b""


def c_stdio(*, at_once: bool = False) -> None:
    """Write what C's stdio of this process still holds. at_once: from now on line by line: a full buffer dies with its process."""
    if at_once:
        _libc.setvbuf(ctypes.c_void_p.in_dll(_libc, "stdout"), None, _LINE_BUFFERED, 0)
    else:
        _libc.fflush(None)


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
