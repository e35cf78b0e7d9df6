"""`filed agent check`: does an agent keep the contract, tried without any Director?

A subject is an agent with its options and something to save. Each check drives it through the real host, in a process
of its own, and tells findings: a rule of bplugin.h that was broken, with the agent's call, the entry and what to do.
"""

from filed.conformance.checks import CHECKS
from filed.conformance.findings import Checked, Finding, Grade, Report, Verdict
from filed.conformance.subject import LIMIT_S, TIMEOUT_S, Subject
from filed.conformance.suite import conform, not_loaded

__all__ = [
    "CHECKS",
    "LIMIT_S",
    "TIMEOUT_S",
    "Checked",
    "Finding",
    "Grade",
    "Report",
    "Subject",
    "Verdict",
    "conform",
    "not_loaded",
]
