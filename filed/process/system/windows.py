"""What differs between operating systems, as Windows has it. See `posix.py` for what is promised."""

from __future__ import annotations

import ctypes
import errno
import json
import mmap
import msvcrt
import os
import secrets
import select
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import winreg
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from ctypes import wintypes
from pathlib import Path
from typing import Final

assert sys.platform == "win32"  # elsewhere nobody reads on, mypy included

_kernel: Final = ctypes.WinDLL("kernel32", use_last_error=True)

_agents_c: Final = ctypes.CDLL("msvcrt")  # what mingw links agents with; Python itself has another
_files: Final = _agents_c["__iob_func"]  # stdin, stdout, stderr
_files.restype = ctypes.c_void_p
_agents_c.setvbuf.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_size_t)
_STDOUT_AT, _UNBUFFERED = 48, 4  # sizeof(FILE), _IONBF of msvcrt.dll

_SYNCHRONIZE, _QUERY_LIMITED, _TERMINATE = 0x0010_0000, 0x1000, 1
_WAIT_OBJECT, _INFINITE = 0, 0xFFFF_FFFF
_ACCESS_DENIED, _LOCK_VIOLATION, _IO_PENDING, _HANDLE_EOF = 5, 33, 997, 38
_EXTENDED_LIMITS, _KILL_ON_JOB_CLOSE, _PROCESS_MEMORY = 9, 0x2000, 0x100
_PAGE_NOACCESS, _PAGE_READONLY, _PAGE_READWRITE = 1, 2, 4
_FROM_ITS_DIRECTORY, _FROM_SYSTEM = 0x100, 0x800  # where LoadLibraryEx looks for what a library needs
_BY_ADDRESS = 6  # and the module's count of uses stays
_ALL_PROCESSES = 2
_NO_DIALOGS = 0x8003  # critical errors, faults, files that cannot be opened
_BELOW_NORMAL = 0x4000
_SHARE_ALL = 7  # reading, writing, and deleting as well
_READ, _WRITE = 0x8000_0000, 0x4000_0000
_CREATE_NEW, _CREATE_ALWAYS, _OPEN_EXISTING, _OPEN_ALWAYS, _TRUNCATE = 1, 2, 3, 4, 5
_BACKUP_SEMANTICS, _OPEN_REPARSE_POINT = 0x0200_0000, 0x0020_0000
_EXCLUSIVE, _AT_ONCE = 2, 1  # of LockFileEx
_LOCKED_AT = 0x7FFF_FFFF  # high word of the offset: a lock on bytes of the file would keep others from reading them
_LONGEST = 240  # characters of a path that every call takes as it is
_FIRST_STATUS = 0x8000_0000  # exit codes from here on are the system's own: 0xC0000005 is an access violation
_KILLED = 0xE000_0009  # exit code of a process that we killed
_DISPOSITIONS: Final = {
    0: _OPEN_EXISTING,
    os.O_TRUNC: _TRUNCATE,
    os.O_CREAT: _OPEN_ALWAYS,
    os.O_CREAT | os.O_TRUNC: _CREATE_ALWAYS,
    os.O_CREAT | os.O_EXCL: _CREATE_NEW,
    os.O_CREAT | os.O_EXCL | os.O_TRUNC: _CREATE_NEW,
}
_NO_HANDLE = ctypes.c_void_p(-1).value


class _Overlapped(ctypes.Structure):
    _fields_ = (
        ("internal", ctypes.c_void_p),
        ("internal_high", ctypes.c_void_p),
        ("offset", wintypes.DWORD),
        ("offset_high", wintypes.DWORD),
        ("event", wintypes.HANDLE),
    )


