"""`filed agent run`: whole Jobs of one agent, without a conf; in this very process for debuggers and sanitizers."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from filed.agents import StatusPage
from filed.agents.load import agent_id
from filed.agents.scan import examine
from filed.catalog import Catalog
from filed.cli import options
from filed.cli.agent_check import agent_options, parse_options
from filed.cli.backup import LEVELS
from filed.cli.backup_report import report_backup
from filed.cli.choice import good_jobs
from filed.cli.console import Console
from filed.cli.exit import exit_of
from filed.cli.output import answer, message
from filed.cli.place import place_for_backup
from filed.cli.restore import report_restore
from filed.conformance import Subject
from filed.errors import printable
from filed.fileset import FileSet, Include, Options, Signature
from filed.job.context import JobContext
from filed.job.description import (
    AgentLine,
    AgentSetup,
    BackupJob,
    Changes,
    DirectorJob,
    EstimateJob,
    JobDescription,
    Level,
    Places,
    RestoreJob,
)
from filed.job.process import do, guarded, start_job
from filed.job.setup import shipped_agents
from filed.process.channel import Event, Sender
from filed.process.outcome import JobStatus, Outcome, Severity

_JOB = "Agent"
EXAMPLES = """
\b
Examples:
  filed agent run ./facts.so --list
  filed agent run ./facts.so --browse /srv
  filed agent run ./facts.so --backup /tmp/v
  filed agent run ./facts.so --backup /tmp/v --level incremental
  filed agent run ./facts.so --restore /tmp/v --where /tmp/back
  gdb --args python3 $(command -v filed) agent run ./facts.so --backup /tmp/v --debug
"""

Run = Callable[[JobDescription, Console], Outcome]


@click.command(epilog=EXAMPLES)
@agent_options
@click.option("--list", "listing", is_flag=True, help="Only list what a Full would save.")
@click.option(
    "--browse", metavar="PATH", help="Only list what lies directly in this directory; '' for the topmost names."
)
@click.option(
    "--backup",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Save into this directory of Volumes.",
)
@click.option(
    "--restore", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Restore its newest backup."
)
@click.option(
    "--where", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Restore below this directory."
)
@click.option("--level", type=click.Choice(list(LEVELS)), default="full", show_default=True, help="Of a backup.")
@click.option("--debug", is_flag=True, help="All in this process, and no watchdog: for gdb, valgrind and sanitizers.")
@options.told
def run(  # noqa: PLR0917  one argument for each option
    library: Path,
    pairs: tuple[str, ...],
    paths: tuple[str, ...],
    plugin: str,
    listing: bool,  # noqa: FBT001
    browse: str | None,
    backup: Path | None,
    restore: Path | None,
    where: Path | None,
    level: str,
    debug: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
    quiet: bool,  # noqa: FBT001
    verbose: bool,  # noqa: FBT001
) -> int:
    """Run one Job with the agent in FILE: list, back up into a directory of Volumes, or restore from it."""
    if [listing, browse is not None, backup is not None, restore is not None].count(True) != 1:
        raise click.UsageError("give one of --list, --browse PATH, --backup DIR and --restore DIR")
    setup = _setup(library.absolute(), parse_options(pairs))
    begun = time.monotonic()
    do_it: Run = _here if debug else _apart
    with Console("agent", quiet=quiet or as_json, verbose=verbose) as console:
        if restore is not None:
            if where is None:
                raise click.UsageError("--restore needs --where DIR: a directory that everything comes below")
            with Catalog.read(restore.absolute()) as catalog:
                job = good_jobs(catalog)[-1]
            description = RestoreJob(
                Places.within(restore.absolute()), job.job_id, Path(os.path.realpath(where)), setup
            )
            outcome = do_it(description, console)
            if as_json or not quiet or outcome.status is not JobStatus.OK:
                report_restore(outcome, job, where, time.monotonic() - begun, as_json=as_json)
            return exit_of(outcome.status)
        fileset = _fileset(library.absolute(), parse_options(pairs), paths, plugin)
        if backup is not None:
            place_for_backup(backup.absolute())
            outcome = do_it(
                BackupJob(Places.within(backup.absolute()), _JOB, options.host_name(), LEVELS[level], fileset, setup),
                console,
            )
            if as_json or not quiet or outcome.status is not JobStatus.OK:
                report_backup(outcome, time.monotonic() - begun, as_json=as_json)
            return exit_of(outcome.status)
        with tempfile.TemporaryDirectory(prefix="filed-list-") as work:
            who = DirectorJob(0, _JOB, _JOB, "", options.host_name(), Path(work))
            only = None if browse is None else os.fsencode(browse)
            estimate = EstimateJob(who, Level.FULL, fileset, setup, Changes(), listing=True, browse=only)
            outcome = do_it(estimate, console)
        if not outcome.status.good:
            message(f"filed: {outcome.text}")
        return exit_of(outcome.status)


def _setup(library: Path, pairs: tuple[tuple[str, str], ...]) -> AgentSetup:
    """The agent of the file first, then the file system's, which restores what others leave to the host."""
    name = agent_id(library.name)
    lines = (AgentLine(name, pairs), *(() if name == "filesystem" else (AgentLine("filesystem"),)))
    return AgentSetup(lines=lines, directories=(library.parent, shipped_agents()))


def _fileset(library: Path, pairs: tuple[tuple[str, str], ...], paths: tuple[str, ...], plugin: str) -> FileSet:
    """What to save: as `filed agent check` has it, with a digest. Raises ClickException for what cannot be loaded."""
    scanned = examine(library.name, [library.parent])
    if scanned.about is None:
        raise click.ClickException(scanned.refused)
    files = tuple(options.path_bytes(path) for path in paths)
    (include,) = Subject(library, scanned.about, pairs, files, plugin).fileset().includes
    choice = (Options(signature=Signature.SHA256, aclsupport=True, xattrsupport=True),)
    return FileSet(includes=(Include(options=choice, files=include.files, plugins=include.plugins),), name="agent run")


def _apart(description: JobDescription, console: Console) -> Outcome:
    """In a process of its own, watched, as every Job."""
    asked = False

    def stop(_number: int, _frame: object) -> None:
        nonlocal asked
        asked = True

    before = signal.signal(signal.SIGINT, stop)
    try:
        with start_job(description) as process:
            return process.run(lambda event: _hear(event, console), lambda: None, wanted=lambda: not asked)
    finally:
        signal.signal(signal.SIGINT, before)


def _here(description: JobDescription, console: Console) -> Outcome:
    """In this process: what crashes ends it, in the debugger's hands. Ctrl-C kills."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a handler of Python's would run inside an agent's call
    reader, writer = os.pipe()
    context = JobContext.of(_Here(lambda event: _hear(event, console)), StatusPage(), reader)
    try:
        return guarded(partial(do, description), context)
    finally:
        os.close(reader)
        os.close(writer)


class _Here(Sender):
    """The job process' end of a channel whose other end is here, too."""

    def __init__(self, hear: Callable[[Event], None]) -> None:
        self._hear = hear

    def send(self, event: Event) -> None:
        self._hear(event)


def _hear(event: Event, console: Console) -> None:
    if event["event"] == "message":
        console.message(Severity(str(event["severity"])), str(event["text"]))
    elif event["event"] == "listing":
        lines = event["lines"]
        assert isinstance(lines, list)
        for line in lines:
            answer(printable(str(line).encode("utf-8", "surrogateescape")))
