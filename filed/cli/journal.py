"""`filed journal`: the watcher of the change journal."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from filed.cli.exit import Exit
from filed.cli.output import answer, report
from filed.daemon.journal import (
    STORE,
    JournalStatus,
    check_watcher,
    journal_status,
    journal_unit_text,
    start_watcher,
    stop_watcher,
)

_store = click.option(
    "--store",
    type=click.Path(path_type=Path, file_okay=False),
    default=STORE,
    show_default=True,
    help="Where the watcher keeps its files.",
)
_json = click.option("--json", "as_json", is_flag=True, help="For programs.")


@click.group(
    epilog="\b\nExamples:\n  filed journal start / /home\n  filed journal status\n"
    "  filed journal start --unit / /home > /etc/systemd/system/filed-journal.service"
)
def journal() -> None:
    """The watcher of the change journal: it notes which files change, so that a Job need not look at all of them."""


@journal.command(epilog="\b\nExample:\n  filed journal start / /home")
@_store
@click.option("--unit", is_flag=True, help="Print a systemd unit for these file systems instead, and leave.")
@click.argument("paths", type=click.Path(path_type=Path, exists=True, file_okay=False), nargs=-1, required=True)
def start(store: Path, unit: bool, paths: tuple[Path, ...]) -> int:  # noqa: FBT001  click's options
    """Watch the file systems of PATHS, from now on and in the background."""
    absolute = [path.absolute() for path in paths]
    if unit:
        answer(journal_unit_text(store.absolute(), absolute), end="")
        return Exit.GOOD
    pid = start_watcher(store.absolute(), absolute)
    report(f"watching {', '.join(map(str, absolute))}, process {pid}")
    return Exit.GOOD


@journal.command(epilog="\b\nExample:\n  filed journal stop")
@_store
def stop(store: Path) -> int:
    """End the watcher. The next Job walks its whole tree."""
    stopped = stop_watcher(store)
    report("stopped" if stopped else "no watcher is running")
    return Exit.GOOD if stopped else Exit.USAGE


@journal.command(epilog="\b\nExample:\n  filed journal status --json")
@_store
@_json
def status(store: Path, as_json: bool) -> int:  # noqa: FBT001  click's options
    """Say what is watched, since when, and when changes may have been missed. Exit code 1: no watcher is running."""
    found = journal_status(store)
    answer(json.dumps(asdict(found)) if as_json else _text(found))
    return Exit.GOOD if found.running else Exit.USAGE


@journal.command(epilog="\b\nExample:\n  filed journal check")
@_store
@_json
def check(store: Path, as_json: bool) -> int:  # noqa: FBT001  click's options
    """Make a file on each watched file system, and wait until the watcher has seen it."""
    took = check_watcher(store)
    said: Any = json.dumps(took) if as_json else "\n".join(f"{path}: {seconds:.3f} s" for path, seconds in took.items())
    answer(said)
    return Exit.GOOD


def _text(found: JournalStatus) -> str:
    if not found.running:
        return "no watcher is running: Jobs walk their whole trees"
    lines = [
        f"running      since {_when(found.started)}, process {found.pid}",
        f"events       {found.number:,}",
        f"names        {found.names:,} touched, and not seen by all {found.readers} FileSets yet",
        f"size         {found.size:,} bytes",
    ]
    for watched in found.file_systems:
        state = "watched" if watched.watched else "not mounted"
        last = f"; events may be missing before {_when(watched.gap)}: {watched.why}" if watched.gap else ""
        lines.append(f"file system  {watched.path}: {state}{last}")
    return "\n".join(lines)


def _when(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
