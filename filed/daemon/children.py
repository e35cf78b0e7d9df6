"""The table of the daemon's processes: one for each client, and those that are to run as long as the daemon does.

Each is a row: how it is asked to end, what it asks (`api.Daemon` is its side), and how its end is noticed. What a question means, and what a
client's end means, is the registry's and the service's business.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn, Protocol, TypeVar

from filed.daemon.api import Daemon, question_on, send_answer
from filed.daemon.attendant import Attendant
from filed.director.daemon_api import Ending
from filed.process import system
from filed.process.exit_report import signal_name
from filed.process.status_page import StatusPage

SHORTEST_S = 1.0
"""What ends sooner, and was to run always, has failed, whatever its code is."""

log = logging.getLogger("filed")


class Child:
    """One process, seen from the daemon. name: for the log."""

    def __init__(  # noqa: PLR0917  the ends of what it shares with us
        self,
        name: str,
        process: system.Process,
        channel: socket.socket,
        cancel_pipe: int,
        calls: socket.socket,
        status_page: StatusPage,
    ) -> None:
        self.name, self.process, self.channel, self.calls, self.status_page = name, process, channel, calls, status_page
        self._cancel_pipe = cancel_pipe
        self.began = time.monotonic()

    @property
    def pid(self) -> int:
        return self.process.pid

    def ring(self, ending: Ending) -> None:
        """Ask it to end. More than once does no harm."""
        with contextlib.suppress(OSError):
            os.write(self._cancel_pipe, ending.value.encode())

    def close(self) -> None:
        self.channel.close()
        self.calls.close()
        self.process.close()
        os.close(self._cancel_pipe)


Row = TypeVar("Row", bound=Child)
Serve = Callable[[Daemon], NoReturn]
"""What a process does, from its start to its end."""


class Listener(Protocol):
    """Who is told what happens to the rows."""

    def answer(self, child: Child, question: dict[str, Any], descriptor: int) -> dict[str, Any] | None:
        """None where nothing is asked. descriptor: what came along, -1 for nothing; open until this returns."""

    def ended(self, child: Child, code: int) -> None:
        """A process is gone. code: of its exit, or minus the signal that killed it."""

    def let_go(self) -> None:
        """In a new process: close all that is the daemon's."""


class Children:
    """See the module. selector: of the daemon's loop; each thing that is registered carries the function to call."""

    def __init__(self, selector: selectors.BaseSelector, listener: Listener) -> None:
        self._selector, self._listener = selector, listener
        self._rows: dict[int, Child] = {}
        self._kept: list[Attendant] = []

    def __len__(self) -> int:
        return len(self._rows)

    def start(self, name: str, serve: Serve, row: type[Row]) -> Row:
        """A new process. Raises OSError when there is no room for one."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        calls, taken = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        status_page = StatusPage()
        cancel_pipe, ring = os.pipe()

        def main() -> NoReturn:
            signal.set_wakeup_fd(-1)
            self._listener.let_go()  # above all the cancel pipes of others, which must ring when the daemon dies
            ours.close()
            calls.close()
            os.close(ring)
            serve(Daemon(theirs, cancel_pipe, taken, status_page))

        try:
            process = system.start(main)
        except OSError:
            os.close(ring)
            raise
        finally:
            theirs.close()
            taken.close()
            os.close(cancel_pipe)
        child = self._rows[process.pid] = row(name, process, ours, ring, calls, status_page)
        self._selector.register(ours, selectors.EVENT_READ, partial(self._asked, child))
        self._selector.register(process, selectors.EVENT_READ, lambda _process: self._has_ended(child))
        return child

    def keep(self, name: str, begin: Callable[[], Child]) -> None:
        """A process that runs as long as the daemon does: whenever it ends, `begin` starts it again after a pause that grows."""
        self._kept.append(Attendant(name, lambda: begin().pid))

    def replace(self, child: Child) -> None:
        """One that was to run always does something else from now on: another begins in its place. Nothing happens to others."""
        if (kept := self._keeper(child)) is not None:
            kept.left()

    def tend(self) -> None:
        """Start those whose pause is over."""
        for each in self._kept:
            each.tend()

    def patience_s(self) -> float | None:
        """How long `tend` has nothing to do; None for ever."""
        return min((wait for each in self._kept if (wait := each.patience_s()) is not None), default=None)

    def end(self) -> None:
        """Ask all to end; none is started again."""
        self._kept.clear()
        for child in self._rows.values():
            child.ring(Ending.DAEMON)

    def kill(self) -> None:
        for child in self._rows.values():
            child.process.kill_tree()

    def close(self) -> None:
        for child in self._rows.values():
            child.close()

    def _has_ended(self, child: Child) -> None:
        code = child.process.wait()
        self._selector.unregister(child.process)
        self._hear_no_more(child)
        self._drain(child)
        del self._rows[child.pid]
        if (kept := self._keeper(child)) is not None:
            if code or time.monotonic() - child.began < SHORTEST_S:
                kept.died(how_it_ended(code))
            else:
                kept.left()
        self._listener.ended(child, code)
        child.close()

    def _keeper(self, child: Child) -> Attendant | None:
        return next((each for each in self._kept if each.pid == child.pid), None)

    def _asked(self, child: Child, channel: socket.socket) -> None:
        answer: dict[str, Any] | None = None
        try:
            with question_on(channel) as (data, descriptor):
                if not data:  # it ends
                    self._hear_no_more(child)
                    return
                answer = self._listener.answer(child, json.loads(data), descriptor)
        except OSError:
            self._hear_no_more(child)
            return
        except (ValueError, TypeError, KeyError):
            log.exception("process of %s sent an invalid question", child.name)
            answer = {}
        if answer is not None:
            try:
                send_answer(channel, answer)
            except OSError as error:
                log.warning("cannot answer the process of %s: %s", child.name, error.strerror)
                with contextlib.suppress(OSError):
                    channel.send(b"-")

    def _hear_no_more(self, child: Child) -> None:
        with contextlib.suppress(KeyError, ValueError):  # it is not registered any more, or closed
            self._selector.unregister(child.channel)

    def _drain(self, child: Child) -> None:
        """What it said last, before its end was noticed."""
        child.channel.setblocking(False)
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            while True:
                with question_on(child.channel) as (data, descriptor):
                    if not data:
                        return
                    self._listener.answer(child, json.loads(data), descriptor)


def how_it_ended(code: int) -> str:
    return f"was killed by {signal_name(-code)}" if code < 0 else f"ended with code {code}"
