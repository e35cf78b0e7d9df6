"""One Director's visit in a process of its own, forked for it: talks to the Director, runs the Job, asks the daemon about the rest.

The process has one thread, so that it can fork job processes safely; and whatever a stranger makes of his conversation, no other feels
it. With the daemon it shares two descriptors and a page:

    channel   SOCK_SEQPACKET, one JSON object a message: we ask, the daemon answers what has an answer (`send_answer`)
    bell      a pipe; a byte in it (an Ending), or its end, says that the visit is to end
    pulse     the page of the Job, which the daemon reads for a status, and writes a bandwidth to
"""

from __future__ import annotations

import json
import logging
import os
import platform
import secrets
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from filed.agents.pulse import Pulse
from filed.config import FileDaemonConf
from filed.daemon.log import bind
from filed.daemon.messages import Deliveries
from filed.daemon.supervisor import JobProcess
from filed.director.connection import DirectorConnection, KnownDirector, TlsBegins
from filed.director.conversation import Facts
from filed.director.house import Ending, Teller
from filed.director.line import Line
from filed.director.session import Session
from filed.director.status import DaemonStatus, EndedJob, RunningJob
from filed.errors import AuthenticationError, ConnectionLost, FiledError, JobError
from filed.job.bell import readable
from filed.job.channel import Event
from filed.job.description import JobDescription, StorageDaemon
from filed.job.outcome import JobStatus, Outcome
from filed.job.setup import keys_of, setup_of
from filed.transport import Connection, check_name, server_context, tls_need
from filed.wire.auth import secret_of
from filed.wire.reply import VERSION_9

MAX_MESSAGE = 1 << 18  # bytes of one message on the channel
REFUSED_PAUSE_S = 3.0  # who could not prove who it is waits so long for his next try

log = logging.getLogger("filed")


class Daemon:
    """The daemon, as seen from a visit: a `director.house.House`."""

    def __init__(self, channel: socket.socket, bell: int, pulse: Pulse, agent_timeout_s: float) -> None:
        self.bell = bell
        self._channel, self._pulse = channel, pulse
        self._agent_timeout_s = agent_timeout_s
        self._ending = Ending.NO
        self._begun = False

    def note(self, job: RunningJob) -> None:
        bind(director=job.director)
        if job.job_id:
            bind(job_id=job.job_id, job=job.job)
        if job.type and not self._begun:
            self._begun = True
            log.info("the Job begins", extra={"type": job.type, "level": job.level})
        self._send(ask="note", job=asdict(job))

    def ended(self, job: EndedJob) -> None:
        good = JobStatus(job.status).good
        facts = {"status": job.status, "files": job.files, "bytes": job.job_bytes, "errors": job.errors}
        log.log(
            logging.INFO if good else logging.ERROR,
            "the Job has ended",
            extra=facts | ({} if good else {"why": job.text}),
        )
        self._send(ask="ended", job=asdict(job))

    def runs(self, group: int) -> None:
        self._send(ask="runs", group=group)

    def greeted(self) -> None:
        self._send(ask="greeted")

    def may_begin(self) -> bool:
        return bool(self._ask(ask="begin")["may"])

    def status(self) -> DaemonStatus:
        return DaemonStatus.from_dict(self._ask(ask="status"))

    def metrics(self) -> tuple[DaemonStatus, list[list[Any]]]:
        """The status, and what has ended, as `metrics.Tallies.rows`."""
        answer = self._ask(ask="metrics")
        return DaemonStatus.from_dict(answer["status"]), answer["tallies"]

    def cancel(self, job: str, *, stop: bool) -> bool:
        return bool(self._ask(ask="cancel", job=job, stop=stop)["found"])

    def set_bandwidth(self, bytes_per_second: int, job: str) -> bool:
        return bool(self._ask(ask="bandwidth", limit=bytes_per_second, job=job)["found"])

    def set_debug(self, level: int, trace: int) -> None:
        self._send(ask="debug", level=level, trace=trace)

    @property
    def ending(self) -> Ending:
        while readable(self.bell, timeout_s=0):
            word = os.read(self.bell, 1).decode("ascii", "replace")
            if self._ending is Ending.NO:  # the first reason counts, but each byte is taken: the bell must fall silent
                self._ending = Ending(word) if word in set(Ending) and word else Ending.DAEMON
            if not word:
                self._silence()
        return self._ending

    def _silence(self) -> None:
        """The daemon is gone, and its bell would ring for ever: put one in its place that nobody rings."""
        silent, self._kept = os.pipe()
        os.dup2(silent, self.bell, inheritable=False)
        os.close(silent)

    def run(
        self, description: JobDescription, on_event: Callable[[Event, Teller], None], wanted: Callable[[], bool]
    ) -> Outcome:
        try:
            started = JobProcess(description, agent_timeout_s=self._agent_timeout_s, pulse=self._pulse)
        except OSError as error:
            text = f"the Job gets no process: {error.strerror}; look at the memory, and at the daemon's limits of processes and files"
            raise JobError(text) from error
        with started as process:
            return process.run(lambda event: on_event(event, process), lambda: None, wanted)

    def _send(self, **message: object) -> None:
        try:
            self._channel.send(json.dumps(message).encode())
        except OSError as error:
            raise ConnectionLost("the daemon", "a visit", error.strerror or "gone") from error

    def _ask(self, **message: object) -> dict[str, Any]:
        self._send(**message)
        answer = receive_answer(self._channel)
        if not answer:
            raise ConnectionLost("the daemon", "a visit", "it is gone")
        return answer


