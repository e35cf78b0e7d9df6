"""The programs that a Director has a Job run on this machine: before it, after it, and once the Storage session is open.

They run without a shell unless they name one, with nothing on their standard input; what they print goes to the Job's report line by
line. A cancel ends them with all they have started, and so does the daemon when the process that waits for them is killed.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from filed.process.system import end_group
from filed.wire.director import RunScriptCommand

AFTER, BEFORE, AFTER_VSS = 1, 2, 4  # the bits of When
TICK_S = 0.2
KILL_AFTER_S = 5.0  # a canceled program has so long to end after SIGTERM
PIPE_BYTES = 1 << 20  # more than a pipe holds
MAX_LINE = 10_000  # bytes of one printed line that are shown

Say = Callable[[str], None]
Wanted = Callable[[], bool]
Running = Callable[[int], None]
"""Told the process group of a program that begins, and 0 once it has ended."""


@dataclass(frozen=True, slots=True)
class Codes:
    """What stands for the codes in a command. Letters as in the manual: `%j` is the Job's unique name."""

    values: Mapping[str, str]

    def expand(self, command: str) -> str:
        """Codes nobody knows stay as they are."""
        found, rest = [], iter(command)
        for letter in rest:
            if letter != "%":
                found.append(letter)
                continue
            code = next(rest, "")
            found.append("%" if code == "%" else self.values.get(code, "%" + code))
        return "".join(found)


@dataclass(slots=True)
class Scripts:
    """Those of one Job, in the order in which the Director named them."""

    named: list[RunScriptCommand] = field(default_factory=list)

    def before(self) -> list[RunScriptCommand]:
        return [script for script in self.named if script.kind == "Run" and script.when & BEFORE]

    def once_open(self) -> list[RunScriptCommand]:
        return [script for script in self.named if script.kind == "Run" and script.when & AFTER_VSS]

    def after(self, *, good: bool) -> list[RunScriptCommand]:
        """`RunAfterJob` is for a good Job."""
        return [
            script
            for script in self.named
            if (script.kind == "RunAfterJob" and good)
            or (script.kind == "Run" and script.when & AFTER and (script.on_success if good else script.on_failure))
        ]


def run_script(label: str, command: str, say: Say, wanted: Wanted, running: Running) -> str:
    """Run one program to its end. Returns why it failed, "" when it did not.

    label: how its lines begin.  wanted: asked often; when it says no, the program is ended.  Should any of these raise, it is ended, too.
    """
    say(f'shell command: run {label} "{command}"')
    try:
        words = shlex.split(command)
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        return f'{label} "{command}" cannot be run: {error.strerror}'
    except (ValueError, IndexError) as error:
        return f'{label} "{command}" cannot be run: {error}'
    with process:
        try:
            running(process.pid)
            asked_to_end = _listen(process, lambda line: say(f"{label}: {line}"), wanted)
            running(0)
        except BaseException:
            end_group(process.pid, signal.SIGKILL)
            raise
    if asked_to_end:
        return f'{label} "{command}" was ended: the Job was canceled'
    if process.returncode:
        how = f"code {process.returncode}" if process.returncode > 0 else f"signal {-process.returncode}"
        return f'{label} "{command}" ended with {how}'
    return ""


def _listen(process: subprocess.Popen[bytes], say: Say, wanted: Wanted) -> bool:
    """Pass on what the program prints, until it has ended or was told to. A child it left behind is not waited for."""
    assert process.stdout is not None
    told_at: float | None = None
    pending = b""
    behind = 0  # bytes that came after its end
    os.set_blocking(process.stdout.fileno(), False)
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            ended = process.poll() is not None
            data = process.stdout.read(1 << 16) if selector.select(0 if ended else TICK_S) else None
            if data:
                *lines, pending = (pending + data).split(b"\n")
                for line in lines:
                    say(line[:MAX_LINE].decode("utf-8", "replace"))
                pending = pending[-MAX_LINE:]
                behind += len(data) if ended else 0
                if behind > PIPE_BYTES:
                    break  # it did not print that: a child does, and may for ever
            elif ended:
                break
            elif data == b"":  # it closed its output and runs on
                selector.unregister(process.stdout)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(TICK_S)
                selector.register(process.stdout, selectors.EVENT_READ)
            told_at = _end(process, told_at, wanted)
    if pending:
        say(pending.decode("utf-8", "replace"))
    return told_at is not None


def _end(process: subprocess.Popen[bytes], told_at: float | None, wanted: Wanted) -> float | None:
    """SIGTERM when the Job is not wanted any more, later SIGKILL; to the program and what it started."""
    if told_at is None and wanted():
        return None
    now = time.monotonic()
    overdue = told_at is not None and now - told_at > KILL_AFTER_S
    if told_at is None or overdue:
        end_group(process.pid, signal.SIGKILL if overdue else signal.SIGTERM)
    return told_at if told_at is not None else now
