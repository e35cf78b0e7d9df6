"""The daemon: waits for Directors, forks a process for each visit, and keeps what the visits share.

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
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from filed.agents.pulse import Pulse
from filed.agents.report import signal_name
from filed.agents.scan import examine
from filed.config import FileDaemonConf, read_filedaemon_conf
from filed.daemon.certificates import check_certificates
from filed.daemon.listener import listen
from filed.daemon.metrics import Tallies, check_metrics, serve_metrics
from filed.daemon.notify import notify
from filed.daemon.registry import EndedJobs, Visit, may_begin, state_path, tiresome
from filed.daemon.visit import MAX_MESSAGE, Daemon, leave_after, platform_text, send_answer, serve_director
from filed.director.house import Ending
from filed.director.lists import remove_lists
from filed.director.scripts import end_program
from filed.director.status import DaemonStatus, EndedJob, RunningJob
from filed.errors import AgentLoadError, FiledError
from filed.job.keys import load_keys
from filed.job.outcome import JobStatus
from filed.job.process import KILL_AFTER_S, load_ahead
from filed.job.setup import keys_of, setup_of
from filed.wire.director import JobCommand

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


class Service:
    """See the module. path: of the conf."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._conf = read_filedaemon_conf(path)
        self._agents = load_agents(self._conf)
        check_certificates(self._conf)
        load_ahead(keys=bool(self._conf.file_daemon.pki.keypair))
        self._started = time.time()
        daemon = self._conf.file_daemon
        self._listeners = listen(daemon.addresses)
        self._work = Path(daemon.working_directory)
        remove_lists(self._work, lambda pid: not Path(f"/proc/{pid}").exists())
        self._ended = EndedJobs(state_path(self._work, daemon.name))
        self._tallies = Tallies()
        self._visits: dict[int, Visit] = {}  # by pid
        self._jobs_run = self._debug = self._trace = self._bandwidth = 0
        self._ending_at: float | None = None
        self._reload = self._stop = False
        self._selector = selectors.DefaultSelector()
        self._wakeup, self._signal_end = socket.socketpair()

    def run(self) -> None:
        """Until SIGTERM, and then until every visit has reported and ended."""
        for warning in self._conf.warnings:
            log.warning("%s", warning)
        with self._signals():
            for listener in self._listeners:
                self._selector.register(listener, selectors.EVENT_READ, self._accept)
            self._selector.register(self._wakeup, selectors.EVENT_READ, self._woken)
            self._begin_metrics()
            notify("READY=1")
            name = self._conf.file_daemon.name
            log.info("%s is ready, with %s", name, ", ".join(self._agents))
            while self._ending_at is None or self._visits:
                self._turn()
        log.info("%s ends", self._conf.file_daemon.name)

    def close(self) -> None:
        for listener in self._listeners:
            listener.close()
        for visit in self._visits.values():
            visit.close()
        self._selector.close()
        self._wakeup.close()
        self._signal_end.close()

    # -- one turn of the loop -------------------------------------------------------------------------------------

    def _turn(self) -> None:
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
            for visit in self._visits.values():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(visit.pid, signal.SIGKILL)

    def _patience_s(self) -> float | None:
        return None if self._ending_at is None else max(self._ending_at - time.monotonic(), 0.1)

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
            check_certificates(conf)
            self._agents = load_agents(conf)
            self._conf = conf
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
        for visit in self._visits.values():
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
        trusted = sum(visit.trusted for visit in self._visits.values())
        if trusted >= self._conf.file_daemon.maximum_concurrent_jobs + SPARE_VISITS:
            log.warning("%s is sent away: %d visits are here", caller, trusted)
            sock.close()
            return
        while (stranger := tiresome(self._visits.values(), MAX_STRANGERS)) is not None:
            log.warning("%s is sent away: it has not said who it is, and others call", stranger.caller)
            stranger.dismissed = True
            os.kill(stranger.pid, signal.SIGKILL)
        with sock:
            try:
                self._begin_visit(caller, lambda daemon: serve_director(sock, caller, self._conf, self._agents, daemon))
            except (
                OSError
            ) as error:  # no descriptors, processes or memory are left: for him, not for those who are here
                log.warning("%s is sent away: %s", caller, error.strerror)

    def _begin_metrics(self) -> None:
        """A process that answers Prometheus, if the conf wants one. It stays until the daemon ends."""
        address = self._conf.file_daemon.metrics
        if address is None:
            return
        check_metrics()
        for listener in listen([address]):
            with listener:
                visit = self._begin_visit(
                    "metrics",
                    lambda daemon, on=listener: leave_after(  # type: ignore[misc]
                        "metrics", lambda: serve_metrics(on, daemon.bell, daemon.metrics)
                    ),
                )
                visit.trusted = True  # it is ours

    def _begin_visit(self, caller: str, serve: Callable[[Daemon], NoReturn]) -> Visit:
        """Fork a process for it. Raises OSError when there is no room for one."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pulse = Pulse()
        bell, ring = os.pipe()
        try:
            pid = os.fork()
        except OSError:
            os.close(bell)
            os.close(ring)
            raise
        if pid == 0:
            self._become_visit()
            ours.close()
            os.close(ring)
            daemon = Daemon(theirs, bell, pulse, float(self._conf.file_daemon.agent_timeout_s))
            serve(daemon)
        theirs.close()
        os.close(bell)
        visit = self._visits[pid] = Visit(pid, ours, ring, pulse, caller)
        self._selector.register(ours, selectors.EVENT_READ, lambda channel: self._asked(pid, channel))
        return visit

    def _become_visit(self) -> None:
        """In the fork: let go of all that is the daemon's. The bells of others above all must ring when it dies."""
        signal.set_wakeup_fd(-1)
        self.close()

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG)) != (0, 0):
                if os.WIFSIGNALED(found[1]):
                    remove_lists(self._work, lambda pid, dead=found[0]: pid == dead)  # type: ignore[misc]
                visit = self._visits.pop(found[0], None)
                if visit is not None:
                    with contextlib.suppress(KeyError):
                        self._selector.unregister(visit.channel)
                    self._drain(visit)
                    if visit.program:
                        end_program(visit.program)
                    if os.WIFSIGNALED(found[1]) and not visit.dismissed:
                        self._was_killed(visit, os.WTERMSIG(found[1]))
                    visit.close()

    def _was_killed(self, visit: Visit, number: int) -> None:
        """For want of memory, say. It could not tell anybody how its Job ended, and the Director sees a connection lost."""
        why = f"its process was killed by {signal_name(number)}"
        log.error("%s: %s", visit.caller, why)
        job = visit.running()
        if job is not None and job.job_id:
            name = JobCommand(job.job_id, job.job).name
            counted = (job.files, job.job_bytes, job.errors + 1, JobStatus.FATAL.value, time.time(), why)
            self._end_of(EndedJob(job.job_id, name, job.level, job.type, *counted))

    def _drain(self, visit: Visit) -> None:
        """What it said last, before its end was noticed."""
        visit.channel.setblocking(False)
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            while data := visit.channel.recv(MAX_MESSAGE):
                self._answer(visit, json.loads(data))

    def _asked(self, pid: int, channel: socket.socket) -> None:
        visit = self._visits.get(pid)
        try:
            data = channel.recv(MAX_MESSAGE)
        except OSError:
            data = b""
        if not data or visit is None:
            self._selector.unregister(channel)  # it ends; SIGCHLD follows
            return
        try:
            answer = self._answer(visit, json.loads(data))
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

    def _answer(self, visit: Visit, question: dict[str, Any]) -> dict[str, Any] | None:
        """None where nothing is asked."""
        match question["ask"]:
            case "greeted":
                visit.trusted = True
                return None
            case "begin":
                visit.begun = may_begin(self._visits.values(), visit, self._conf.file_daemon.maximum_concurrent_jobs)
                return {"may": visit.begun}
            case "note":
                first = visit.job is None
                visit.job = RunningJob(**question["job"])
                if first and visit.job.job_id:
                    self._jobs_run += 1
                    self._limit(visit)
                return None
            case "ended":
                self._end_of(EndedJob(**question["job"]))
                visit.job = None
                return None
            case "runs":
                visit.program = question["group"]
                return None
            case "debug":
                self._debug, self._trace = question["level"], question["trace"]
                log.setLevel(logging.DEBUG if self._debug else logging.INFO)
                return None
            case "status":
                return self._status().as_dict()
            case "metrics":
                return {"status": self._status().as_dict(), "tallies": self._tallies.rows()}
            case "cancel":
                return {"found": self._cancel(question["job"], Ending.STOP if question["stop"] else Ending.CANCEL)}
            case "bandwidth":
                return {"found": self._set_bandwidth(question["job"], question["limit"])}
        raise ValueError(question["ask"])

    def _end_of(self, job: EndedJob) -> None:
        self._ended.add(job)
        self._tallies.add(job)

    def _status(self) -> DaemonStatus:
        running = [job for visit in self._visits.values() if (job := visit.running()) is not None]
        return DaemonStatus(
            self._conf.file_daemon.name,
            self._started,
            os.getpid(),
            platform_text(),
            self._jobs_run,
            self._debug,
            self._trace,
            self._bandwidth,
            self._agents,
            tuple(running),
            tuple(self._ended),
        )

    def _of_job(self, job: str) -> list[Visit]:
        return [visit for visit in self._visits.values() if visit.job and visit.job.job_id and visit.job.job == job]

    def _cancel(self, job: str, ending: Ending) -> bool:
        found = self._of_job(job)
        for visit in found:
            visit.ring(ending)
        return bool(found)

    def _set_bandwidth(self, job: str, limit: int) -> bool:
        if not job:
            self._bandwidth = limit
            return True
        found = self._of_job(job)
        for visit in found:
            visit.pulse.bandwidth = limit
        return bool(found)

    def _limit(self, visit: Visit) -> None:
        """The least of the limits that hold for a Job that begins."""
        assert visit.job is not None
        directors = [each for each in self._conf.directors if each.name == visit.job.director]
        limits = [self._bandwidth, self._conf.file_daemon.maximum_bandwidth_per_job]
        limits += [each.maximum_bandwidth_per_job for each in directors]
        visit.pulse.bandwidth = min((limit for limit in limits if limit), default=0)


def check(path: Path) -> tuple[str, ...]:
    """What `-t` looks at: the conf, the agents, certificates and keys. Returns warnings; raises FiledError for what is wrong."""
    conf = read_filedaemon_conf(path)
    load_agents(conf)
    check_certificates(conf)
    load_keys(keys_of(conf.file_daemon))
    if conf.file_daemon.metrics is not None:
        check_metrics()
    return conf.warnings
