"""A Director that we call, for the daemon: one process waits for it on a connection of its own, and serves it when it comes.

When it has come, the daemon has another process wait (`Service`): a Director may need us for several things at once.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import replace

from filed.config import FileDaemonConf
from filed.config.filedaemon import Director
from filed.daemon.api import Daemon
from filed.daemon.client_process import serve_director
from filed.director.calling import DirectorAddress, introduce, wait_for_hello
from filed.director.line import GREETING_TIMEOUT_S
from filed.errors import JobCanceled
from filed.transport import Connection, connect
from filed.wire.auth import secret_of


def call_director(director: Director, conf: FileDaemonConf, agents: tuple[str, ...], daemon: Daemon) -> None:
    """From the call to the end of what the Director wanted. Raises FiledError."""
    file_daemon = conf.file_daemon
    address = DirectorAddress(
        director.name,
        director.address,
        director.dir_port,
        file_daemon.name.encode("utf-8", "surrogateescape"),
        secret_of(director.password.encode("utf-8", "surrogateescape")),
        director.tls,
    )
    try:
        sock = connect(
            address.host,
            address.port,
            f'Director "{director.name}"',
            cancel_pipe=daemon.cancel_pipe,
            source=file_daemon.source_address,
        )
        heartbeat_s = file_daemon.heartbeat_interval_s
        connection = Connection(sock, address.peer, cancel_pipe=daemon.cancel_pipe, keepalive_s=heartbeat_s)
        try:
            connection.limit(GREETING_TIMEOUT_S)
            introduce(connection, address, secrets.randbits(64), int(time.time()))
            connection.limit(None)
            hello = wait_for_hello(connection, director.reconnection_time_s)
            if hello is not None:
                connection.limit(GREETING_TIMEOUT_S)
                serve_director(connection, hello, replace(conf, directors=(director,)), agents, daemon)
        finally:
            connection.close()
    except JobCanceled:
        return  # the daemon ends
