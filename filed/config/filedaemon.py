"""bacula-fd.conf: the resources FileDaemon (Client), Director, Messages, Console and Statistics, as values.

Every directive that bacula-fd 9.6.7 accepts is known; the few that mean nothing here are accepted with a warning.  The
agents of `plugin` lines are ours.  Passwords are kept out of `repr`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from filed.config.agents import AgentConf, is_plugin_line, read_agents
from filed.config.keys import NO_PKI, NO_TLS, Pki, Tls, read_pki, read_tls, tls_gaps
from filed.config.messages import Messages, read_messages
from filed.config.protocol import Protocol
from filed.config.resources import Block, Warnings, unknown_resource
from filed.config.secrecy import warn_if_readable
from filed.config.syntax import Place, Statement, read
from filed.config.trust import why_writable
from filed.errors import ConfigError

FD_PORT = 9102
DIR_PORT = 9101
RECONNECTION_S = 40 * 60
NETWORK_BUFFER_BYTES = 65_536
DISABLEABLE = (
    *("backup", "cancel", "setdebug=", "setbandwidth=", "estimate", "fileset", "JobId=", "level =", "restore"),
    *("endrestore", "session", "status", ".status", "storage", "verify", "RunBeforeNow", "RunBeforeJob", "RunAfterJob"),
    *("Run", "accurate", "FileSetPrograms", "FileSetLists"),
)
"""The commands a `Disable Command` may name: those of the manual, and two of our own for what a FileSet may name."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the daemon listens.  host "" = everywhere; family: "ip", "ipv4" or "ipv6"."""

    host: str
    port: int | str
    family: str = "ip"


@dataclass(frozen=True, slots=True)
class FileDaemon:
    name: str
    description: str = ""
    addresses: tuple[Address, ...] = (Address("", FD_PORT),)
    source_address: str = ""
    working_directory: str = ""
    pid_directory: str = ""
    plugin_directory: str = ""
    maximum_concurrent_jobs: int = 20
    sd_connect_timeout_s: int = 1800
    heartbeat_interval_s: int = 0
    maximum_bandwidth_per_job: int = 0
    comm_compression: bool = True
    protocol: Protocol = Protocol.AUTO
    disabled_commands: tuple[str, ...] = ()
    messages: str = ""
    ver_id: str = ""
    pki: Pki = NO_PKI
    tls: Tls = NO_TLS
    agent_timeout_s: int = 600
    agent_digests: frozenset[str] = frozenset()
    agents: tuple[AgentConf, ...] = ()
    metrics: Address | None = None
    journal_watch: tuple[str, ...] = ()
    place: Place = field(default=Place(""), compare=False)


@dataclass(frozen=True, slots=True)
class Directories:
    """Where a Director may reach on this machine; none: everywhere."""

    backup: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    restore: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()


EVERYWHERE = Directories()


@dataclass(frozen=True, slots=True)
class Director:
    """maximum_bandwidth_per_job: bytes a second, 0 = no limit.

    connect: it is called, at `address` and `dir_port`, and each connection that it has not used is made anew after `reconnection_time_s`.
    """

    name: str
    password: str = field(repr=False)
    description: str = ""
    address: str = ""
    monitor: bool = False
    remote: bool = False
    console: str = ""
    maximum_bandwidth_per_job: int = 0
    disabled_commands: tuple[str, ...] = ()
    directories: Directories = EVERYWHERE
    connect: bool = False
    dir_port: int = DIR_PORT
    reconnection_time_s: int = RECONNECTION_S
    tls: Tls = NO_TLS
    place: Place = field(default=Place(""), compare=False)


@dataclass(frozen=True, slots=True)
class Console:
    name: str
    password: str = field(repr=False)
    address: str = ""
    dir_port: int = DIR_PORT
    tls: Tls = NO_TLS


@dataclass(frozen=True, slots=True)
class FileDaemonConf:
    """A whole bacula-fd.conf.  warnings: sentences for a person, each with its place."""

    file_daemon: FileDaemon
    directors: tuple[Director, ...]
    messages: tuple[Messages, ...]
    consoles: tuple[Console, ...] = ()
    warnings: tuple[str, ...] = ()


NO_CONSOLE = "it names what bacula-fd's own console may do"
NO_SCHEDULE = "a Director that is to be called is called at any time, and the connection kept"
RESOURCES = ("FileDaemon", "Client", "Director", "Messages", "Console", "Statistics", "Schedule", "plugin")


def read_filedaemon_conf(path: Path | str) -> FileDaemonConf:
    """Read a bacula-fd.conf with what it includes.  Raises ConfigError for the first thing that is wrong."""
    return filedaemon_conf(read(path), str(path))


