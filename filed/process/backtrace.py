"""The native backtrace that a job process leaves behind when agent code crashes or hangs.

It is written, by a signal handler in C, into anonymous memory made before the fork, which outlives the process; see
`native_host/postmortem`. Without that library, on a machine where it was not built, there is no backtrace.
"""

from __future__ import annotations

import ctypes
import os
import re
import time

from filed.errors import printable
from filed.process.native import native_library
from filed.process.system import ask_where_it_is, handle_of, memory_file, read_at

MAX_BYTES = 64 << 10
_FAULT = re.compile(rb"signal \d+, address 0x([0-9a-f]+)")
END = b"end\n"  # of one backtrace
_HEAD = re.compile(r"signal [0-9]+.*, thread ([0-9]{1,10})").fullmatch
ANSWER_WITHIN_S = 0.5  # a process asked where it is; it may be stopped, or hold the signal back


class Backtrace:
    """Make it before the fork; `install` in the job process; `ask` and `read` in its parent.

    descriptor: of a file that the parent has made; default: a new one.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self.descriptor = memory_file("last words") if descriptor is None else descriptor

    def install(self) -> None:
        """In the job process, on the thread that calls agents."""
        library = native_library("postmortem", use_errno=True)
        if library is None:
            return
        if library.postmortem_install(ctypes.c_void_p(handle_of(self.descriptor))):
            raise OSError(ctypes.get_errno(), "cannot prepare for a crash")

    def ask(self, pid: int) -> None:
        """Have a process that hangs write where it is."""
        if not ask_where_it_is(pid):
            return
        end = time.monotonic() + ANSWER_WITHIN_S
        while not self._written().endswith(END) and time.monotonic() < end:
            time.sleep(0.01)

    def read(self) -> list[str]:
        """The lines, safe to show; none when it ended otherwise."""
        return [printable(line) for line in self._written().removesuffix(END).split(b"\n") if line]

    @property
    def fault_address(self) -> int:
        """Of the memory that could not be touched; 0 when that was not the end."""
        found = _FAULT.match(self._written())
        return int(found[1], 16) if found else 0

    def _written(self) -> bytes:
        return read_at(self.descriptor, MAX_BYTES, 0)

    def close(self) -> None:
        os.close(self.descriptor)


def thread_that_died(backtrace: list[str]) -> int:
    """Whose the last backtrace is; 0: there is none. The first thread, which calls agents, has the process' number."""
    threads = [found[1] for line in backtrace if (found := _HEAD(line))]
    return int(threads[-1]) if threads else 0