class _Limits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION."""

    _fields_ = (
        ("times", ctypes.c_int64 * 2),
        ("flags", wintypes.DWORD),
        ("sizes", ctypes.c_size_t * 2),
        ("active", wintypes.DWORD),
        ("affinity", ctypes.c_size_t),
        ("priority", wintypes.DWORD),
        ("scheduling", wintypes.DWORD),
        ("io", ctypes.c_uint64 * 6),
        ("process_memory", ctypes.c_size_t),
        ("job_memory", ctypes.c_size_t),
        ("peaks", ctypes.c_size_t * 2),
    )


class _Memory(ctypes.Structure):
    """PROCESS_MEMORY_COUNTERS."""

    _fields_ = (
        ("size", wintypes.DWORD),
        ("faults", wintypes.DWORD),
        ("peak", ctypes.c_size_t),
        ("working_set", ctypes.c_size_t),
        ("more", ctypes.c_size_t * 4),
        ("committed", ctypes.c_size_t),
        ("most", ctypes.c_size_t),
    )


class _ProcessEntry(ctypes.Structure):
    """PROCESSENTRY32W."""

    _fields_ = (
        ("size", wintypes.DWORD),
        ("usage", wintypes.DWORD),
        ("pid", wintypes.DWORD),
        ("heap", ctypes.c_size_t),
        ("module", wintypes.DWORD),
        ("threads", wintypes.DWORD),
        ("parent", wintypes.DWORD),
        ("priority", wintypes.LONG),
        ("flags", wintypes.DWORD),
        ("name", wintypes.WCHAR * 260),
    )


for _name, _result, *_arguments in (
    ("OpenProcess", wintypes.HANDLE, wintypes.DWORD, wintypes.BOOL, wintypes.DWORD),
    ("GetCurrentProcess", wintypes.HANDLE),
    ("CloseHandle", wintypes.BOOL, wintypes.HANDLE),
    ("DuplicateHandle", wintypes.BOOL, *[wintypes.HANDLE] * 3, wintypes.LPHANDLE, *[wintypes.DWORD] * 3),
    ("WaitForSingleObject", wintypes.DWORD, wintypes.HANDLE, wintypes.DWORD),
    ("GetProcessTimes", wintypes.BOOL, wintypes.HANDLE, *[ctypes.POINTER(wintypes.FILETIME)] * 4),
    ("K32GetProcessMemoryInfo", wintypes.BOOL, wintypes.HANDLE, ctypes.POINTER(_Memory), wintypes.DWORD),
    ("CreateJobObjectW", wintypes.HANDLE, ctypes.c_void_p, wintypes.LPCWSTR),
    ("SetInformationJobObject", wintypes.BOOL, wintypes.HANDLE, ctypes.c_int, ctypes.c_void_p, wintypes.DWORD),
    ("AssignProcessToJobObject", wintypes.BOOL, wintypes.HANDLE, wintypes.HANDLE),
    ("TerminateProcess", wintypes.BOOL, wintypes.HANDLE, wintypes.UINT),
    ("CreateToolhelp32Snapshot", wintypes.HANDLE, wintypes.DWORD, wintypes.DWORD),
    ("Process32FirstW", wintypes.BOOL, wintypes.HANDLE, ctypes.POINTER(_ProcessEntry)),
    ("Process32NextW", wintypes.BOOL, wintypes.HANDLE, ctypes.POINTER(_ProcessEntry)),
    ("SetErrorMode", wintypes.UINT, wintypes.UINT),
    ("SetPriorityClass", wintypes.BOOL, wintypes.HANDLE, wintypes.DWORD),
    ("PeekNamedPipe", wintypes.BOOL, wintypes.HANDLE, ctypes.c_void_p, wintypes.DWORD, *[wintypes.LPDWORD] * 3),
    ("GetModuleHandleExW", wintypes.BOOL, wintypes.DWORD, ctypes.c_void_p, ctypes.POINTER(wintypes.HMODULE)),
    ("GetModuleFileNameW", wintypes.DWORD, wintypes.HMODULE, wintypes.LPWSTR, wintypes.DWORD),
    ("GetProcessHandleCount", wintypes.BOOL, wintypes.HANDLE, wintypes.LPDWORD),
    ("VirtualProtect", wintypes.BOOL, ctypes.c_void_p, ctypes.c_size_t, wintypes.DWORD, wintypes.LPDWORD),
    ("TerminateJobObject", wintypes.BOOL, wintypes.HANDLE, wintypes.UINT),
    ("CreateFileW", wintypes.HANDLE, wintypes.LPCWSTR, *[wintypes.DWORD] * 2, ctypes.c_void_p, *[wintypes.DWORD] * 2,
     wintypes.HANDLE),
    ("ReadFile", wintypes.BOOL, wintypes.HANDLE, ctypes.c_void_p, wintypes.DWORD, wintypes.LPDWORD,
     ctypes.POINTER(_Overlapped)),
    ("WriteFile", wintypes.BOOL, wintypes.HANDLE, ctypes.c_void_p, wintypes.DWORD, wintypes.LPDWORD,
     ctypes.POINTER(_Overlapped)),
    ("LockFileEx", wintypes.BOOL, wintypes.HANDLE, *[wintypes.DWORD] * 4, ctypes.POINTER(_Overlapped)),
):  # fmt: skip
    _function = getattr(_kernel, str(_name))
    _function.restype, _function.argtypes = _result, _arguments


def _failure(path: str | None = None) -> OSError:
    """What the last call says, with the `errno` that Python has for it."""
    number = ctypes.get_last_error()
    return OSError(None, ctypes.FormatError(number).strip(), path, number)


def _checked(result: int | None) -> int:
    if not result:
        raise _failure()
    return result


# -- processes -----------------------------------------------------------------------------------------------------


LIBRARY_SUFFIX: Final = ".dll"


def open_library(path: Path) -> ctypes.CDLL:
    """With all it needs, from its own directory and Windows' alone. Raises OSError."""
    return ctypes.CDLL(native(path), winmode=_FROM_ITS_DIRECTORY | _FROM_SYSTEM)