def filedaemon_conf(statements: Iterable[Statement], file: str = "") -> FileDaemonConf:
    """The same from statements already read; `file` is named in messages."""
    warnings = Warnings()
    daemons: list[FileDaemon] = []
    directors: list[Director] = []
    messages: list[Messages] = []
    consoles: list[Console] = []
    agent_lines: list[Statement] = []
    for statement in statements:
        if is_plugin_line(statement):
            agent_lines.append(statement)
            continue
        match statement.key if statement.body is not None else "":
            case "filedaemon" | "client":
                if daemons:
                    raise statement.place.error("there may be only one FileDaemon resource")
                daemons.append(read_file_daemon(statement, agent_lines, warnings))
            case "director":
                directors.append(_director(statement, warnings))
            case "messages":
                messages.append(read_messages(statement, warnings))
            case "console":
                consoles.append(_console(statement, warnings))
                warnings.add(statement.place, f"a Console resource has no effect: {NO_CONSOLE}")
            case "job" | "fileset" | "storage":
                warnings.add(statement.place, f"a {statement.name} resource is for `filed backup`, not for the daemon")
            case "schedule":
                warnings.add(statement.place, f"a Schedule resource has no effect: {NO_SCHEDULE}")
            case "statistics":
                warnings.add(statement.place, "a Statistics resource has no effect: none are collected")
            case _:
                raise unknown_resource(statement, RESOURCES)
    if not daemons:
        raise ConfigError("a FileDaemon resource is missing", file)
    daemon = replace(daemons[0], agents=read_agents(agent_lines, warnings))
    if not daemon.working_directory:
        raise daemon.place.error('FileDaemon needs a "Working Directory" line')
    with contextlib.suppress(OSError):  # whether it can be used shows when it is
        if why := why_writable(daemon.working_directory, Path(daemon.working_directory).stat()):
            raise daemon.place.error(f"the Working Directory {why}")
    if not directors:
        raise ConfigError("a Director resource is missing: nobody could connect", file)
    _check_names(daemon, directors, messages, consoles)
    warn_if_readable(file, "passwords", warnings)
    _warn_of_tls(daemon, directors, warnings)
    return FileDaemonConf(daemon, tuple(directors), tuple(messages), tuple(consoles), tuple(warnings.texts))


def read_file_daemon(statement: Statement, agent_lines: list[Statement], warnings: Warnings) -> FileDaemon:
    """The FileDaemon (or Client) resource; its plugin lines are appended to `agent_lines` and not read here."""
    body = statement.body or ()
    agent_lines.extend(inner for inner in body if is_plugin_line(inner))
    body = tuple(inner for inner in body if not is_plugin_line(inner))
    block = Block(replace(statement, body=body), "FileDaemon", warnings)
    daemon = FileDaemon(
        name=block.name(),
        description=block.string("Description"),
        addresses=_addresses(block),
        source_address=block.string("FD Source Address"),
        working_directory=block.path("Working Directory"),
        pid_directory=block.path("Pid Directory"),
        plugin_directory=block.path("Plugin Directory"),
        maximum_concurrent_jobs=block.integer("Maximum Concurrent Jobs", 20, least=1, most=10_000),
        sd_connect_timeout_s=block.duration_s("SD Connect Timeout", 1800),
        heartbeat_interval_s=block.duration_s("Heartbeat Interval"),
        maximum_bandwidth_per_job=block.speed_bytes_s("Maximum Bandwidth Per Job"),
        comm_compression=block.yes("Comm Compression", default=True),
        protocol=block.choice("Protocol Version", Protocol, Protocol.AUTO),
        disabled_commands=_disabled(block),
        messages=block.string("Messages"),
        ver_id=block.string("Ver Id"),
        pki=read_pki(block),
        tls=read_tls(block, server=False),
        agent_timeout_s=block.duration_s("Agent Timeout", 600),
        agent_digests=_agent_digests(block),
        metrics=_metrics(block),
        journal_watch=block.paths("Journal Watch"),
        place=statement.place,
    )
    block.accepted("Sub Sys Directory", "Scripts Directory")
    block.unsupported("SD Packet Check", "what a Storage Daemon has to say is heard at once")
    block.unsupported("Maximum Job Error Count", "a Job goes on, and its report has the number of its errors")
    block.unsupported("Snapshot Command", "snapshots are not taken")
    if block.integer("Maximum Network Buffer Size", NETWORK_BUFFER_BYTES, most=1_000_000) != NETWORK_BUFFER_BYTES:
        why = f"a packet has up to {NETWORK_BUFFER_BYTES:,} bytes of file data, and the system sizes its own buffers"
        block.unsupported("Maximum Network Buffer Size", why)
    block.finish()
    return daemon


