"""The inside of a job process: from the fork to the last line on the channel.

One Python thread drives agents, pipeline and storage; in a restore another reads ahead (`ahead`). Two more sleep on the cancel_pipe:
one wakes to cancel, the other when our parent is gone, and then makes sure that we do not outlive it for long.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Collection
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from filed.errors import FiledError, JobCanceled
from filed.job.context import Cancellation, JobContext
from filed.job.description import (
    AgentSetup,
    BackupJob,
    EstimateJob,
    JobDescription,
    NetworkBackup,
    NetworkRestore,
    OtherWork,
    RestoreJob,
)
from filed.process.backtrace import Backtrace
from filed.process.cancel_pipe import readable
from filed.process.capture import Capture
from filed.process.channel import Sender
from filed.process.limits import bound_process
from filed.process.outcome import JobStatus, Outcome
from filed.process.status_page import StatusPage

GC_THRESHOLD = 50_000  # pages make and drop thousands of tuples; nothing here forms cycles
SWITCH_INTERVAL_S = 0.0005  # a worker between two calls of C code waits no longer for the job thread
MALLOPT_TRIM_THRESHOLD, MALLOPT_MMAP_THRESHOLD = -1, -3  # <malloc.h>
KEPT_BYTES = 32 << 20  # freed memory that stays with the process
KILL_AFTER_S = 30.0  # an agent that ignores a cancel for so long is killed with its process
BROKEN = 70  # exit code of a job process that could not even say what was wrong


@dataclass(frozen=True, slots=True)
class Ends:
    """The job process' ends of what leads to its parent. cancel_pipe: readable for a cancel, at its end when the parent is gone."""

    sock: socket.socket
    cancel_pipe: int
    capture: Capture
    backtrace: Backtrace
    calls: socket.socket | None = None  # see process/handed_socket.py

    @property
    def descriptors(self) -> set[int]:
        found = {self.sock.fileno(), self.cancel_pipe, *self.capture.descriptors, self.backtrace.descriptor}
        return found if self.calls is None else found | {self.calls.fileno()}


MODULES_OF_NETWORK_JOBS = (
    "filed.job.backup",
    "filed.job.ends.director_backup",
    "filed.job.restore",
    "filed.job.ends.director_restore",
    "filed.job.verify",
    "filed.job.ends.director_verify",
    "filed.job.estimate",
    "re2",
    "xxhash",
)
MODULES_OF_KEYS = (
    "filed.pipeline.der",
    "cryptography.hazmat.primitives.ciphers.algorithms",
    "cryptography.hazmat.primitives.ciphers.modes",
    "cryptography.hazmat.primitives.serialization",
)


def load_ahead(*, keys: bool) -> None:
    """For a parent of many Jobs, before the first fork: the code that each of them would load, 60 ms of it. keys: 80 ms more."""
    for name in (*MODULES_OF_NETWORK_JOBS, *(MODULES_OF_KEYS if keys else ())):
        import_module(name)


def serve(
    description: JobDescription, ends: Ends, status_page: StatusPage, kill_after_s: float = KILL_AFTER_S
) -> NoReturn:
    """Do one Job and leave. Reports first, then ends without running anybody's exit handlers.

    Agents' exit handlers have crashed many hosts and must not turn a good Job bad.
    """
    code = BROKEN
    try:
        _settle(ends, kill_after_s, description.agents)
        context = JobContext.of(Sender(ends.sock), status_page, ends.cancel_pipe, ends.calls)
        threading.Thread(
            target=_watch_cancel_pipe, args=(context.cancellation,), name="cancel pipe", daemon=True
        ).start()
        outcome = do(description, context)
        ends.capture.flush()
        context.parent.send(outcome.event())
        code = 0
    except BaseException:  # noqa: BLE001  the top of the process: the parent gets whatever it was
        with contextlib.suppress(OSError):
            os.write(2, traceback.format_exc().encode())
    finally:
        if _parent_is_gone(ends.cancel_pipe):
            os.killpg(0, signal.SIGKILL)  # with the commands that agents started: nobody else will see to them
        os._exit(code)


def _settle(ends: Ends, kill_after_s: float, agents: AgentSetup) -> None:
    """Make this copy of our parent a job process: its own group, no terminal, nothing of other Jobs, no core files."""
    with contextlib.suppress(OSError):  # our parent was faster
        os.setpgid(0, 0)  # a Ctrl-C on the terminal is the parent's to answer
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    gc.set_threshold(GC_THRESHOLD)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    _keep_memory()
    ends.capture.redirect()
    _let_go({1, 2} | ends.descriptors)
    ends.backtrace.install()
    bound_process(new_privileges=any(line.limits.new_privileges for line in agents.lines))
    threading.Thread(target=_watch_parent, args=(ends.cancel_pipe, kill_after_s), name="parent", daemon=True).start()


def _keep_memory() -> None:
    """What is freed stays with the process: buffers of some hundred KiB come and go by the thousand.

    Each from the kernel anew is 64 page faults: 1.2 s of the 7 that encrypting 1.6 GB took. Does nothing where malloc is not glibc's.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(MALLOPT_MMAP_THRESHOLD, KEPT_BYTES)
        mallopt(MALLOPT_TRIM_THRESHOLD, KEPT_BYTES)


def _let_go(kept: Collection[int]) -> None:
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


def do(description: JobDescription, context: JobContext) -> Outcome:
    """The work itself, in this process. Raises nothing: the outcome says what went wrong."""
    # Each kind of Job brings rooms that the others do not need: 30 ms of start-up.
    try:
        if isinstance(description, OtherWork):
            return description.do(context)
        if isinstance(description, BackupJob | NetworkBackup):
            from filed.job.backup import backup  # noqa: PLC0415

            return backup(description, context)
        if isinstance(description, RestoreJob | NetworkRestore):
            from filed.job.restore import restore  # noqa: PLC0415

            return restore(description, context)
        if isinstance(description, EstimateJob):
            from filed.job.estimate import estimate  # noqa: PLC0415

            return estimate(description, context)
        from filed.job.verify import verify  # noqa: PLC0415

        return verify(description, context)
    except JobCanceled as canceled:
        return context.ended(JobStatus.CANCELED, str(canceled))
    except FiledError as error:
        return context.ended(JobStatus.FATAL, str(error))
    except MemoryError:
        text = "out of memory; where a Fence of an agent has a Memory Limit, it may be too low for this Job"
        return context.ended(JobStatus.FATAL, text)
    except Exception as error:  # noqa: BLE001  our own bug must still end the Job with its reason
        context.messages.debug(traceback.format_exc())
        return context.ended(JobStatus.FATAL, f"internal error: {type(error).__name__}: {error}")


def _watch_cancel_pipe(cancellation: Cancellation) -> None:
    """A byte, or the end of the pipe (our parent is gone), cancels the Job."""
    readable(cancellation.pipe)  # the byte stays: each wait of the job thread sees it, too
    cancellation.cancel()


def _parent_is_gone(cancel_pipe: int) -> bool:
    end = select.poll()
    end.register(cancel_pipe, 0)  # only its end, not the byte of a cancel
    return any(event & select.POLLHUP for _, event in end.poll(0))


def _watch_parent(cancel_pipe: int, kill_after_s: float) -> None:
    """The end of the pipe: nobody is left who could kill us, should an agent be deaf to the cancel."""
    end = select.poll()
    end.register(cancel_pipe, 0)
    end.poll()
    time.sleep(kill_after_s)
    os.killpg(0, signal.SIGKILL)
