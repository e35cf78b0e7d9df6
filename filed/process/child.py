"""The inside of a child process: from its start to the last line on its channel.

One thread does the work. Two more sleep on the cancel pipe: one wakes to cancel, the other when the parent is gone, and then makes
sure that this process does not outlive it for long.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import NoReturn

from filed.process import system
from filed.process.backtrace import Backtrace
from filed.process.capture import Capture
from filed.process.channel import Sender
from filed.process.limits import bound_process
from filed.process.outcome import Outcome
from filed.process.status_page import StatusPage
from filed.process.system import end_own_group, parent_is_gone, readable
from filed.process.task import receive_task

GC_THRESHOLD = 50_000  # pages make and drop thousands of tuples; nothing here forms cycles
SWITCH_INTERVAL_S = 0.0005  # a worker between two calls of C code waits no longer for the main thread
BROKEN = 70  # exit code of a child that could not even say what was wrong


@dataclass(frozen=True, slots=True)
class Ends:
    """The child's ends of what leads to its parent. cancel_pipe: readable for a cancel, at its end when the parent is gone."""

    sock: socket.socket
    cancel_pipe: int
    capture: Capture
    backtrace: Backtrace
    status_page: StatusPage
    calls: socket.socket | None = None  # see handed_socket.py

    @property
    def descriptors(self) -> set[int]:
        found = {self.sock.fileno(), self.cancel_pipe, *self.capture.descriptors, self.backtrace.descriptor}
        return found if self.calls is None else found | {self.calls.fileno()}


@dataclass(frozen=True, slots=True)
class Parent:
    """The parent, as the work of a child sees it."""

    sender: Sender
    status_page: StatusPage
    cancel_pipe: int
    calls: socket.socket | None

    def on_cancel(self, cancel: Callable[[], None]) -> None:
        """Have it called, on a thread of its own, when the parent cancels or is gone."""

        def watch() -> None:
            readable(self.cancel_pipe)  # the byte stays: each wait of the main thread sees it, too
            cancel()

        threading.Thread(target=watch, name="cancel pipe", daemon=True).start()


Perform = Callable[[bytes, Parent], Outcome]


def start(ends: Ends) -> system.Process:
    """A child that serves these ends. Raises OSError when there is no room for one."""
    if sys.platform == "win32":
        from filed.process import spawned  # noqa: PLC0415  which imports this module

        return spawned.start(ends)
    return system.start(partial(serve, ends))


def serve(ends: Ends) -> NoReturn:
    """Do one task and leave. Reports first, then ends without running anybody's exit handlers.

    Agents' exit handlers have crashed many hosts and must not turn a good Job bad.
    """
    code = BROKEN
    try:
        _settle(ends)
        task = receive_task(ends.sock)
        bound_process(new_privileges=task.new_privileges)
        watch = threading.Thread(
            target=_watch_parent, args=(ends.cancel_pipe, task.kill_after_s), name="parent", daemon=True
        )
        watch.start()
        sender = Sender(ends.sock)
        perform: Perform = import_module(task.program).perform
        outcome = perform(task.request, Parent(sender, ends.status_page, ends.cancel_pipe, ends.calls))
        ends.capture.flush()
        sender.send(outcome.event())
        code = 0
    except BaseException:  # noqa: BLE001  the top of the process: the parent gets whatever it was
        with contextlib.suppress(OSError):
            os.write(2, traceback.format_exc().encode())
    finally:
        if parent_is_gone(ends.cancel_pipe):
            end_own_group()  # with the commands that agents started: nobody else will see to them
        os._exit(code)


def _settle(ends: Ends) -> None:
    """Make this copy of our parent a process of its own: no terminal, nothing of other children, no core files."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    gc.set_threshold(GC_THRESHOLD)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    system.keep_memory()
    ends.capture.redirect()
    system.let_go({1, 2} | ends.descriptors)
    ends.backtrace.install()


def _watch_parent(cancel_pipe: int, kill_after_s: float) -> None:
    """The end of the pipe: nobody is left who could kill us, should an agent be deaf to the cancel."""
    parent_is_gone(cancel_pipe, timeout_s=None)
    time.sleep(kill_after_s)
    end_own_group()
