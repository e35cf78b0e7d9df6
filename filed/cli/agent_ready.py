"""`filed agent ready`: what the agents of a conf can say before the night."""

from __future__ import annotations

from pathlib import Path

import click

from filed.cli.exit import Exit
from filed.cli.options import PathType
from filed.cli.output import answer, message
from filed.config import StandaloneConf, read_standalone_conf
from filed.fileset.conf import read_fileset
from filed.job.ready import look
from filed.job.setup import setup_of
from filed.process.channel import Event
from filed.process.outcome import JobStatus, Severity

_WORST = {JobStatus.OK: Exit.GOOD, JobStatus.WARNINGS: Exit.WARNINGS}


@click.command(epilog="\b\nExamples:\n  filed agent ready filed.conf\n  filed agent ready filed.conf --job Nightly")
@click.option("--job", "name", metavar="NAME", help="Only this Job's. [default: those of all Jobs]")
@click.argument("conf", type=PathType(path_type=Path, dir_okay=False))
def ready(name: str | None, conf: Path) -> int:
    """Make the agents of the Jobs in CONF, configure them, have them reach their services, and say what is in the way.

    They begin as for an estimate, and end: nothing is read, no state is kept, no log is shortened. Run it after each change, and in the
    evening: what it reports would be in the morning's mail else.
    """
    found = read_standalone_conf(conf)
    worst = Exit.GOOD
    for job in [found.job(name).name] if name is not None else found.jobs:
        worst = max(worst, _ready(found, job))
    return worst


def _ready(conf: StandaloneConf, name: str) -> Exit:
    fileset = read_fileset(conf.fileset(conf.job(name).fileset))

    def on_event(event: Event) -> None:
        if event["event"] != "message":
            return
        severity, text = Severity(str(event["severity"])), f"{name}: {event['text']}"
        if severity is Severity.INFO:
            answer(text)
        elif severity is not Severity.DEBUG:
            message(f"{severity.value.capitalize()}: {text}")

    outcome = look(setup_of(conf.file_daemon, conf.agents), fileset, on_event, lambda: True)
    if outcome.text:
        message(f"Error: {name}: {outcome.text}")
    return _WORST.get(outcome.status, Exit.FAILED)
