"""`filed config`: is a conf right?"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import click

from filed.agents.descriptor import Descriptor
from filed.agents.options import check_options
from filed.agents.scan import examine
from filed.cli.exit import Exit
from filed.cli.output import answer, message
from filed.config.check import Report
from filed.config.check import check as check_conf
from filed.config.standalone import StandaloneConf
from filed.daemon.service import look_at
from filed.errors import ConfigError, FiledError
from filed.fileset.conf import read_fileset
from filed.job.agents.lines import agent_of, check_lines
from filed.job.description import AgentSetup
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
        _note_agents(found, report.standalone, setup)
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


def _note_agents(found: list[str], conf: StandaloneConf, setup: AgentSetup) -> None:
    """Agents and their options, as the lines of the conf and those of its FileSets have them."""
    filesets = []
    for statement in conf.filesets.values():
        with suppress(FiledError):  # it is in the report
            filesets.append(read_fileset(statement))
    named = {agent_of(plugin) for fileset in filesets for include in fileset.includes for plugin in include.plugins}
    agents: dict[str, Descriptor] = {}
    for line in setup.lines:
        _note(found, lambda line=line: agents.update({line.name: _about(line.name, setup)}))  # type: ignore[misc]  # bound now
    if len(agents) < len(setup.lines):
        return  # an error of its own; what the FileSets want of it cannot be known
    for line in setup.lines:
        about = agents[line.name]
        if not named & {about.id, *about.aliases}:  # else its options are complete with those of the Plugin line
            _note(found, lambda line=line, about=about: check_options(about, line.options))  # type: ignore[misc]  # bound now
    for fileset in filesets:
        _note(found, lambda fileset=fileset: check_lines(fileset, setup.lines, agents.__getitem__))  # type: ignore[misc]


def _about(name: str, setup: AgentSetup) -> Descriptor:
    one = examine(name, setup.directories, setup.digests)
    if one.about is None:
        raise ConfigError(one.refused)
    return one.about
