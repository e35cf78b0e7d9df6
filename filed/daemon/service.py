"""The daemon: waits for Directors, and forks a process for each visit. What the visits share is in its registry.

It has one thread and never speaks with a stranger itself, so that forking is safe and nothing a visit does can hurt it. Its loop waits
for calls, for its visits' questions, and for signals: SIGTERM and SIGINT end it, SIGHUP has it read its conf again.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from filed.agents.scan import examine
from filed.config import FileDaemonConf, read_filedaemon_conf
from filed.daemon.api import Daemon, question_on, send_answer
from filed.daemon.attendant import Attendant
from filed.daemon.certificates import check_certificates
from filed.daemon.client_process import leave_after, serve_caller
from filed.daemon.listener import listen
from filed.daemon.metrics import check_metrics, serve_metrics
from filed.daemon.notify import notify
from filed.daemon.registry import Registry, Visit, tiresome
from filed.director.daemon_api import Ending
from filed.director.lists import remove_lists
from filed.errors import AgentLoadError, FiledError
from filed.job.keys import load_keys
from filed.job.process import load_ahead
from filed.job.setup import keys_of, setup_of
from filed.process.exit_report import signal_name
from filed.process.status_page import StatusPage
from filed.process.supervisor import KILL_AFTER_S
from filed.process.system import end_group, exists

SPARE_VISITS = 50  # beyond Maximum Concurrent Jobs: consoles, and Jobs that wait for their turn
MAX_STRANGERS = 20  # visits that have not proved who they are
NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
NO_ROOM_PAUSE_S = 0.2
END_WITHIN_S = KILL_AFTER_S + 10  # what has not ended so long after SIGTERM is killed

log = logging.getLogger("filed")


def load_agents(conf: FileDaemonConf) -> tuple[str, ...]:
    """What the agents of the conf call themselves. Raises AgentLoadError when one cannot be used."""
    setup = setup_of(conf.file_daemon)
    labels = []
    for line in setup.lines:
        scanned = examine(line.name, setup.directories, setup.digests)
        if scanned.about is None:
            raise AgentLoadError(scanned.id, "load", 0, scanned.refused)
        labels.append(scanned.about.label)
    return tuple(labels)


def look_at(conf: FileDaemonConf) -> tuple[str, ...]:
    """Is all there that a conf names? Returns what its agents call themselves; raises FiledError for what cannot be used."""
    daemon = conf.file_daemon
    if not Path(daemon.working_directory).is_dir():
        raise daemon.place.error(f'"Working Directory": there is no directory {daemon.working_directory}; make it')
    check_certificates(conf)
    load_keys(keys_of(daemon))
    return load_agents(conf)


class Service:
    """See the module. path: of the conf."""

    def __init__(self, path: Path) -> None:
        self._path = path
        conf = read_filedaemon_conf(path)
        agents = look_at(conf)
        daemon = conf.file_daemon
        load_ahead(keys=bool(daemon.pki.keypair))
        self._listeners = listen(daemon.addresses)
        self._work = Path(daemon.working_directory)
        remove_lists(self._work, lambda pid: not exists(pid))
        self._registry = Registry(conf, agents)
        self._metrics: list[socket.socket] = []
        self._attendants: list[Attendant] = []
        self._ending_at: float | None = None
        self._reload = self._stop = False
        self._selector = selectors.DefaultSelector()
        self._wakeup, self._signal_end = socket.socketpair()

    def run(self) -> None:
        """Until SIGTERM, and then until every visit has reported and ended."""
        for warning in self._registry.conf.warnings:
            log.warning("%s", warning)
        with self._signals():
            for listener in self._listeners:
                self._selector.register(listener, selectors.EVENT_READ, self._accept)
            self._selector.register(self._wakeup, selectors.EVENT_READ, self._woken)
            self._open_metrics()
            notify("READY=1")
            name = self._registry.conf.file_daemon.name
            log.info("%s is ready, with %s", name, ", ".join(self._registry.agents))
            while self._ending_at is None or self._registry.visits:
                self._turn()
        log.info("%s ends", name)

    def close(self) -> None:
        for listener in (*self._listeners, *self._metrics):
            listener.close()
        for visit in self._registry.visits.values():
            visit.close()
        self._selector.close()
        self._wakeup.close()
        self._signal_end.close()

    # -- one turn of the loop -------------------------------------------------------------------------------------

    def _turn(self) -> None:
        if self._ending_at is None:
            self._tend()
        for key, _ in self._selector.select(self._patience_s()):
            act: Callable[[Any], None] = key.data
            act(key.fileobj)
        if self._reload:
            self._reload = False
            self._read_again()
        if self._stop and self._ending_at is None:
            self._begin_to_end()
        self._reap()
        if self._ending_at is not None and time.monotonic() > self._ending_at:
            for visit in self._registry.visits.values():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(visit.pid, signal.SIGKILL)

    def _patience_s(self) -> float | None:
        if self._ending_at is not None:
            return max(self._ending_at - time.monotonic(), 0.1)
        return min((wait for each in self._attendants if (wait := each.patience_s()) is not None), default=None)

    def _woken(self, wakeup: socket.socket) -> None:
        wakeup.recv(1000)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Signals become a byte that wakes the loop, and a word that it looks at."""
        self._wakeup.setblocking(False)
        self._signal_end.setblocking(False)
        before = signal.set_wakeup_fd(self._signal_end.fileno(), warn_on_full_buffer=False)
        handlers = {
            number: signal.signal(number, self._note)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
        }
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(before)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._reload = True
        elif number != signal.SIGCHLD:
            self._stop = True

    def _read_again(self) -> None:
        """A conf that is wrong changes nothing. Addresses stay until a restart; visits keep the conf they began with."""
        notify("RELOADING=1")
        try:
            conf = read_filedaemon_conf(self._path)
            self._registry.agents = look_at(conf)
            self._registry.conf = conf
            for warning in conf.warnings:
                log.warning("%s", warning)
            log.info("%s was read again", self._path)
        except FiledError as error:
            log.warning("%s is left as it was: %s", self._path, error)
        notify("READY=1")

    def _begin_to_end(self) -> None:
        notify("STOPPING=1")
        self._ending_at = time.monotonic() + END_WITHIN_S
        for listener in self._listeners:
            self._selector.unregister(listener)
            listener.close()
        self._listeners = []
        for visit in self._registry.visits.values():
            visit.ring(Ending.DAEMON)

    # -- visits ---------------------------------------------------------------------------------------------------

    def _accept(self, listener: socket.socket) -> None:
        try:
            sock, address = listener.accept()
        except OSError as error:
            if error.errno in NO_ROOM:
                time.sleep(NO_ROOM_PAUSE_S)  # he waits in the queue, and would wake us again at once
            return  # he has left already, or the next turn tries again
        caller = str(address[0])
        visits, conf = self._registry.visits.values(), self._registry.conf
        trusted = sum(visit.trusted for visit in visits)
        if trusted >= conf.file_daemon.maximum_concurrent_jobs + SPARE_VISITS:
            log.warning("%s is sent away: %d visits are here", caller, trusted)
            sock.close()
            return
        while (stranger := tiresome(visits, MAX_STRANGERS)) is not None:
            log.warning("%s is sent away: it has not said who it is, and others call", stranger.caller)
            stranger.dismissed = True
            os.kill(stranger.pid, signal.SIGKILL)
        with sock:
            try:
                self._begin_visit(
                    caller, lambda daemon: serve_caller(sock, caller, conf, self._registry.agents, daemon)
                )
            except OSError as error:  # no room: for him, not for those who are here
                log.warning("%s is sent away: %s", caller, error.strerror)

    def _open_metrics(self) -> None:
        """A process that answers Prometheus, for each address of its own, if the conf wants one."""
        address = self._registry.conf.file_daemon.metrics
        if address is not None:
            check_metrics()
            self._metrics = listen([address])
            self._attendants = [Attendant("metrics", partial(self._begin_metrics, each)) for each in self._metrics]
            self._tend()

    def _tend(self) -> None:
        for attendant in self._attendants:
            attendant.tend()

    def _begin_metrics(self, listener: socket.socket) -> int:
        """Returns its pid. Raises OSError when there is no room for it."""
        with listener.dup() as own:  # the fork closes what is the daemon's
            visit = self._begin_visit(
                "metrics",
                lambda daemon: leave_after("metrics", lambda: serve_metrics(own, daemon.cancel_pipe, daemon.metrics)),
            )
        visit.trusted = True  # it is ours
        return visit.pid

    def _begin_visit(self, caller: str, serve: Callable[[Daemon], NoReturn]) -> Visit:
        """Fork a process for it. Raises OSError when there is no room for one."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        calls, taken = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        status_page = StatusPage()
        cancel_pipe, ring = os.pipe()
        try:
            pid = os.fork()
        except OSError:
            os.close(cancel_pipe)
            os.close(ring)
            raise
        if pid == 0:
            self._become_visit()
            ours.close()
            calls.close()
            os.close(ring)
            serve(Daemon(theirs, cancel_pipe, taken, status_page))
        theirs.close()
        taken.close()
        os.close(cancel_pipe)
        visit = self._registry.visits[pid] = Visit(pid, ours, ring, calls, status_page, caller)
        self._selector.register(ours, selectors.EVENT_READ, lambda channel: self._asked(pid, channel))
        return visit

    def _become_visit(self) -> None:
        """In the fork: let go of all that is the daemon's. The bells of others above all must ring when it dies."""
        signal.set_wakeup_fd(-1)
        self.close()

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG)) != (0, 0):
                self._has_ended(found[0], os.waitstatus_to_exitcode(found[1]))

    def _has_ended(self, pid: int, code: int) -> None:
        """code: of its process, or minus the signal that killed it."""
        if code < 0:
            remove_lists(self._work, lambda each: each == pid)
        visit = self._registry.visits.pop(pid, None)
        if visit is None:
            return
        with contextlib.suppress(KeyError):
            self._selector.unregister(visit.channel)
        self._drain(visit)
        if visit.program:
            end_group(visit.program)
        attendant = next((each for each in self._attendants if each.pid == pid), None)
        how = f"was killed by {signal_name(-code)}" if code < 0 else f"ended with code {code}"
        if attendant is not None and self._ending_at is None:
            attendant.died(how)
        elif code < 0 and not visit.dismissed:
            self._registry.was_killed(visit, how)
        visit.close()

    def _drain(self, visit: Visit) -> None:
        """What it said last, before its end was noticed."""
        visit.channel.setblocking(False)
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            while True:
                with question_on(visit.channel) as (data, descriptor):
                    if not data:
                        return
                    self._registry.answer(visit, json.loads(data), descriptor)

    def _asked(self, pid: int, channel: socket.socket) -> None:
        visit = self._registry.visits.get(pid)
        answer: dict[str, Any] | None = None
        try:
            with question_on(channel) as (data, descriptor):
                if not data or visit is None:
                    self._selector.unregister(channel)  # it ends; SIGCHLD follows
                    return
                answer = self._registry.answer(visit, json.loads(data), descriptor)
        except OSError:
            self._selector.unregister(channel)
            return
        except (ValueError, TypeError, KeyError):
            log.exception("a visit asked what makes no sense")
            answer = {}
        if answer is not None:
            try:
                send_answer(channel, answer)
            except OSError as error:
                log.warning("a visit gets no answer: %s", error.strerror)
                with contextlib.suppress(OSError):
                    channel.send(b"-")


def check(path: Path) -> tuple[str, ...]:
    """What `-t` does. Returns warnings; raises FiledError for what is wrong."""
    conf = read_filedaemon_conf(path)
    look_at(conf)
    if conf.file_daemon.metrics is not None:
        check_metrics()
    return conf.warnings