def _director(statement: Statement, warnings: Warnings) -> Director:
    block = Block(statement, "Director", warnings)
    director = Director(
        name=block.name(),
        password=block.string("Password", required=True),
        description=block.string("Description"),
        address=block.string("Address"),
        monitor=block.yes("Monitor"),
        remote=block.yes("Remote"),
        console=block.string("Console"),
        maximum_bandwidth_per_job=block.speed_bytes_s("Maximum Bandwidth Per Job"),
        disabled_commands=_disabled(block),
        directories=Directories(
            _directories(block, "Allowed Backup Directories"),
            _directories(block, "Excluded Backup Directories"),
            _directories(block, "Allowed Restore Directories"),
            _directories(block, "Allowed Script Directories"),
        ),
        connect=block.yes("Connect To Director"),
        dir_port=block.integer("DIR Port", DIR_PORT, least=1, most=65_535),
        reconnection_time_s=block.duration_s("Reconnection Time", RECONNECTION_S),
        tls=read_tls(block, server=True),
        place=statement.place,
    )
    if director.remote:
        block.unsupported("Remote", NO_CONSOLE)
    block.unsupported("Schedule", NO_SCHEDULE)
    block.finish()
    if director.connect and not director.address:
        raise statement.place.error('"Connect To Director" needs an "Address" of the Director')
    if director.reconnection_time_s < 1:
        raise statement.place.error('"Reconnection Time" is at least a second')
    if not director.password:
        warnings.add(statement.place, f'Director "{director.name}" has an empty password')
    return director


def _console(statement: Statement, warnings: Warnings) -> Console:
    block = Block(statement, "Console", warnings)
    console = Console(
        name=block.name(),
        password=block.string("Password", required=True),
        address=block.string("Address"),
        dir_port=block.integer("DIR Port", DIR_PORT, least=1, most=65_535),
        tls=read_tls(block, server=True),
    )
    block.accepted("Description")
    block.finish()
    return console


def _warn_of_tls(daemon: FileDaemon, directors: list[Director], warnings: Warnings) -> None:
    for gap in tls_gaps(daemon.tls, server=False):
        warnings.add(daemon.place, f'FileDaemon "{daemon.name}": {gap}')
    for director in directors:
        for gap in tls_gaps(director.tls, server=True):
            warnings.add(director.place, f'Director "{director.name}": {gap}')


def _check_names(
    daemon: FileDaemon, directors: list[Director], messages: list[Messages], consoles: list[Console]
) -> None:
    for what, names in (
        ("Director", [each.name for each in directors]),
        ("Messages", [each.name for each in messages]),
        ("Console", [each.name for each in consoles]),
    ):
        for name in names:
            if names.count(name) > 1:
                raise daemon.place.error(f'there are two {what} resources named "{name}"')
    if daemon.messages and daemon.messages not in [each.name for each in messages]:
        raise daemon.place.error(f'FileDaemon names Messages "{daemon.messages}", and there is no such resource')
    for director in directors:
        if director.console and director.console not in [each.name for each in consoles]:
            text = f'Director "{director.name}" names Console "{director.console}", and there is no such resource'
            raise director.place.error(text)


def _addresses(block: Block) -> tuple[Address, ...]:
    host = block.string("FD Address")
    port = block.integer("FD Port", FD_PORT, least=1, most=65_535)
    listed: list[Address] = []
    for statement in block.statements("FD Addresses"):
        if statement.body is None:
            raise statement.place.error(
                '"FD Addresses" needs a block: FD Addresses = { ip = { addr = ::1; port = 9102 } }'
            )
        for inner in statement.body:
            if inner.key not in ("ip", "ipv4", "ipv6", "ip4", "ip6") or inner.body is None:
                raise inner.place.error(
                    'in "FD Addresses" stand ip, ipv4 and ipv6, each with { addr = ...; port = ... }'
                )
            one = Block(inner, inner.name, block.warnings)
            service = one.string("Port")
            family = inner.key.replace("ip4", "ipv4").replace("ip6", "ipv6")
            listed.append(Address(one.string("Addr"), int(service) if service.isdecimal() else service or port, family))
            one.finish()
    return tuple(listed) or (Address(host, port),)


def _metrics(block: Block) -> Address | None:
    """Where Prometheus may ask; on this machine alone unless the conf says otherwise. None: nowhere."""
    host = block.string("Metrics Address", "127.0.0.1")
    port = block.integer("Metrics Port", least=0, most=65_535)
    return Address(host, port) if port else None


def _disabled(block: Block) -> tuple[str, ...]:
    """The commands of "Disable Command", without the sign some end in."""
    known = {name.rstrip("= ") for name in DISABLEABLE}
    words = [word for item in block.strings("Disable Command") for word in re.split(r"[\s=]+", item) if word]
    for word in words:
        if word not in known:
            block.warnings.add(block.place, f'"Disable Command": there is no command "{word}"')
    return tuple(words)


def _directories(block: Block, directive: str) -> tuple[str, ...]:
    """Absolute ones. Raises ConfigError: what cannot be meant must not be taken for no limit."""
    found = block.paths(directive)
    for path in found:
        if not path.startswith("/"):
            raise block.place.error(f'"{directive}" names "{path}", which is no absolute path')
    return found


def _agent_digests(block: Block) -> frozenset[str]:
    """SHA-256 of the agents that may be loaded, in hexadecimal; none: any agent that passes the other checks."""
    digests = [text.lower() for text in block.strings("Agent Digest")]
    for text in digests:
        if not re.fullmatch("[0-9a-f]{64}", text):
            raise block.place.error('"Agent Digest" is the 64 hexadecimal digits that "sha256sum" prints')
    return frozenset(digests)
