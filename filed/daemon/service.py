"""The daemon: waits for clients, and starts a process for each. What these share is in its registry.

It has one thread and never speaks with a client itself, so that forking is safe and nothing a client does can hurt it. Its loop waits
for calls, for its processes' questions and ends, and for signals: SIGTERM and SIGINT end it, SIGHUP has it read its conf again.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from filed.agents.scan import examine
from filed.config import FileDaemonConf, read_filedaemon_conf
from filed.config.filedaemon import Director
from filed.daemon.certificates import check_certificates
from filed.daemon.children import Child, Children, how_it_ended
from filed.daemon.client_process import leave_after, serve_client
from filed.daemon.director_call import call_director
from filed.daemon.journal_watch import check_watch, journal_store, keep_watch
from filed.daemon.listener import listen
from filed.daemon.metrics import check_metrics, serve_metrics
from filed.daemon.notify import notify
from filed.daemon.registry import CalledDirector, ClientProcess, Registry, one_too_many
from filed.director.lists import remove_lists
from filed.errors import AgentLoadError, FiledError
from filed.job.keys import why_no_backup
from filed.job.process import load_ahead
from filed.job.setup import keys_of, setup_of
from filed.process.supervisor import KILL_AFTER_S
from filed.process.system import end_group, exists

SPARE_CLIENTS = 50  # beyond Maximum Concurrent Jobs: consoles, and Jobs that wait for their turn
MAX_UNAUTHENTICATED = 20  # clients that have not proved who they are
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


@dataclass(frozen=True, slots=True)
class Found:
    """agents: what the agents of a conf call themselves. warnings: sentences for a person, those of the conf first."""

    agents: tuple[str, ...]
    warnings: tuple[str, ...]


def look_at(conf: FileDaemonConf) -> Found:
    """Is all there that a conf names? Raises FiledError for what cannot be used."""
    daemon = conf.file_daemon
    if not Path(daemon.working_directory).is_dir():
        raise daemon.place.error(f'"Working Directory": there is no directory {daemon.working_directory}; make it')
    check_certificates(conf)
    weak = why_no_backup(keys_of(daemon))
    warnings = (*conf.warnings, *check_watch(daemon), *((f"no backup will run: {weak}",) if weak else ()))
    return Found(load_agents(conf), warnings)


class Service:
    """See the module. path: of the conf."""

    def __init__(self, path: Path) -> None:
        self._path = path
        conf = read_filedaemon_conf(path)
        found = look_at(conf)
        self._warnings = found.warnings
        daemon = conf.file_daemon
        load_ahead(keys=bool(daemon.pki.keypair))
        self._listeners = listen(daemon.addresses)
        self._work = Path(daemon.working_directory)
        remove_lists(self._work, lambda pid: not exists(pid))
        self._registry = Registry(conf, found.agents)
        self._metrics: list[socket.socket] = []
        self._ending_at: float | None = None
        self._reload = self._stop = False
        self._selector = selectors.DefaultSelector()
        self._children = Children(self._selector, self)
        self._wakeup, self._signal_end = socket.socketpair()

    def run(self) -> None:
        """Until SIGTERM, and then until every process has reported and ended."""
        for warning in self._warnings:
            log.warning("%s", warning)
        with self._signals():
            for listener in self._listeners:
                self._selector.register(listener, selectors.EVENT_READ, self._accept)
            self._selector.register(self._wakeup, selectors.EVENT_READ, self._woken)
            self._keep_metrics()
            self._keep_journal()
            self._keep_calling()
            notify("READY=1")
            name = self._registry.conf.file_daemon.name
            log.info("%s is ready, with %s", name, ", ".join(self._registry.agents))
            while self._ending_at is None or self._children:
                self._turn()
        log.info("%s ends", name)

    def close(self) -> None:
        for listener in (*self._listeners, *self._metrics):
            listener.close()
        self._children.close()
        self._selector.close()
        self._wakeup.close()
        self._signal_end.close()

    # -- one turn of the loop -------------------------------------------------------------------------------------

    def _turn(self) -> None:
        self._children.tend()
        for key, _ in self._selector.select(self._patience_s()):
            act: Callable[[Any], None] = key.data
            act(key.fileobj)
        if self._reload:
            self._reload = False
            self._read_again()
        if self._stop and self._ending_at is None:
            self._begin_to_end()
        if self._ending_at is not None and time.monotonic() > self._ending_at:
            self._children.kill()

    def _patience_s(self) -> float | None:
        if self._ending_at is not None:
            return max(self._ending_at - time.monotonic(), 0.1)
        return self._children.patience_s()

    def _woken(self, wakeup: socket.socket) -> None:
        wakeup.recv(1000)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Signals become a byte that wakes the loop, and a word that it looks at."""
        self._wakeup.setblocking(False)
        self._signal_end.setblocking(False)
        before = signal.set_wakeup_fd(self._signal_end.fileno(), warn_on_full_buffer=False)
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        handlers = {number: signal.signal(number, self._note) for number in numbers}
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(before)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._reload = True
        else:
            self._stop = True

    def _read_again(self) -> None:
        """A conf that is wrong changes nothing. Addresses stay until a restart; clients keep the conf they began with."""
        notify("RELOADING=1")
        try:
            conf = read_filedaemon_conf(self._path)
            found = look_at(conf)
            self._registry.agents, self._registry.conf = found.agents, conf
            for warning in found.warnings:
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
        self._children.end()

    # -- processes ------------------------------------------------------------------------------------------------

    def _accept(self, listener: socket.socket) -> None:
        try:
            sock, address = listener.accept()
        except OSError as error:
            if error.errno in NO_ROOM:
                time.sleep(NO_ROOM_PAUSE_S)  # the client waits in the queue, and would wake us again at once
            return  # it has left already, or the next turn tries again
        client = str(address[0])
        conf, agents = self._registry.conf, self._registry.agents
        most = conf.file_daemon.maximum_concurrent_jobs + SPARE_CLIENTS
        with sock:
            if sum(each.authenticated for each in self._registry.clients.values()) >= most:
                log.warning("closing connection from %s: limit of %d clients reached", client, most)
                return
            self._make_room()
            try:
                row = self._children.start(
                    client, lambda daemon: serve_client(sock, client, conf, agents, daemon), ClientProcess
                )
            except OSError as error:  # no room: for this client, not for those who are here
                log.warning("closing connection from %s: it gets no process: %s", client, error.strerror)
                return
        self._registry.clients[row.pid] = row

    def _make_room(self) -> None:
        """For one unauthenticated client more."""
        while (client := one_too_many(self._registry.clients.values(), MAX_UNAUTHENTICATED)) is not None:
            log.warning(
                "closing unauthenticated connection from %s: limit of %d reached", client.name, MAX_UNAUTHENTICATED
            )
            client.dismissed = True
            client.process.kill_tree()

    def _keep_metrics(self) -> None:
        """A process that answers Prometheus, for each address of its own, if the conf wants one."""
        address = self._registry.conf.file_daemon.metrics
        if address is not None:
            check_metrics()
            self._metrics = listen([address])
            for listener in self._metrics:
                self._children.keep("metrics", partial(self._start_metrics, listener))

    def _start_metrics(self, listener: socket.socket) -> Child:
        store = journal_store(self._registry.conf.file_daemon)
        with listener.dup() as own:  # the new process closes what is the daemon's
            return self._children.start(
                "metrics",
                lambda daemon: leave_after(
                    "metrics", lambda: serve_metrics(own, daemon.cancel_pipe, daemon.metrics, store)
                ),
                Child,
            )

    def _keep_journal(self) -> None:
        """A watcher of the change journal, if the conf has one. Its file systems stay until a restart."""
        daemon = self._registry.conf.file_daemon
        store = journal_store(daemon)
        if store is not None and daemon.journal_watch:
            self._children.keep("journal", partial(self._start_journal, store, daemon.journal_watch))

    def _start_journal(self, store: Path, paths: tuple[str, ...]) -> Child:
        return self._children.start(
            "journal",
            lambda daemon: leave_after("journal", lambda: keep_watch(store, paths, daemon.cancel_pipe)),
            Child,
        )

    def _keep_calling(self) -> None:
        """A process that waits for each Director which the conf has us call. Which ones that are stays until a restart."""
        for director in self._registry.conf.directors:
            if director.connect:
                self._children.keep(f'the call of Director "{director.name}"', partial(self._start_call, director))

    def _start_call(self, at_first: Director) -> Child:
        conf, agents = self._registry.conf, self._registry.agents
        director = next((each for each in conf.directors if each.name == at_first.name), at_first)
        name = f'Director "{director.name}"'
        row = self._children.start(
            name,
            lambda daemon: leave_after(name, lambda: call_director(director, conf, agents, daemon)),
            CalledDirector,
        )
        self._registry.clients[row.pid] = row
        return row

    def answer(self, child: Child, question: dict[str, Any], descriptor: int) -> dict[str, Any] | None:
        if question["ask"] == "greeted":
            self._children.replace(child)  # a Director that we called has come
        return self._registry.answer(child, question, descriptor)

    def ended(self, child: Child, code: int) -> None:
        if code < 0:
            remove_lists(self._work, lambda pid: pid == child.pid)
        client = self._registry.clients.pop(child.pid, None)
        if client is None:
            return
        if client.program:
            end_group(client.program)
        if code < 0 and not client.dismissed:
            self._registry.was_killed(client, how_it_ended(code))

    def let_go(self) -> None:
        """In a new process."""
        self.close()


def check(path: Path) -> tuple[str, ...]:
    """What `-t` does. Returns warnings; raises FiledError for what is wrong."""
    conf = read_filedaemon_conf(path)
    found = look_at(conf)
    if conf.file_daemon.metrics is not None:
        check_metrics()
    return found.warnings
