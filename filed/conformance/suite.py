"""The suite: one check after the other, each in a process that is watched, so that an agent's end is a finding.

The same rooms as for a Job: a job process, its shared page, the watchdog; no Director, no Volume.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

from filed.agents import Current
from filed.conformance.advice import advice
from filed.conformance.checks import CHECKS, Check
from filed.conformance.findings import Checked, Finding, Grade, Report, Verdict
from filed.conformance.room import Room, Skipped
from filed.conformance.subject import Subject
from filed.errors import AgentError, ItemError, printable
from filed.job.context import JobContext
from filed.job.process import in_context
from filed.process.channel import Event
from filed.process.child import Parent
from filed.process.codec import decode, encode
from filed.process.outcome import JobStatus, Outcome
from filed.process.supervisor import Supervisor
from filed.process.task import Task

GRACE_S = 2.0  # for what was told to stop, before it is killed
_PRINTED = "printed in the job process: "
_SHOWN_LINES = 3
_BROKE = "broke the contract: "
_SANITIZER = re.compile(r"\w+Sanitizer: .*|runtime error: .*")
_SANITIZER_ADVICE = "the same with `filed agent run --debug` shows the sanitizer's whole report"
_DEATH = re.compile(
    r"agent (?P<agent>\S+ \S+) (?P<rule>crashed \(\w+\)|called exit\(\d+\)|made no progress for \d+ s)"
    r" in (?P<call>[a-z_]+(?: beside [a-z_]+)?)(?:, entry (?P<entry>[^;]*))?(?P<rest>;.*)?",
    re.DOTALL,
)
_LAST_WORDS = re.compile(
    r"agent \S+ \S+: (?P<call>[a-z_]+): (?P<rule>broke the contract: .*?)(?:, entry (?P<entry>[^;]*))?(?P<rest>;.*)?$",
    re.DOTALL,
)


def conform(
    subject: Subject, only: Collection[str] = (), on_checked: Callable[[Checked], None] = lambda _one: None
) -> Report:
    """All checks, or those of `only`, each told as it ends. An agent that breaks a rule is in the report, never raised."""
    done: dict[str, Checked] = {}
    for check in CHECKS:
        if only and check.name not in only:
            continue
        missing = [name for name in check.needs if name in done and not _passed(done[name])]
        if missing:
            left = Finding(Grade.NOTE, f"left out, since {missing[0]} did not pass")
            checked = Checked(check.name, check.title, Verdict.SKIPPED, (left,))
        else:
            checked = run_check(subject, check)
        done[check.name] = checked
        on_checked(checked)
    return Report(subject.about.label, str(subject.library), tuple(done.values()))


def not_loaded(library: Path, agent: str, reason: str) -> Report:
    """The report about an agent that cannot even be asked."""
    finding = Finding(Grade.FAILED, reason, "load", "", advice("load", reason))
    first = CHECKS[0]
    return Report(agent, str(library), (Checked.of(first.name, first.title, (finding,), 0.0),))


def run_check(subject: Subject, check: Check) -> Checked:
    """One check in its process."""
    findings: list[Finding] = []
    printed: list[str] = []
    skipped = ""
    busy: list[Current | None] = []

    def on_event(event: Event) -> None:
        nonlocal skipped
        if event["event"] == "finding":
            findings.append(Finding.from_event(event))
        elif event["event"] == "skipped":
            skipped = str(event["reason"])
        elif event["event"] == "message" and str(event["text"]).startswith(_PRINTED):
            printed.append(str(event["text"]).removeprefix(_PRINTED))

    def wanted() -> bool:
        if not busy and time.monotonic() - begun > subject.limit_s:
            busy.append(process.status_page.current())
        return not busy

    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="filed-check-") as scratch:
        task = Task(__name__, encode(_CheckWork, _CheckWork(check.name, subject, Path(scratch))), GRACE_S)
        with Supervisor(task, silent_s=subject.timeout_s, postmortems=Path(tempfile.gettempdir())) as process:
            outcome = process.run(on_event, lambda: None, wanted)
    end = _end(subject, outcome, busy)
    if end and (report := next(filter(None, map(_SANITIZER.search, printed)), None)):
        end.insert(0, replace(end[0], rule=report[0], advice=_SANITIZER_ADVICE))
    if outcome.status is JobStatus.OK or not outcome.text.startswith("agent "):  # else these are its last words
        end += [_said(line) for line in printed[:_SHOWN_LINES]]
    findings += end
    seconds = time.monotonic() - begun
    if skipped and not findings:
        return Checked(check.name, check.title, Verdict.SKIPPED, (Finding(Grade.NOTE, skipped),), seconds)
    return Checked.of(check.name, check.title, tuple(findings), seconds)


def _passed(checked: Checked) -> bool:
    return checked.verdict in (Verdict.PASSED, Verdict.WARNINGS)


@dataclass(frozen=True, slots=True)
class _CheckWork:
    """What a check's process is asked to do."""

    check: str
    subject: Subject
    scratch: Path


def perform(request: bytes, parent: Parent) -> Outcome:
    """In the check's process."""
    work: _CheckWork = decode(_CheckWork, request)
    return in_context(parent, lambda context: _work(work, context))


def _work(work: _CheckWork, context: JobContext) -> Outcome:
    room = Room(work.subject, context, work.scratch)
    try:
        next(check for check in CHECKS if check.name == work.check).run(room)
    except Skipped as skipped:
        context.parent.send({"event": "skipped", "reason": str(skipped)})
    except AgentError as error:
        room.failed(error.text.removeprefix(_BROKE), error.call, error.entry)
        for note in getattr(error, "__notes__", ()):
            room.failed(note, error.call)
    except ItemError as error:
        room.failed(error.text, "", error.path)
    return context.ended(JobStatus.OK)


def _said(line: str) -> Finding:
    rule = f"it prints to standard output or standard error: {line}"
    return Finding(Grade.FAILED, rule, advice=advice("", rule))


def _end(subject: Subject, outcome: Outcome, busy: list[Current | None]) -> list[Finding]:
    """What the process' end adds: nothing when it ended well."""
    if busy:
        rule = f"still busy after {subject.limit_s:.0f} s"
        call, entry = (busy[0].call, printable(busy[0].entry)) if busy[0] is not None else ("", "")
        return [Finding(Grade.FAILED, f"{rule}; {outcome.text}".rstrip("; "), call, entry, advice(call, rule))]
    if outcome.status is JobStatus.OK:
        return []
    death = _DEATH.match(outcome.text) or _LAST_WORDS.match(outcome.text)
    if death is None:
        return [Finding(Grade.FAILED, outcome.text, advice=advice("", outcome.text))]
    rule = death["rule"].removeprefix(_BROKE) + (death["rest"] or "")
    return [Finding(Grade.FAILED, rule, death["call"], death["entry"] or "", advice(death["call"], rule))]