def library_at(address: int) -> Path | None:
    """Whose code lies there."""
    module, name = wintypes.HMODULE(), ctypes.create_unicode_buffer(1 << 15)
    if not _kernel.GetModuleHandleExW(_BY_ADDRESS, ctypes.c_void_p(address), ctypes.byref(module)):
        return None
    return Path(name.value) if _kernel.GetModuleFileNameW(module, name, len(name)) else None


def handle_of(descriptor: int) -> int:
    """What C code calls it: its own library numbers files otherwise than Python's."""
    return msvcrt.get_osfhandle(descriptor)


def descriptor_of(handle: int) -> int:
    """For a handle that we inherited."""
    os.set_handle_inheritable(handle, False)
    return msvcrt.open_osfhandle(handle, os.O_RDWR | os.O_BINARY | os.O_NOINHERIT)


class Tree:
    """A job object: processes that end together, with all that they start, at the latest when nobody has it open any more.

    Its members may have it open themselves: then they outlive the maker, until the last of them leaves.
    """

    def __init__(self, handle: int | None = None) -> None:
        self.handle = handle if handle is not None else _checked(_kernel.CreateJobObjectW(None, None))
        self._limits = _Limits(flags=_KILL_ON_JOB_CLOSE)
        if handle is None:
            self._set()

    def add(self, process: int) -> None:
        """process: a handle."""
        _checked(_kernel.AssignProcessToJobObject(self.handle, process))

    def bound_memory(self, process_bytes: int) -> None:
        """What each member may have; 0: no limit."""
        self._limits.flags = _KILL_ON_JOB_CLOSE | (_PROCESS_MEMORY if process_bytes else 0)
        self._limits.process_memory = process_bytes
        self._set()

    def kill(self) -> None:
        _kernel.TerminateJobObject(self.handle, _KILLED)

    def close(self) -> None:
        _kernel.CloseHandle(self.handle)

    def _set(self) -> None:
        _checked(
            _kernel.SetInformationJobObject(
                self.handle, _EXTENDED_LIMITS, ctypes.byref(self._limits), ctypes.sizeof(self._limits)
            )
        )


