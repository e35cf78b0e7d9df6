"""One Job from the command line: its process, its messages, Ctrl-C, its end."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import cast

from filed.catalog import Catalog
from filed.cli.console import Console
from filed.errors import CatalogError
from filed.job.description import BackupJob, LocalJob
from filed.job.process import start_job
from filed.process.channel import Event
from filed.process.outcome import Outcome, Severity
from filed.process.supervisor import KILL_AFTER_S


def run_job(
    description: LocalJob,
    console: Console,
    kill_after_s: float = KILL_AFTER_S,
    listed: Callable[[list[str]], None] = lambda _lines: None,
) -> Outcome:
    """Run a Job in its process. Ctrl-C and SIGTERM cancel it; the Job then ends marked canceled. listed: gets lines of a dry run."""
    stop = _Stop()
    is_known = not isinstance(description, BackupJob)  # what the last Full read is no total of this Job
    with start_job(description, kill_after_s=kill_after_s) as process, stop:

        def on_event(event: Event) -> None:
            if event["event"] == "message":
                console.message(Severity(str(event["severity"])), str(event["text"]))
            elif event["event"] == "listing":
                listed(cast("list[str]", event["lines"]))

        def on_tick() -> None:
            counters = process.status_page.counters
            expected = counters.bytes_expected if is_known else 0
            console.progress(counters.files, counters.bytes_read, expected, process.status_page.entry)

        outcome = process.run(on_event, on_tick, wanted=lambda: not stop.asked)
    if not outcome.status.good and process.jobid:
        _mark_failed(description.places.catalog, outcome)
    return outcome


def _mark_failed(path: Path, outcome: Outcome) -> None:
    """A Job whose process died could not say so in the catalog itself."""
    try:
        with Catalog.open(path) as catalog:
            catalog.fail_job(outcome.jobid, time.time(), outcome.text, outcome.status)
    except CatalogError:
        return  # what is wrong with the catalog is in the Job's own message; the next Job marks this one


class _Stop:
    """Notes SIGINT and SIGTERM instead of dying of them. The old handlers come back at the end."""

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> None:
        self._before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}

    def __exit__(self, *_error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True
