"""`filed config`: is a conf right?"""

from __future__ import annotations

from pathlib import Path

import click

from filed.cli.exit import Exit
from filed.cli.output import answer, message
from filed.config.check import check as check_conf
from filed.fileset.conf import read_fileset


@click.group(epilog="\b\nExample:\n  filed config check /etc/bacula/bacula-fd.conf")
def config() -> None:
    """The configuration file."""


@config.command(epilog="\b\nExample:\n  filed config check /etc/bacula/bacula-fd.conf")
@click.argument("conf", type=click.Path(path_type=Path, dir_okay=False))
def check(conf: Path) -> int:
    """Read CONF as its users will, and say everything that is wrong with it."""
    report = check_conf(conf, read_fileset)
    for warning in report.warnings:
        message(f"Warning: {warning}")
    for error in report.errors:
        message(f"Error: {error}")
    if not report.usable:
        return Exit.USAGE
    parts = []
    if report.standalone is not None:
        parts.append(f"{len(report.standalone.jobs)} Jobs for `filed backup`")
    if report.daemon is not None:
        parts.append(f"{len(report.daemon.directors)} Directors for the daemon")
    answer(f"{conf} is right: {', '.join(parts)}")
    return Exit.GOOD