def send_answer(channel: socket.socket, answer: dict[str, Any]) -> None:
    """In a file in memory: a status of many Jobs is longer than any message may be. Raises OSError."""
    with os.fdopen(os.memfd_create("answer"), "wb") as file:
        file.write(json.dumps(answer).encode())
        file.flush()
        socket.send_fds(channel, [b"a"], [file.fileno()])


def receive_answer(channel: socket.socket) -> dict[str, Any]:
    """Empty when the daemon is gone, or had no room for one."""
    try:
        _, descriptors, _, _ = socket.recv_fds(channel, 1, 1, socket.MSG_CMSG_CLOEXEC)
    except OSError:
        return {}
    if not descriptors:
        return {}
    with os.fdopen(descriptors[0], "rb") as file:
        file.seek(0)
        answer: dict[str, Any] = json.load(file)
        return answer


def serve_director(
    sock: socket.socket, caller: str, conf: FileDaemonConf, agents: tuple[str, ...], daemon: Daemon
) -> NoReturn:
    """Talk to whoever called, and leave. Called in a fresh fork, which this never returns from."""
    leave_after(caller, lambda: _visit(sock, caller, conf, agents, daemon))


def leave_after(caller: str, work: Callable[[], None]) -> NoReturn:
    """Do the work of a fresh fork, and leave."""
    code = 1
    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, _leave_it_to_the_daemon)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        work()
        code = 0
    except AuthenticationError as error:
        log.warning("%s: %s", caller, error)
        time.sleep(REFUSED_PAUSE_S)
    except FiledError as error:
        log.warning("%s: %s", caller, error)
    except BaseException:
        log.exception("%s: internal error", caller)
    finally:
        logging.shutdown()
        os._exit(code)


def _leave_it_to_the_daemon(_number: int, _frame: FrameType | None) -> None:
    """The daemon gets the signal as well, and rings. Not SIG_IGN: the programs of a Job would inherit that."""


def _visit(sock: socket.socket, caller: str, conf: FileDaemonConf, agents: tuple[str, ...], daemon: Daemon) -> None:
    file_daemon = conf.file_daemon
    tls = {director.name: director.tls for director in conf.directors}
    known = {
        director.name: KnownDirector(
            director.name,
            secret_of(director.password.encode("utf-8", "surrogateescape")),
            director.monitor,
            tls_need(director.tls),
        )
        for director in conf.directors
    }
    disabled = {each.name: (*each.disabled_commands, *file_daemon.disabled_commands) for each in conf.directors}
    core = DirectorConnection(file_daemon.name, known, VERSION_9, secrets.randbits(32), int(time.time()), disabled)

    def start_tls(connection: Connection, begins: TlsBegins) -> None:
        wanted = tls[begins.director.name]
        encrypted = connection.start_tls(server_context(wanted), server=True)
        check_name(encrypted, wanted, f'Director "{begins.director.name}"')

    heartbeat_s = file_daemon.heartbeat_interval_s
    compress = file_daemon.comm_compression and VERSION_9.protocol.line_compression
    connection = Connection(sock, f"a Director at {caller}", doorbell=daemon.bell, keepalive_s=heartbeat_s)
    line = Line(
        connection,
        core,
        start_tls,
        lambda: daemon.ending is not Ending.NO,
        compress=compress,
        heartbeat_s=heartbeat_s,
    )
    facts = Facts(
        file_daemon.name,
        VERSION_9,
        platform_text(),
        Path(file_daemon.working_directory),
        setup_of(file_daemon),
        StorageDaemon(
            "",
            0,
            "",
            file_daemon.tls,
            file_daemon.source_address,
            float(file_daemon.sd_connect_timeout_s),
            compress,
            heartbeat_s,
        ),
        keys_of(file_daemon),
        agents,
        Deliveries(conf),
    )
    try:
        Session(line, daemon, facts).serve()
    finally:
        line.close(politely=False)


def platform_text() -> str:
    """`host,distribution,version`, as a Director keeps it in its catalog."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    machine = f"{platform.machine()}-{platform.system().lower()}"
    return ",".join((machine, release.get("ID", "unknown"), release.get("VERSION_ID", "unknown"))).replace(" ", "_")
