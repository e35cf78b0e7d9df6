"""The conf of the command line, without a Director: what to save (Job, FileSet), where to (Storage), with which agents.

The resources are Bacula's, with the directives that make sense on one machine.  Those of a Director that ask for something
to be run, or for times, are refused or warned about: nobody would do it.  A FileSet stays a statement here, and
`filed.fileset.read_fileset` makes a FileSet of it.  One file may serve `filed backup` and `filed daemon`: the resources
of the daemon are skipped.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from filed.config.agents import AgentConf, is_plugin_line, read_agents
from filed.config.filedaemon import FileDaemon, read_file_daemon
from filed.config.resources import Block, Warnings, unknown_resource
from filed.config.secrecy import warn_if_readable
from filed.config.syntax import Place, Statement, read
from filed.errors import ConfigError

T = TypeVar("T")

RESOURCES = ("Job", "FileSet", "Storage", "FileDaemon", "plugin")
OF_THE_DAEMON = frozenset({"director", "messages", "console", "statistics"})
SCRIPTS = (
    "RunScript",
    "Run Before Job",
    "Run After Job",
    "Run After Failed Job",
    "Client Run Before Job",
    "Client Run After Job",
)
SCHEDULING = (
    "Schedule",
    "Priority",
    "Max Run Time",
    "Max Start Delay",
    "Max Wait Time",
    "Max Full Interval",
    "Reschedule On Error",
    "Reschedule Interval",
    "Reschedule Times",
)
DIRECTORS = (
    "Pool",
    "Full Backup Pool",
    "Client",
    "Catalog",
    "Messages",
    "Write Bootstrap",
    "Spool Data",
    "Spool Attributes",
)


class Level(StrEnum):
    FULL = "Full"
    DIFFERENTIAL = "Differential"
    INCREMENTAL = "Incremental"


@dataclass(frozen=True, slots=True)
class Job:
    """fileset, storage: names of resources of the same conf.  level: None when the command line decides."""

    name: str
    fileset: str
    storage: str
    level: Level | None = None
    description: str = ""
    place: Place = field(default=Place(""), compare=False)


@dataclass(frozen=True, slots=True)
class Storage:
    """archive_device: the directory of Volumes.  maximum_volume_bytes: 0 = no limit."""

    name: str
    archive_device: str
    maximum_volume_bytes: int = 0
    media_type: str = "File"
    description: str = ""
    place: Place = field(default=Place(""), compare=False)


@dataclass(frozen=True, slots=True)
class StandaloneConf:
    """file_daemon: None when the conf has none; then defaults hold.  filesets: statements, not yet read."""

    jobs: Mapping[str, Job]
    filesets: Mapping[str, Statement]
    storages: Mapping[str, Storage]
    file_daemon: FileDaemon | None = None
    agents: tuple[AgentConf, ...] = ()
    warnings: tuple[str, ...] = ()

    def job(self, name: str) -> Job:
        """The Job of that name.  Raises ConfigError with the nearest name when there is none."""
        return _named(self.jobs, "Job", name)

    def fileset(self, name: str) -> Statement:
        return _named(self.filesets, "FileSet", name)

    def storage(self, name: str) -> Storage:
        return _named(self.storages, "Storage", name)


def read_standalone_conf(path: Path | str) -> StandaloneConf:
    """Read a conf with what it includes.  Raises ConfigError for the first thing that is wrong."""
    return standalone_conf(read(path), str(path))


def standalone_conf(statements: Iterable[Statement], file: str = "") -> StandaloneConf:
    """The same from statements already read; `file` is named in messages."""
    warnings = Warnings()
    jobs: dict[str, Job] = {}
    filesets: dict[str, Statement] = {}
    storages: dict[str, Storage] = {}
    daemons: list[FileDaemon] = []
    agent_lines: list[Statement] = []
    secrets = False
    for statement in statements:
        if is_plugin_line(statement):
            agent_lines.append(statement)
            continue
        key = statement.key if statement.body is not None else ""
        match key:
            case "job":
                job = _job(statement, warnings)
                _add(jobs, job.name, job, statement)
            case "fileset":
                _add(filesets, Block(statement, "FileSet", warnings).name(), statement, statement)
            case "storage":
                storage = _storage(statement, warnings)
                _add(storages, storage.name, storage, statement)
            case "filedaemon" | "client":
                if daemons:
                    raise statement.place.error("there may be only one FileDaemon resource")
                daemons.append(read_file_daemon(statement, agent_lines, warnings))
            case _ if key in OF_THE_DAEMON:
                secrets = secrets or key in ("director", "console")
            case _:
                raise unknown_resource(statement, RESOURCES)
    agents = read_agents(agent_lines, warnings)
    for job in jobs.values():
        _refers(job, "FileSet", job.fileset, filesets)
        _refers(job, "Storage", job.storage, storages)
    if secrets or any(agent.options for agent in agents):
        warn_if_readable(file, "passwords" if secrets else "options of agents", warnings)
    return StandaloneConf(jobs, filesets, storages, daemons[0] if daemons else None, agents, tuple(warnings.texts))


def _job(statement: Statement, warnings: Warnings) -> Job:
    block = Block(statement, "Job", warnings)
    name = block.name()
    kind = block.string("Type", "Backup")
    if kind.lower() != "backup":
        raise statement.place.error(
            f'Job "{name}" has Type {kind}; here a Job is a Backup, and `filed restore` restores'
        )
    for directive in SCRIPTS:
        for found in block.statements(directive):
            text = f'"{directive}" is for Jobs of a Director; around `filed backup` run your commands yourself'
            raise found.place.error(text)
    level_text = block.string("Level")
    levels = {level.value.lower(): level for level in Level}
    if level_text and level_text.lower() not in levels:
        raise statement.place.error(f'Job "{name}": Level is one of {", ".join(Level)}, not "{level_text}"')
    job = Job(
        name=name,
        fileset=block.name("FileSet"),
        storage=block.name("Storage"),
        level=levels.get(level_text.lower()),
        description=block.string("Description"),
        place=statement.place,
    )
    if not block.yes("Accurate", default=True):
        warnings.add(statement.place, '"Accurate = no" has no effect: the catalog always tells what was deleted')
    for directive in SCHEDULING:
        block.unsupported(directive, "Jobs are started by hand or by a timer of the system")
    for directive in DIRECTORS:
        block.unsupported(directive, "there is no Director")
    block.finish()
    return job


def _storage(statement: Statement, warnings: Warnings) -> Storage:
    block = Block(statement, "Storage", warnings)
    for directive in ("Address", "SD Port", "Password"):
        for found in block.statements(directive):
            text = (
                f'"{directive}" is of a Storage Daemon; here a Storage is a directory: Archive Device = /some/directory'
            )
            raise found.place.error(text)
    storage = Storage(
        name=block.name(),
        archive_device=block.path("Archive Device", required=True),
        maximum_volume_bytes=block.size_bytes("Maximum Volume Bytes"),
        media_type=block.string("Media Type", "File"),
        description=block.string("Description"),
        place=statement.place,
    )
    for directive in ("Device", "Device Type", "Label Media", "Random Access", "Automatic Mount", "Removable Media"):
        block.unsupported(directive, "a Storage is always a directory here")
    block.finish()
    if not Path(storage.archive_device).is_absolute():
        raise statement.place.error(f'"Archive Device" of Storage "{storage.name}" is not an absolute path')
    return storage


def _add(mapping: dict[str, T], name: str, value: T, statement: Statement) -> None:
    if name in mapping:
        raise statement.place.error(f'there are two {statement.name} resources named "{name}"')
    mapping[name] = value


def _refers(job: Job, what: str, name: str, mapping: Mapping[str, object]) -> None:
    if name not in mapping:
        raise job.place.error(
            f'Job "{job.name}" names {what} "{name}", and there is no such resource{_near(name, mapping)}'
        )


def _named(mapping: Mapping[str, T], what: str, name: str) -> T:
    if name not in mapping:
        there = f"; there are: {', '.join(mapping)}" if 0 < len(mapping) <= 5 else _near(name, mapping)
        raise ConfigError(f'there is no {what} "{name}" in the conf{there}')
    return mapping[name]


def _near(name: str, mapping: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, mapping, n=1, cutoff=0.7)
    return f'; did you mean "{near[0]}"?' if near else ""
