"""`filed config`: is a conf right?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from filed.agents.options import check_options
from filed.agents.scan import examine
from filed.cli.exit import Exit
from filed.cli.output import answer, message
from filed.config.check import Report
from filed.config.check import check as check_conf
from filed.daemon.service import look_at
from filed.errors import ConfigError, FiledError
from filed.fileset.conf import read_fileset
from filed.job.description import AgentLine, AgentSetup
from filed.job.keys import load_keys
from filed.job.setup import keys_of, setup_of


@click.group(epilog="\b\nExample:\n  filed config check /etc/bacula/bacula-fd.conf")
def config() -> None:
    """The configuration file."""


@config.command(epilog="\b\nExample:\n  filed config check /etc/bacula/bacula-fd.conf")
@click.argument("conf", type=click.Path(path_type=Path, dir_okay=False))
def check(conf: Path) -> int:
    """Read CONF as its users will, look at all that its Jobs will need, and say everything that is wrong.

    Each agent is loaded in a process of its own, and asked whether it takes its options; directories and keys are looked at.
    """
    report = check_conf(conf, read_fileset)
    missing = _missing(report)
    for warning in report.warnings:
        message(f"Warning: {warning}")
    for error in (*report.errors, *missing):
        message(f"Error: {error}")
    if not report.usable or missing:
        return Exit.USAGE
    parts = []
    if report.standalone is not None:
        parts.append(f"{len(report.standalone.jobs)} Jobs for `filed backup`")
    if report.daemon is not None:
        parts.append(f"{len(report.daemon.directors)} Directors for the daemon")
    answer(f"{conf} is right: {', '.join(parts)}")
    return Exit.GOOD


def _missing(report: Report) -> list[str]:
    """What a Job would not find, or could not use."""
    found: list[str] = []
    if report.standalone is not None:
        daemon = report.standalone.file_daemon
        setup = setup_of(daemon, report.standalone.agents)
        if daemon is not None and daemon.plugin_directory and not Path(daemon.plugin_directory).is_dir():
            found.append(f'"Plugin Directory": there is no directory {daemon.plugin_directory}')
        for line in setup.lines:
            _note(found, lambda line=line: _check_agent(line, setup))  # type: ignore[misc]  # bound now
        _note(found, lambda: load_keys(keys_of(daemon)))
    if report.daemon is not None:
        conf = report.daemon
        _note(found, lambda: look_at(conf))
        _note(found, lambda: load_keys(keys_of(conf.file_daemon)))
    return list(dict.fromkeys(found))


def _note(found: list[str], look: Callable[[], object]) -> None:
    try:
        look()
    except FiledError as error:
        found.append(str(error))


def _check_agent(line: AgentLine, setup: AgentSetup) -> None:
    one = examine(line.name, setup.directories, setup.digests)
    if one.about is None:
        raise ConfigError(one.refused)
    check_options(one.about, line.options)
