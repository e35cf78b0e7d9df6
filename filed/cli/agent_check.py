"""`filed agent check`: the conformance suite on a terminal, as plain lines, or as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path

import click

from filed.agents.load import agent_id
from filed.agents.scan import examine
from filed.cli import options
from filed.cli.exit import Exit
from filed.cli.output import report as write_report
from filed.conformance import (
    CHECKS,
    LIMIT_S,
    TIMEOUT_S,
    Checked,
    Finding,
    Grade,
    Report,
    Subject,
    Verdict,
    conform,
    not_loaded,
)

_EXITS = {Verdict.FAILED: Exit.FAILED, Verdict.WARNINGS: Exit.WARNINGS}
_STYLES = {Verdict.PASSED: "green", Verdict.WARNINGS: "yellow", Verdict.FAILED: "bold red", Verdict.SKIPPED: "dim"}
_MARKS = {Grade.FAILED: "failed", Grade.WARNING: "warning", Grade.NOTE: "note"}
EXAMPLES = """
\b
Examples:
  filed agent check ./facts.so                        saves what the agent claims
  filed agent check ./facts.so --path /@FACTS/uname   only this
  filed agent check ./sqlite.so --option directory=/srv/data
  filed agent check ./pipe.so --plugin 'pipe:/d:echo x:cat'
"""


def agent_options(command: Callable[..., int]) -> Callable[..., int]:
    """What says which agent, with which options, and what it is to save."""
    for decorate in (
        click.argument("library", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False, exists=True)),
        click.option(
            "--plugin", metavar="LINE", default="", help="A Plugin line instead: 'name: key = value', or a whole one."
        ),
        click.option(
            "--path",
            "paths",
            multiple=True,
            metavar="PATH",
            help="A File line: what to save. Repeats. [default: what it claims]",
        ),
        click.option(
            "--option",
            "pairs",
            multiple=True,
            metavar="KEY=VALUE",
            help="As in the braces of its plugin line. Repeats.",
        ),
    ):
        command = decorate(command)
    return command


def parse_options(pairs: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """KEY=VALUE each. Raises UsageError."""
    parsed = []
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise click.UsageError(f"--option {pair}: give KEY=VALUE")
        parsed.append((key, value))
    return tuple(parsed)


@click.command(epilog=EXAMPLES)
@agent_options
@click.option(
    "--no-restore", is_flag=True, help="Leave its restore alone: for an agent that cannot restore to a directory."
)
@click.option(
    "--only",
    multiple=True,
    type=click.Choice([check.name for check in CHECKS]),
    metavar="CHECK",
    help="This check. Repeats.",
)
@click.option(
    "--entries",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Only its memory while it lists N entries or more.",
)
@click.option(
    "--timeout", "timeout_s", type=float, default=TIMEOUT_S, show_default=True, help="Seconds without a sign of life."
)
@click.option("--limit", "limit_s", type=float, default=LIMIT_S, show_default=True, help="Seconds a check may take.")
@options.told
def check(  # noqa: PLR0917  one argument for each option
    library: Path,
    pairs: tuple[str, ...],
    paths: tuple[str, ...],
    plugin: str,
    no_restore: bool,  # noqa: FBT001
    only: tuple[str, ...],
    entries: int,
    timeout_s: float,
    limit_s: float,
    as_json: bool,  # noqa: FBT001
    quiet: bool,  # noqa: FBT001
    verbose: bool,  # noqa: FBT001
) -> int:
    """Try whether the agent in FILE keeps the contract of bplugin.h.

    It is driven through backups, Incrementals, restores, cancels and a host that fails, each in a process of its own. It
    saves for real, commits, and restores into a directory of its own: run it against test data. A broken
    rule is reported with the call, the entry, and what to do.
    """
    path = library.absolute()
    scanned = examine(agent_id(path.name), [path.parent], timeout_s=timeout_s)
    show = _shown(verbose=verbose, quiet=quiet) if not as_json else _silent
    if scanned.about is None:
        report = not_loaded(path, scanned.id, scanned.refused)
        show(report.checks[0])
    else:
        files = tuple(options.path_bytes(one) for one in paths)
        subject = Subject(
            library=path,
            about=scanned.about,
            options=parse_options(pairs),
            paths=files,
            plugin=plugin,
            restore=not no_restore,
            timeout_s=timeout_s,
            limit_s=limit_s,
            entries=entries,
        )
        subject.settings()
        subject.fileset()  # what is wrong with the arguments is reported before anything is tried
        chosen = only or (("load", "instance", "memory") if entries else ())
        report = conform(subject, chosen, show)
    if as_json:
        write_report(json.dumps(report.as_json()))
    elif not quiet or report.verdict not in (Verdict.PASSED, Verdict.SKIPPED):
        _sum_up(report)
    return _EXITS.get(report.verdict, Exit.GOOD)


def _silent(_checked: Checked) -> None:
    """Nothing until the document is whole."""


def _shown(*, verbose: bool, quiet: bool) -> Callable[[Checked], None]:
    """Prints a check as it ends."""
    write = _writer()

    def show(checked: Checked) -> None:
        told = [finding for finding in checked.findings if verbose or finding.grade is not Grade.NOTE]
        if checked.verdict is Verdict.SKIPPED and not told:
            told = list(checked.findings)
        if quiet and checked.verdict in (Verdict.PASSED, Verdict.SKIPPED):
            return
        write(f"{checked.verdict.value:<9}{checked.name:<18}{checked.title}", _STYLES[checked.verdict])
        for finding, following in zip_longest(told, told[1:]):
            write(f"         {finding_words(finding)}", "")
            if finding.advice and (following is None or following.advice != finding.advice):
                write(f"           -> {finding.advice}", "dim")

    return show


def finding_words(finding: Finding) -> str:
    """`failed: read, entry /x: rule`."""
    where = finding.call
    if finding.entry:
        where = f"{where}, entry {finding.entry}" if where else f"entry {finding.entry}"
    return f"{_MARKS[finding.grade]}: {where}: {finding.rule}" if where else f"{_MARKS[finding.grade]}: {finding.rule}"


def _writer() -> Callable[[str, str], None]:
    """Lines with colours on a terminal, plain elsewhere. rich is imported here: only a terminal pays for it."""
    if not sys.stdout.isatty():
        return lambda line, _style: write_report(line)
    from rich.console import Console  # noqa: PLC0415

    terminal = Console()
    return lambda line, style: terminal.print(line, style=style or None, markup=False, highlight=False, soft_wrap=True)


def _sum_up(report: Report) -> None:
    counted = [(report.count(verdict), verdict.value) for verdict in Verdict]
    words = ", ".join(f"{number} {word}" for number, word in counted if number)
    keeps = "keeps the contract" if report.verdict is not Verdict.FAILED else "breaks the contract"
    write_report(f"agent {report.agent} {keeps}: {words}")
