"""When the programs of a Job run, and what their failure means to it."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Callable
from dataclasses import replace

from filed.director.conversation import Asked, Conversation
from filed.director.scripts import run_script
from filed.errors import printable
from filed.fileset.confine import real, within
from filed.process.outcome import JobStatus, Outcome
from filed.wire import director as said
from filed.wire import reply
from filed.wire.reply import MessageType


def name_or_run(visit: Conversation, command: said.RunScriptCommand) -> bool:
    """`RunBeforeJob` runs at once; the others are remembered."""
    if command.kind == "RunBeforeJob":
        if run_all(visit, [command], "ClientRunBeforeJob", visit.wanted):
            visit.failed = "ClientRunBeforeJob failed"
            return visit.answer(reply.BAD_RUN_BEFORE_JOB, goes_on=False)
        return visit.answer(reply.OK_RUN_BEFORE)
    visit.known.scripts.named.append(command)
    return visit.answer(reply.OK_RUN_AFTER if command.kind == "RunAfterJob" else reply.OK_RUN_SCRIPT)


def run_before_now(visit: Conversation, _command: said.RunBeforeNowCommand) -> bool:
    if run_all(visit, visit.known.scripts.before(), "ClientBeforeJob", visit.wanted):
        visit.failed = "ClientBeforeJob failed"
        return visit.answer(reply.BAD_RUN_BEFORE_NOW, goes_on=False)
    return visit.answer(reply.OK_RUN_BEFORE_NOW)


def run_all(visit: Conversation, scripts: list[said.RunScriptCommand], label: str, wanted: Callable[[], bool]) -> int:
    """How many failed that the Job fails with, a cancel among them. The others are reported and counted, and it is one with warnings."""
    fatal = 0
    for script in scripts:
        if not wanted():
            return fatal + 1
        command = visit.codes.expand(script.command)
        why = forbidden(command, visit.directories.scripts)
        why = why or run_script(label, command, visit.info, wanted, visit.house.runs)
        if why:
            fatal += script.kind != "Run" or script.abort_on_error
            visit.errors_beside += 1
            visit.say(MessageType.ERROR, why)
    return fatal + bool(scripts and not wanted())


def forbidden(command: str, directories: tuple[str, ...]) -> str:
    """Why the conf forbids a command; "" when it does not. Its first word has to be, and to lead to, a file in one of `directories`."""
    if not directories:
        return ""
    with contextlib.suppress(ValueError):
        program = next(iter(shlex.split(command)), "")
        allowed = tuple(real(os.fsencode(path)) for path in directories)
        if program.startswith("/") and within(real(os.fsencode(program)), allowed):
            return ""
    return f'"{printable(os.fsencode(command))}" is not in the Allowed Script Directories of the conf: not run'


def run_after(visit: Conversation, asked: Asked, outcome: Outcome) -> Outcome:
    """Those that belong behind the Job, which may have failed before it began. Returns how it ended with them.

    A cancel ends them, unless it is the one that ended the Job: what cleans up behind that is to run.
    """
    visit.outcome = outcome
    before = visit.house.ending

    def wanted() -> bool:
        return visit.house.ending is before

    failed = run_all(visit, asked.scripts.after(good=outcome.status.good), "ClientAfterJob", wanted)
    if visit.errors_beside:
        totals = replace(outcome.totals, errors=outcome.totals.errors + visit.errors_beside)
        outcome = replace(outcome, totals=totals)
    if not outcome.status.good:
        return outcome
    if not wanted():
        return replace(outcome, status=JobStatus.CANCELED)
    return replace(outcome, status=JobStatus.ERROR) if failed else outcome
