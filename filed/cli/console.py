"""How a Job is shown while it runs: a progress line on a terminal, plain lines elsewhere; and how sizes and times read."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, Self

from filed.cli.output import message
from filed.errors import printable
from filed.process.outcome import Severity

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import Progress, TaskID

PLAIN_EVERY_S = 30.0
NAME_CHARACTERS = 60  # of the file in progress on a terminal; its end says most
_PREFIX = {
    Severity.DEBUG: "Debug: ",
    Severity.INFO: "",
    Severity.WARNING: "Warning: ",
    Severity.ERROR: "Error: ",
    Severity.FATAL: "Fatal error: ",
}


def size_words(count: float) -> str:
    """12.3 MB: decimal units, three figures."""
    units = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
    value, unit = float(count), 0
    while abs(value) >= 999.5 and unit < len(units) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} B" if unit == 0 else f"{value:.3g} {units[unit]}"


def duration_words(seconds: float) -> str:
    """1 h 02 min, 3 min 20 s, 4.2 s."""
    if (tenths := round(seconds, 1)) < 60:
        return f"{tenths:.1f} s"
    minutes, rest = divmod(int(tenths), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


class Console:
    """Messages and progress of one Job, on stderr; the result goes to stdout by the one who asked for it."""

    def __init__(self, what: str, *, quiet: bool, verbose: bool) -> None:
        self._what = what
        self._quiet = quiet
        self._verbose = verbose
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._last = self._begun = time.monotonic()

    def __enter__(self) -> Self:
        if not self._quiet and sys.stderr.isatty():
            self._bar, self._task = _progress_bar(self._what)
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def message(self, severity: Severity, text: str) -> None:
        """One line of the Job's messages. Control characters were taken out by the one who made the text."""
        if severity is Severity.DEBUG and not self._verbose:
            return
        if self._quiet and severity in (Severity.DEBUG, Severity.INFO):
            return
        line = _PREFIX[severity] + text
        if self._bar is not None:
            with contextlib.suppress(OSError):  # the terminal is gone
                self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            message(line)

    def progress(self, files: int, read_bytes: int, expected_bytes: int, name: bytes = b"") -> None:
        """Called about five times a second with the Job's counters. expected_bytes: 0 when nobody knows. name: of the file at hand."""
        now = time.monotonic()
        if self._bar is not None and self._task is not None:
            total = max(expected_bytes, read_bytes) or None
            words = self._so_far(files, read_bytes, expected_bytes, now)
            self._bar.update(self._task, completed=read_bytes, total=total, words=words, name=_end_of(printable(name)))
        elif not self._quiet and now - self._last >= PLAIN_EVERY_S:
            self._last = now
            at = f": {printable(name)}" if name else ""
            message(f"{self._what}: {self._so_far(files, read_bytes, expected_bytes, now)}{at}")

    def _so_far(self, files: int, read_bytes: int, expected_bytes: int, now: float) -> str:
        passed = now - self._begun
        rate = read_bytes / max(passed, 0.001)
        left = ""
        if expected_bytes > read_bytes and rate > 0:
            left = f", about {duration_words((expected_bytes - read_bytes) / rate)} left"
        return f"{files:,} files, {size_words(read_bytes)}, {size_words(rate)}/s, {duration_words(passed)}{left}"


def _end_of(name: str) -> str:
    return name if len(name) <= NAME_CHARACTERS else "…" + name[1 - NAME_CHARACTERS :]


def _progress_bar(what: str) -> tuple[Progress, TaskID]:
    """What was done, a bar, and below them the file at hand. rich is imported here: only a terminal pays for it."""
    from rich.console import Console as Terminal  # noqa: PLC0415
    from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415
    from rich.table import Column  # noqa: PLC0415

    bar = Progress(
        TextColumn(
            "{task.description}: {task.fields[words]}\n{task.fields[name]}",
            markup=False,
            table_column=Column(no_wrap=True, overflow="ellipsis"),
        ),
        BarColumn(bar_width=10),
        console=Terminal(stderr=True),
        transient=True,
    )
    return bar, bar.add_task(what, total=None, words="", name="")
