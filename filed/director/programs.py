"""When the programs of a Job run, what their failure means to it, and what the codes in their commands stand for."""

from __future__ import annotations

import time
from collections.abc import Callable

from filed.director.conversation import Conversation
from filed.director.scripts import Codes, run_script
from filed.job.outcome import Totals
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
    """How many failed that count. One that fails without counting is told as a warning."""
    failed = 0
    for script in scripts:
        counts = script.kind == "RunBeforeJob" or script.abort_on_error
        why = run_script(label, codes(visit).expand(script.command), visit.info, wanted)
        if why:
            failed += counts
            visit.say(MessageType.ERROR if counts else MessageType.WARNING, why)
    return failed


def codes(visit: Conversation) -> Codes:
    """What is known of the Job by now."""
    asked, outcome = visit.known, visit.outcome
    totals = outcome.totals if outcome is not None else Totals()
    return Codes(
        {
            "c": visit.facts.name,
            "d": visit.facts.name,
            "D": visit.director,
            "e": outcome.status.words if outcome is not None else "Running",
            "E": str(totals.errors),
            "F": str(totals.files),
            "b": str(totals.job_bytes),
            "R": str(totals.read_bytes),
            "i": str(asked.job.job_id),
            "j": asked.job.job,
            "l": asked.level.name.capitalize(),
            "n": asked.job.name,
            "s": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(asked.since)),
            "t": visit.kind or "B",
        }
    )
