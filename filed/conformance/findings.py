"""What a check has to say, and the report that all of them make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum


class Grade(StrEnum):
    """How much one finding weighs."""

    FAILED = "failed"  # a rule of bplugin.h is broken
    WARNING = "warning"  # no rule, but a user would be told, or should ask why
    NOTE = "note"  # what was done, or could not be


class Verdict(StrEnum):
    """How one check ended."""

    PASSED = "passed"
    WARNINGS = "warnings"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was seen. rule: what, as a sentence; call, entry: where, "" when it is nowhere in particular."""

    grade: Grade
    rule: str
    call: str = ""
    entry: str = ""
    advice: str = ""

    def event(self) -> dict[str, object]:
        return {"event": "finding", **asdict(self), "grade": self.grade.value}

    @classmethod
    def from_event(cls, event: Mapping[str, object]) -> Finding:
        """The inverse. Raises KeyError or ValueError for anything else."""
        texts = {name: str(event[name]) for name in ("rule", "call", "entry", "advice")}
        return cls(Grade(str(event["grade"])), **texts)


@dataclass(frozen=True, slots=True)
class Checked:
    """One check that has ended. title: what it tries, for people."""

    name: str
    title: str
    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0

    @classmethod
    def of(cls, name: str, title: str, findings: tuple[Finding, ...], seconds: float) -> Checked:
        """With the verdict that the findings make."""
        grades = {finding.grade for finding in findings}
        verdict = Verdict.PASSED
        if Grade.FAILED in grades:
            verdict = Verdict.FAILED
        elif Grade.WARNING in grades:
            verdict = Verdict.WARNINGS
        return cls(name, title, verdict, findings, seconds)


@dataclass(frozen=True, slots=True)
class Report:
    """All checks of one agent. agent: id and version, or only the id of one that cannot be loaded."""

    agent: str
    library: str
    checks: tuple[Checked, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of them."""
        for verdict in (Verdict.FAILED, Verdict.WARNINGS):
            if any(checked.verdict is verdict for checked in self.checks):
                return verdict
        return Verdict.PASSED

    def count(self, verdict: Verdict) -> int:
        return sum(checked.verdict is verdict for checked in self.checks)

    def as_json(self) -> dict[str, object]:
        return {"agent": self.agent, "library": self.library, "verdict": self.verdict.value} | {
            "checks": [
                asdict(checked)
                | {"verdict": checked.verdict.value, "seconds": round(checked.seconds, 3)}
                | {"findings": [asdict(finding) | {"grade": finding.grade.value} for finding in checked.findings]}
                for checked in self.checks
            ]
        }