class Process:
    """A child, from its start until `wait` has its exit code. `fileno` is readable once it has ended."""

    def __init__(self, program: subprocess.Popen[bytes], tree: Tree, handed: Sequence[socket.socket]) -> None:
        self.pid = program.pid
        self._program, self._tree = program, tree
        self._handed = handed  # the child has them only once it has opened them: not closed before it ends
        self._ended, ends = socket.socketpair()
        threading.Thread(target=self._watch, args=(ends,), name=f"end of {self.pid}", daemon=True).start()

    def _watch(self, ends: socket.socket) -> None:
        with ends:
            self._program.wait()

    def fileno(self) -> int:
        return self._ended.fileno()

    def kill_tree(self) -> None:
        """The process with all that it started."""
        self._tree.kill()

    def wait(self) -> int:
        """Its exit code, or minus the status that the system ended it with. Nothing that it started is left."""
        code = self._program.wait()
        self._tree.kill()
        for sock in self._handed:
            sock.close()
        return exit_code(code)

    def close(self) -> None:
        self._ended.close()
        self._tree.close()


def spawn(
    module: str, arguments: Sequence[object], handles: Sequence[int], sockets: Sequence[int], output: int
) -> Process:
    """`python -m module ARGUMENTS TREE PARENT`: a child in a tree of its own. It ends its start with `join` and `handed_sockets`.

    handles: what it inherits, by the same numbers.  output: a descriptor, for what it prints.
    It is a member of its tree before it has its sockets, so that it starts nothing outside of it.
    """
    tree = Tree()
    ourselves = _own_handle()
    handed = [socket.fromfd(each, socket.AF_INET, socket.SOCK_STREAM) for each in sockets]
    try:
        inherited = [*handles, tree.handle, ourselves]
        for handle in inherited:
            os.set_handle_inheritable(handle, True)
        program = subprocess.Popen(
            [sys.executable, "-X", "utf8", "-P", "-m", module, *map(str, arguments), str(tree.handle), str(ourselves)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            startupinfo=subprocess.STARTUPINFO(lpAttributeList={"handle_list": inherited}),
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        assert program.stdin is not None
        tree.add(int(program._handle))  # type: ignore[attr-defined]  # noqa: SLF001  it has no public name
        with program.stdin:
            program.stdin.write(json.dumps([each.share(program.pid).hex() for each in handed]).encode())
    except BaseException:
        tree.close()
        for sock in handed:
            sock.close()
        raise
    finally:
        for handle in handles:
            os.set_handle_inheritable(handle, False)
        _kernel.CloseHandle(ourselves)
    return Process(program, tree, handed)


def handed_sockets() -> list[int]:
    """In a child: the sockets that `spawn` was given, in their order. What reads standard input later finds it empty."""
    handed = [socket.fromshare(bytes.fromhex(each)).detach() for each in json.load(sys.stdin.buffer)]
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return handed


_own_tree: Tree | None = None
_parent = 0


def exit_code(returncode: int) -> int:
    """Of a program that `subprocess` waited for, or minus the status that the system ended it with."""
    return -returncode if returncode >= _FIRST_STATUS else returncode


def join(tree: int, parent: int) -> None:
    """In a child: the last two of its arguments."""
    global _own_tree, _parent
    for handle in (tree, parent):
        os.set_handle_inheritable(handle, False)
    _own_tree, _parent = Tree(tree), parent


def parent_is_gone(_cancel_pipe: int, timeout_s: float | None = 0) -> bool:
    """timeout_s: how long to wait for that; None for ever."""
    wait = _INFINITE if timeout_s is None else int(timeout_s * 1000)
    return bool(_parent) and _kernel.WaitForSingleObject(_parent, wait) == _WAIT_OBJECT


def end_own_group() -> None:
    """Kill this process with all that it started."""
    if _own_tree is not None:
        _own_tree.kill()
    os._exit(1)


def end_group(group: int) -> None:
    """Nobody can be asked to end here: kill them."""
    kill_group(group)


def kill_group(group: int) -> None:
    """Kill a process and what it started. Nothing happens when they have ended."""
    born: dict[int, list[int]] = {}
    for pid, parent in _processes():
        born.setdefault(parent, []).append(pid)
    todo = [group]
    for pid in todo:
        todo += [
            each for each in born.get(pid, ()) if each not in todo and (start_of(each) or 0) >= (start_of(pid) or 0)
        ]
    for pid in todo:
        if handle := _kernel.OpenProcess(_TERMINATE, False, pid):
            _kernel.TerminateProcess(handle, _KILLED)
            _kernel.CloseHandle(handle)


def _processes() -> list[tuple[int, int]]:
    """(process, its parent) of all."""
    snapshot = _kernel.CreateToolhelp32Snapshot(_ALL_PROCESSES, 0)
    entry = _ProcessEntry(size=ctypes.sizeof(_ProcessEntry))
    found = []
    there = _kernel.Process32FirstW(snapshot, ctypes.byref(entry))
    while there:
        found.append((entry.pid, entry.parent))
        there = _kernel.Process32NextW(snapshot, ctypes.byref(entry))
    _kernel.CloseHandle(snapshot)
    return found


def _own_handle() -> int:
    """Of this process, for another to wait for its end."""
    own, handle = _kernel.GetCurrentProcess(), wintypes.HANDLE()
    _checked(_kernel.DuplicateHandle(own, own, own, ctypes.byref(handle), _SYNCHRONIZE, False, 0))
    return int(handle.value or 0)


def cores_for_us() -> int:
    """Of the machine's, those on which we may run."""
    return os.cpu_count() or 1


def ask_where_it_is(_pid: int) -> bool:
    """There is no way to ask a process that hangs."""
    return False


def resident_bytes() -> int:
    """The memory that this process holds; 0 where the system does not say."""
    found = _Memory(size=ctypes.sizeof(_Memory))
    _kernel.K32GetProcessMemoryInfo(_kernel.GetCurrentProcess(), ctypes.byref(found), found.size)
    return int(found.working_set)


def open_handles() -> int:
    """How many files, threads, events and the like this process has open."""
    found = wintypes.DWORD()
    _kernel.GetProcessHandleCount(_kernel.GetCurrentProcess(), ctypes.byref(found))
    return found.value


def exists(pid: int) -> bool:
    """Is there a process of that number, anybody's?"""
    handle = _kernel.OpenProcess(_SYNCHRONIZE, False, pid)
    if not handle:
        return ctypes.get_last_error() == _ACCESS_DENIED
    try:
        return bool(_kernel.WaitForSingleObject(handle, 0) != _WAIT_OBJECT)
    finally:
        _kernel.CloseHandle(handle)


def start_of(pid: int) -> int | None:
    """When it was started, in units of 100 ns since 1601. None: no such process, or it has ended."""
    handle = _kernel.OpenProcess(_SYNCHRONIZE | _QUERY_LIMITED, False, pid)
    if not handle:
        return None
    try:
        times = [wintypes.FILETIME() for _ in range(4)]
        told = _kernel.GetProcessTimes(handle, *map(ctypes.byref, times))
        if not told or _kernel.WaitForSingleObject(handle, 0) == _WAIT_OBJECT:
            return None
        return times[0].dwHighDateTime << 32 | times[0].dwLowDateTime
    finally:
        _kernel.CloseHandle(handle)


def this_machine() -> str:
    """`<id of this installation> windows`: with the start of a process to 100 ns, a pid means one process there. "" when nobody can tell."""
    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SOFTWARE\Microsoft\Cryptography") as key:
            return f"{winreg.QueryValueEx(key, 'MachineGuid')[0]} windows"
    except OSError:
        return ""


def keep_memory() -> None:
    """What is freed stays with the process, as it does anyway."""


def let_go(_kept: Collection[int]) -> None:
    """Nothing else is inherited."""


# -- limits --------------------------------------------------------------------------------------------------------


def bound_process(*, new_privileges: bool) -> None:  # noqa: ARG001  programs gain none here
    """No dialog about a crash, which nobody would answer, and no report that holds secrets."""
    _kernel.SetErrorMode(_NO_DIALOGS)


def be_nice(_nice: int) -> None:
    """From now on: Windows has classes instead of numbers."""
    _checked(_kernel.SetPriorityClass(_kernel.GetCurrentProcess(), _BELOW_NORMAL))


def bound_memory(size_bytes: int | None) -> None:
    """What this process may have, counted as `data_bytes` does. None: no limit."""
    if _own_tree is not None:
        _own_tree.bound_memory(size_bytes or 0)


def data_bytes() -> int:
    """Memory that this process committed."""
    found = _Memory(size=ctypes.sizeof(_Memory))
    _kernel.K32GetProcessMemoryInfo(_kernel.GetCurrentProcess(), ctypes.byref(found), found.size)
    return int(found.committed)


# -- memory --------------------------------------------------------------------------------------------------------


class SharedMemory:
    """`map`: memory that children can have as well, by its name. name: of some that another process made."""

    def __init__(self, size_bytes: int, name: str = "") -> None:
        self.name = name or f"filed-{secrets.token_hex(16)}"
        self.map = mmap.mmap(-1, size_bytes, tagname=self.name)


@contextmanager
def handed_memory(size_bytes: int) -> Iterator[tuple[SharedMemory, str, tuple[int, ...]]]:
    """Memory for a program that we start: with its name, and what the program must inherit, which is nothing."""
    memory = SharedMemory(size_bytes)
    yield memory, memory.name, ()


def protect(address: int, size_bytes: int, *, read: bool, write: bool) -> None:
    """What may be done with pages of ours. Raises OSError."""
    allowed = _PAGE_READWRITE if write else _PAGE_READONLY if read else _PAGE_NOACCESS
    _checked(_kernel.VirtualProtect(address, size_bytes, allowed, ctypes.byref(wintypes.DWORD())))


def pages(size_bytes: int) -> mmap.mmap:
    """Memory of our own, aligned to a page."""
    return mmap.mmap(-1, size_bytes)


# -- waiting -------------------------------------------------------------------------------------------------------


READ: Final = 1
WRITE: Final = 4
_ENDED: Final = 8


class Poll:
    """As `select.poll`, for at most 512 sockets. What is waited for with no events shows only when it is asked for some."""

    def __init__(self) -> None:
        self._events: dict[int, int] = {}

    def register(self, descriptor: int, events: int) -> None:
        self._events[descriptor] = events

    modify = register

    def poll(self, timeout_ms: float | None = None) -> list[tuple[int, int]]:
        reading = [each for each, events in self._events.items() if events & READ]
        writing = [each for each, events in self._events.items() if events & WRITE]
        timeout_s = None if timeout_ms is None else max(timeout_ms, 0) / 1000
        if not reading and not writing:
            time.sleep(timeout_s or 0)
            return []
        found: dict[int, int] = {}
        readable, writable, failed = select.select(reading, writing, writing, timeout_s)
        for event, ready in ((READ, readable), (WRITE, writable), (WRITE | _ENDED, failed)):
            for each in ready:
                found[each] = found.get(each, 0) | event
        return list(found.items())


def bell() -> tuple[int, int]:
    """(where it is heard, where it is rung): descriptors of sockets, since nothing else can be waited for together with sockets."""
    heard, rung = socket.socketpair()
    return heard.detach(), rung.detach()


def ring(rung: int, data: bytes) -> None:
    """Raises OSError when nobody is there to hear it."""
    bell_end = socket.socket(fileno=rung)
    try:
        bell_end.send(data)
    finally:
        bell_end.detach()


def close_bell(bell_end: int) -> None:
    socket.close(bell_end)


def send_parts(sock: socket.socket, parts: Sequence[bytes | bytearray | memoryview]) -> int:
    """How many bytes of them went out, at once. Raises as `socket.send`."""
    return sock.send(parts[0] if len(parts) == 1 else b"".join(parts))


def readable(*descriptors: int, timeout_s: float | None = None) -> set[int]:
    """Which sockets hold something, or are at their end. At most 512. timeout_s: None for ever."""
    if not descriptors:
        time.sleep(timeout_s or 0)
        return set()
    return set(select.select(descriptors, (), (), timeout_s)[0])


# -- files ---------------------------------------------------------------------------------------------------------


def native(path: str | bytes | os.PathLike[str]) -> str:
    r"""As calls take it whatever its length: `\\?\C:\...` for a long one."""
    text = os.path.abspath(os.fsdecode(path))  # noqa: PTH100  Path has no such form
    if len(text) <= _LONGEST or text.startswith("\\\\?\\"):
        return text
    return "\\\\?\\UNC" + text[1:] if text.startswith("\\\\") else "\\\\?\\" + text


def open_file(
    path: str | bytes | os.PathLike[str], flags: int = os.O_RDONLY, _mode: int = 0o600, *, follow: bool = False
) -> int:
    """A descriptor that no program inherits, binary; others may delete and rename the file meanwhile. flags: O_RDWR, O_CREAT, O_EXCL and the like.

    follow: a symbolic link or junction at the end of the path; else OSError with ELOOP.
    """
    name = native(path)
    access = {os.O_RDONLY: _READ, os.O_WRONLY: _WRITE, os.O_RDWR: _READ | _WRITE}[flags & (os.O_WRONLY | os.O_RDWR)]
    making = flags & (os.O_CREAT | os.O_EXCL | os.O_TRUNC)
    disposition = _DISPOSITIONS[making if making & os.O_CREAT else making & ~os.O_EXCL]
    handle = _kernel.CreateFileW(
        name, access, _SHARE_ALL, None, disposition, 0 if follow else _OPEN_REPARSE_POINT, None
    )
    if handle == _NO_HANDLE:
        raise _failure(os.fsdecode(path))
    descriptor = msvcrt.open_osfhandle(handle, (flags & (os.O_WRONLY | os.O_RDWR | os.O_APPEND)) | os.O_NOINHERIT)
    found = os.fstat(descriptor)
    if not follow and found.st_file_attributes & stat.FILE_ATTRIBUTE_REPARSE_POINT:
        os.close(descriptor)
        if found.st_reparse_tag in (stat.IO_REPARSE_TAG_SYMLINK, stat.IO_REPARSE_TAG_MOUNT_POINT):
            raise OSError(errno.ELOOP, "it is a symbolic link", os.fsdecode(path))
        return open_file(
            path, flags & ~os.O_EXCL, follow=True
        )  # its content lies elsewhere: deduplicated, or in a cloud
    return descriptor


def read_at(descriptor: int, length: int, offset: int) -> bytes:
    """Fewer bytes than `length` at the end of the file."""
    into, done = ctypes.create_string_buffer(length), wintypes.DWORD()
    place = _Overlapped(offset=offset & 0xFFFF_FFFF, offset_high=offset >> 32)
    handle = msvcrt.get_osfhandle(descriptor)
    if not _kernel.ReadFile(handle, into, length, ctypes.byref(done), ctypes.byref(place)):
        if ctypes.get_last_error() == _HANDLE_EOF:
            return b""
        raise _failure()
    return ctypes.string_at(into, done.value)


def write_at(descriptor: int, data: bytes | memoryview, offset: int) -> int:
    """How many of them were written."""
    content, done = bytes(data), wintypes.DWORD()
    place = _Overlapped(offset=offset & 0xFFFF_FFFF, offset_high=offset >> 32)
    handle = msvcrt.get_osfhandle(descriptor)
    _checked(_kernel.WriteFile(handle, content, len(content), ctypes.byref(done), ctypes.byref(place)))
    return done.value


def lock_file(descriptor: int, *, wait: bool, shared: bool = False) -> None:
    """Lock a whole file until it is closed, for other processes and for other opens of this one. Raises BlockingIOError unless `wait`.

    By a byte that no file has: Windows' locks forbid reading what is locked, and Volumes are read while they are written.
    """
    flags = (0 if shared else _EXCLUSIVE) | (0 if wait else _AT_ONCE)
    place = _Overlapped(offset_high=_LOCKED_AT)
    if not _kernel.LockFileEx(msvcrt.get_osfhandle(descriptor), flags, 0, 1, 0, ctypes.byref(place)):
        if ctypes.get_last_error() in (_LOCK_VIOLATION, _IO_PENDING):
            raise BlockingIOError(errno.EAGAIN, "it is locked")
        raise _failure()


def sync_directory(_path: Path) -> None:
    """Names made, changed or removed: Windows offers no call for them, NTFS has them in its journal."""


REPLACES_OPEN_FILES: Final = False
"""Whether a file can be replaced, or removed, while somebody has it open who did not expect it."""


def unlink_while_open(_path: Path) -> None:
    """Windows refuses; remove it once it is closed."""


def read_only(_directory: Path) -> bool:
    """Is its file system mounted for reading alone?"""
    return False


def free_bytes(directory: Path) -> int:
    """Of its file system, for this user. Raises OSError."""
    return shutil.disk_usage(directory).free


def memory_file(name: str) -> int:
    """A descriptor of a new file that goes when it is closed."""
    path = Path(tempfile.gettempdir()) / f"filed-{secrets.token_hex(8)}-{name}"
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_BINARY | os.O_NOINHERIT
    return os.open(path, flags | os.O_TEMPORARY | os.O_SHORT_LIVED)


def name_of(path: Path | bytes) -> bytes:
    """As it stands in names of entries: `C:/Users/...` in UTF-8."""
    return path if isinstance(path, bytes) else os.fsencode(path.as_posix())


# -- what programs print ------------------------------------------------------------------------------------------


def printing() -> tuple[int, int]:
    """Both ends of a pipe for what a child prints. Who floods it waits until its parent has read some."""
    return os.pipe()


def print_into(_writer: int) -> None:
    """What this process prints goes where its parent had it go at its start: C libraries ask only then."""


def printed(reader: int, length: int) -> bytes:
    """What is in the pipe, without waiting; b"" for nothing."""
    there = wintypes.DWORD()
    if not _kernel.PeekNamedPipe(msvcrt.get_osfhandle(reader), None, 0, None, ctypes.byref(there), None):
        return b""
    return os.read(reader, min(there.value, length)) if there.value else b""


def c_stdio(*, at_once: bool = False) -> None:
    """Write what C's stdio of the agents still holds. at_once: from now on byte by byte: a full buffer dies with its process."""
    if at_once:
        _agents_c.setvbuf(_files() + _STDOUT_AT, None, _UNBUFFERED, 0)
    else:
        _agents_c.fflush(None)


# -- names ---------------------------------------------------------------------------------------------------------


def user_name(uid: int) -> str:
    """Raises KeyError for an id without a name: numbers of users are not known here."""
    raise KeyError(uid)


def group_name(gid: int) -> str:
    raise KeyError(gid)


def user_number(name: str) -> int:
    raise KeyError(name)


def group_number(name: str) -> int:
    raise KeyError(name)
