"""The process of one client: talks to it, runs its Job, asks the daemon about the rest.

It has one thread, so that it can start job processes safely; and whatever an unauthenticated client does, no other is affected. Who calls is a Director, or a Storage Daemon that a Director told to (`storage_call.py`): his Hello says it.
"""

from __future__ import annotations

import logging
import os
import platform
import secrets
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn

from filed.config import FileDaemonConf
from filed.config.filedaemon import FileDaemon
from filed.daemon.api import Daemon
from filed.daemon.messages import Deliveries
from filed.daemon.storage_call import answer_call
from filed.director.connection import DirectorConnection, KnownDirector, TlsBegins
from filed.director.conversation import Facts
from filed.director.daemon_api import Ending
from filed.director.dot_status import Resource
from filed.director.line import GREETING_TIMEOUT_S, Line
from filed.director.session import Session
from filed.errors import AuthenticationError, FiledError
from filed.job.description import StorageDaemon
from filed.job.setup import keys_of, setup_of
from filed.transport import Connection, TlsChannel, check_names, psk_server_context, server_context, tls_offer
from filed.wire.auth import Encryption, secret_of
from filed.wire.frame import Packet
from filed.wire.storage import StorageCall
from filed.wire.version import offered_by

REFUSED_PAUSE_S = 3.0  # who could not prove who it is waits so long for his next try

log = logging.getLogger("filed")


def serve_client(
    sock: socket.socket, caller: str, conf: FileDaemonConf, agents: tuple[str, ...], daemon: Daemon
) -> NoReturn:
    """Talk to whoever called, and leave. Called in a fresh fork, which this never returns from."""
    leave_after(caller, lambda: _serve(sock, caller, conf, agents, daemon))


def leave_after(caller: str, work: Callable[[], None]) -> NoReturn:
    """Do the work of a fresh fork, and leave."""
    code = 1
    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, _leave_it_to_the_daemon)
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


def _serve(sock: socket.socket, caller: str, conf: FileDaemonConf, agents: tuple[str, ...], daemon: Daemon) -> None:
    heartbeat_s = conf.file_daemon.heartbeat_interval_s
    connection = Connection(sock, f"a Director at {caller}", cancel_pipe=daemon.cancel_pipe, keepalive_s=heartbeat_s)
    try:
        connection.limit(GREETING_TIMEOUT_S)
        hello = connection.receive()
        call = StorageCall.parse(hello) if isinstance(hello, bytes) else None
        if call is not None:
            answer_call(connection, sock, caller, call, conf.file_daemon, daemon)
        else:
            serve_director(connection, hello, conf, agents, daemon)
    finally:
        connection.close()


def serve_director(
    connection: Connection, hello: Packet, conf: FileDaemonConf, agents: tuple[str, ...], daemon: Daemon
) -> None:
    """connection: with a limit for the greeting."""
    file_daemon = conf.file_daemon
    tls = {director.name: director.tls for director in conf.directors}
    known = {
        director.name: KnownDirector(
            director.name,
            secret_of(director.password.encode("utf-8", "surrogateescape")),
            director.monitor,
            tls_offer(director.tls),
        )
        for director in conf.directors
    }
    disabled = {each.name: (*each.disabled_commands, *file_daemon.disabled_commands) for each in conf.directors}
    core = DirectorConnection(
        file_daemon.name,
        known,
        secrets.randbits(64),
        int(time.time()),
        disabled,
        offered_by(file_daemon.protocol),
    )

    def start_tls(connection: Connection, begins: TlsBegins) -> None:
        wanted, by_key = tls[begins.director.name], begins.by is Encryption.SHARED_KEY
        context = psk_server_context(begins.director.secret) if by_key else server_context(wanted)
        connection.encrypt(lambda sock: TlsChannel(sock, context, server=True, shared_key=by_key))
        if by_key:
            return
        check_names(connection.names, wanted, f'Director "{begins.director.name}"')

    heartbeat_s = file_daemon.heartbeat_interval_s
    compress = file_daemon.comm_compression
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
        {each.name: each.directories for each in conf.directors},
        Deliveries(conf),
        _resource(file_daemon),
    )
    line.hear(hello)
    Session(line, daemon, facts).serve()


def _resource(daemon: FileDaemon) -> Resource:
    signs, address = daemon.pki.signatures or daemon.pki.encryption, daemon.addresses[0]
    return Resource(
        daemon.working_directory,
        daemon.pid_directory,
        daemon.plugin_directory,
        daemon.heartbeat_interval_s,
        daemon.maximum_concurrent_jobs,
        address.port,
        address.host,
        daemon.sd_connect_timeout_s,
        daemon.maximum_bandwidth_per_job,
        daemon.comm_compression,
        daemon.disabled_commands,
        daemon.tls,
        daemon.pki.encryption,
        daemon.pki.signatures,
        daemon.pki.cipher.value if daemon.pki.encryption else "",
        daemon.pki.digest.value if signs else "",
    )


def platform_text() -> str:
    """`host,distribution,version`, as a Director keeps it in its catalog."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    machine = f"{platform.machine()}-{platform.system().lower()}"
    return ",".join((machine, release.get("ID", "unknown"), release.get("VERSION_ID", "unknown"))).replace(" ", "_")
