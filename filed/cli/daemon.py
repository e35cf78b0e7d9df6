"""`filed daemon`: serve Directors, in place of bacula-fd."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from filed.cli.exit import Exit
from filed.cli.output import answer, message
from filed.daemon.log import LogFormat, configure
from filed.daemon.service import Service, check
from filed.daemon.unit import unit_text

PRIVATE_UMASK = 0o077


@click.command(
    epilog="\b\nExamples:\n  filed daemon -c /etc/bacula/bacula-fd.conf\n  filed daemon -t      is the conf right?"
)
@click.option(
    "-c",
    "--conf",
    type=click.Path(path_type=Path, dir_okay=False, readable=False),  # access(2) knows nothing of capabilities
    default=Path("/etc/bacula/bacula-fd.conf"),
    show_default=True,
    help="The conf of bacula-fd, as it is.",
)
@click.option("-f", "--foreground", is_flag=True, help="Stay in the foreground; it always does, for a service manager.")
@click.option("-t", "--test", is_flag=True, help="Read the conf, look at agents and keys, and leave.")
@click.option(
    "--log",
    "log_format",
    type=click.Choice([form.value for form in LogFormat]),  # of an enum itself click shows the names
    default=LogFormat.TEXT.value,
    show_default=True,
    help="How lines of the log look; json has one object a line.",
)
@click.option("--unit", is_flag=True, help="Print a systemd unit for this installation and that conf, and leave.")
@click.option("-d", "--debug", "debug", type=int, default=0, metavar="N", help="Log more, for N of 1 and above.")
def daemon(conf: Path, foreground: bool, test: bool, unit: bool, log_format: str, debug: int) -> int:  # noqa: ARG001, FBT001, PLR0917  click's options
    """Wait for Directors, and do their Jobs, until SIGTERM. SIGHUP has the conf read again. The log goes to stderr."""
    if unit:
        answer(unit_text(Path(sys.argv[0]).absolute(), conf.absolute()), end="")
        return Exit.GOOD
    if test:
        for warning in check(conf):
            message(f"Warning: {warning}")
        return Exit.GOOD
    configure(LogFormat(log_format), sys.stderr, debug=bool(debug))
    os.umask(PRIVATE_UMASK)  # inherited by Jobs and scripts: what they make is for this user, unless they say otherwise
    service = Service(conf.absolute())
    try:
        service.run()
    finally:
        service.close()
    return Exit.GOOD
