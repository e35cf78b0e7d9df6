"""What a stand-alone conf says, as the values a Job wants."""

from __future__ import annotations

from pathlib import Path

import click

from filed.cli.options import host_name
from filed.cli.output import message
from filed.cli.place import refuse_address
from filed.config import StandaloneConf, read_standalone_conf
from filed.errors import ConfigError
from filed.fileset.conf import read_fileset
from filed.job.description import AgentSetup, BackupJob, KeyFiles, Level, Places
from filed.job.setup import keys_of, setup_of


def conf_job(path: Path, name: str | None, storage: Path | None, *, level: Level | None) -> BackupJob:
    """The Job of a conf; without a name, its only one. level: of the command line, which counts more than the Job's.

    Raises ConfigError with file, line and column.
    """
    conf = _read(path)
    if name is None:
        if len(conf.jobs) != 1:
            raise click.UsageError(f"which Job? {path} has: {', '.join(conf.jobs) or 'none'}; say --job NAME")
        (name,) = conf.jobs
    job = conf.job(name)
    place = conf.storage(job.storage)
    daemon = conf.file_daemon
    return BackupJob(
        places=Places.within(_directory(storage or Path(place.archive_device))),
        name=job.name,
        client=daemon.name if daemon is not None else host_name(),
        level=level or (Level[job.level.name] if job.level is not None else Level.INCREMENTAL),
        fileset=read_fileset(conf.fileset(job.fileset)),
        agents=setup_of(conf.file_daemon, conf.agents),
        keys=keys_of(daemon),
        max_volume_bytes=place.maximum_volume_bytes,
        level_asked=level is not None or job.level is not None,
    )


def conf_setting(path: Path, storage: Path | None) -> tuple[Path, AgentSetup, KeyFiles | None]:
    """The directory of Volumes, the agents and the keys of a conf, for a restore or a verify."""
    conf = _read(path)
    if storage is None:
        if len(conf.storages) != 1:
            raise ConfigError(f"{len(conf.storages)} Storage resources; say which directory with -s DIR", str(path))
        (only,) = conf.storages.values()
        storage = Path(only.archive_device)
    return _directory(storage), setup_of(conf.file_daemon, conf.agents), keys_of(conf.file_daemon)


def _directory(path: Path) -> Path:
    refuse_address(path)
    return path.absolute()


def _read(path: Path) -> StandaloneConf:
    conf = read_standalone_conf(path)
    for warning in conf.warnings:
        message(f"Warning: {warning}")
    return conf
