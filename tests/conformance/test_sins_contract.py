"""Every sin of the bad agent, as tests/agents/c/README.md lists them, in the report of `filed agent check`, by name.

What the host refuses in a Job has the same words here; what a Job lives with is told by the suite all the same.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from filed.conformance import Report, Verdict, conform
from tests.agents.compile import SOURCES, compile_agent
from tests.agents.test_sins_contract import EARLY, FAILURES, FETCH_VIOLATIONS, ONE_ENTRY, VIOLATIONS
from tests.conformance.conftest import subject

INSTANCE = ("create", "option", "ready", "extension", "destroy")
JOB = ("begin", "next_entries", "fetch", "open_stream", "read", "close_stream", "commit", "end")
RESTORE = ("restore_entry", "restore_stream", "write", "restore_done")
WHERE = (
    dict.fromkeys(INSTANCE, "instance")
    | dict.fromkeys(JOB, "backup")
    | dict.fromkeys(RESTORE, "restore")
    | {"confirmed": "incremental", "cancel": "cancel"}
)
# verb -> the rule, as a pattern; %s is the function
VERBS = {
    "crash": r"%s: crashed \(SIGSEGV\)",
    "abort": r"%s: crashed \(SIGABRT\)",
    "kill": r"%s: crashed \(SIGKILL\)",
    "exit": r"%s: called exit\(3\)",
    "quickexit": r"%s: called exit\(4\)",
    "hang": r"%s: made no progress for \d+ s",
    "deaf": r"%s: made no progress for \d+ s; then it was killed",
    "beat": r"%s: still busy after 1 s",
    "return": r"%s: it returned 77, which is no status",
    "calls": r"%s: its callback (match|put_state) was refused: the host answered BP_E_SEQUENCE",
    "leak": r"end: 12 equal Jobs leave behind about [\d,]{7,} bytes of malloc each",
}
CANCELS = {  # on another thread, beside or between calls: its status is nobody's, and the cancel word is set
    "calls": "end: match was called from a thread of the agent's own",
    "deaf": "still busy|made no progress|cancel blocks",
    "crash": r"cancel: crashed \(SIGSEGV\)|cancel beside \w+: crashed \(SIGSEGV\)",
}
EVERYWHERE = dict.fromkeys(("crash", "return", "calls"), tuple(WHERE))  # the other verbs are told by the same rooms
EVERYWHERE["leak"] = ("option", "begin", "read", "write", "end", "destroy")  # in create it has no bound yet
SOME = ("create", "next_entries", "read", "write", "commit", "confirmed", "end", "destroy")
NOTHING = {("return", "destroy"), ("return", "cancel"), ("hang", "cancel"), ("beat", "cancel")}
IN_BACKUPS = {"begin", "next_entries"}  # where all callbacks may be called, in a backup; not in the other kinds

# What Jobs live with, and what the report says of it. "": it is no sin, and the agent passes.
TOLD = {
    "none": "",
    "thread-message": "",
    "page-name-control": "",
    "extension-untouched": r"extension: \*out was left alone",
    "action-none": "restore_entry: action 0 is unknown, entry .*/@BAD/one",
    "action-unknown": "restore_entry: action 99 is unknown, entry .*/@BAD/one",
    "stdin": "it reads from standard input",
    "stdout": "prints to standard output or standard error: an agent's words on stdout",
    "fork": "a process that it started is still there",
    "fork-return": "forked without exec, and the copy came back",
    "open-size-lie": "open_stream says 10 bytes and 100,000 are read, entry /@BAD/one",
    "page-moved": "it wrote over buf of bp_batch",
    "page-cap": "it wrote over cap of bp_batch",
    "page-stride": "it wrote over stride of bp_batch",
    "page-empty-forever": "next_entries: only empty pages, and no sign of life",
    "page-endless": "still busy after",
    "page-complete-false": "next_entries: COMPLETE with nothing listed",
    "thread-crash": r"next_entries: crashed \(SIGSEGV\)",
    "page-overrun": r"next_entries: crashed \(SIGSEGV\)",
    "page-name-shared": "next_entries: an entry is listed 2 times, entry /@BAD/one",
    "page-failed": "next_entries: an entry is FAILED: it is counted as an error, entry /@BAD/one",
    "page-size-lie": "next_entries: a size of 7 bytes is announced and 100,000 are read, entry /@BAD/one",
    "read-endless": "still busy after",
    "read-overrun": r"read: crashed \(SIGSEGV\), entry /@BAD/one",
    "state-late": "commit: its callback put_state was refused: the host answered BP_E_SEQUENCE",
    "watermark-falls": "next_entries: a watermark of 3 after one of 7: it only rises",
    "streams-crash": r"read: crashed \(SIGSEGV\)",
    "phases-crash": r"release: crashed \(SIGSEGV\)",
    "hold-huge": "prepare: .*BP_E_TOO_BIG",
    "hold-late": "next_entries: its callback hold was refused",
    "plan-crash": r"plan: crashed \(SIGSEGV\)",
    "message-huge": "next_entries: a text of 4,294,967,295 bytes",
    "message-null": "next_entries: its callback message was refused: the host answered BP_E_INVAL",
    "message-flood": "100,000 messages: nobody reads so many",
    "message-not-utf8": "next_entries: a text for people is not UTF-8",
    "message-control": "next_entries: a text with control characters",
    "message-severity": "next_entries: its callback message was refused",
    "fail-ok": "next_entries reported an error and returned success: the index cannot be read",
    "contradict-cut-open": "open_stream says 200,000 bytes and 100,000 are read: the content is cut",
    "contradict-cut-inline": "next_entries: a size of 100,000 bytes is announced and 4 are read: the content is cut",
    "contradict-no-data": "next_entries: a regular file has a size and no DATA: .*, entry /@BAD/one",
    "contradict-links": "next_entries: another name of its inode has another type, size or time, entry /@BAD/two",
    "contradict-twice": "next_entries: an entry is listed 2 times, entry /@BAD/one",
    "contradict-twice-later": "next_entries: an entry is listed 2 times, entry /@BAD/one",
    "contradict-skip": "restore_entry: it skips every entry, though replace is ALWAYS",
    "fail-positive": "next_entries: its callback fail was refused",
    "match-null": "next_entries: its callback match was refused",
    "secret-null": "next_entries: its callback secret was refused",
}  # fmt: skip
REFUSED = {**VIOLATIONS, **FETCH_VIOLATIONS, **FAILURES, "fetch-more": "fetch: .*4 entries for 3 wanted"}
ENTRIES = {sin: re.escape(text.rpartition(": agent bad 6.6: ")[2]) for sin, text in ONE_ENTRY.items()}
LIMIT_S = {"page-endless": 1.0, "read-endless": 1.0}
TIMEOUT_S = {"page-empty-forever": 0.3}
ONLY = {"message-flood": ("backup",)}  # it floods each check alike, for a second and a half


@pytest.fixture(scope="session")
def with_fetch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("with-fetch")
    return compile_agent("bad.c", directory, "bad", ["WITH_FETCH"])


@pytest.fixture
def bad(checked_agents: Path, with_fetch: Path, tmp_path: Path) -> Checking:
    return Checking(checked_agents / "bad.so", with_fetch, tmp_path)


class Checking:
    """The suite over the bad agent with one sin, in the variant that can have it."""

    def __init__(self, plain: Path, with_fetch: Path, directory: Path) -> None:
        self._plain, self._with_fetch, self._directory = plain, with_fetch, directory

    def report(self, sin: str, only: tuple[str, ...] = (), *, timeout_s: float = 20, limit_s: float = 60) -> Report:
        library, options = self._plain, {"leak_mib": "1", "sin": sin}
        if re.search(r"(^|-)fetch", sin):
            library = self._with_fetch
        elif EARLY.search(sin):
            library = compile_agent("bad.c", self._directory, "bad", [f'SIN="{sin}"'])
            options = {"leak_mib": "1"}
        return conform(subject(library, timeout_s=timeout_s, limit_s=limit_s, **options), only)


def told(report: Report) -> str:
    lines = []
    for finding in (finding for one in report.checks for finding in one.findings if finding.grade != "note"):
        at = f", entry {finding.entry}" if finding.entry else ""
        lines.append(f"{finding.call}: {finding.rule}{at}" if finding.call else f"{finding.rule}{at}")
        assert finding.advice
    return "\n".join(lines)


@pytest.mark.parametrize("sin", [sin for sin in {**REFUSED, **ENTRIES, **TOLD} if "confirmed" not in sin])
def test_a_sin_is_in_the_report_by_name(bad: Checking, sin: str) -> None:
    report = bad.report(sin, ONLY.get(sin, ()), timeout_s=TIMEOUT_S.get(sin, 20), limit_s=LIMIT_S.get(sin, 60))
    pattern = {**REFUSED, **ENTRIES, **TOLD}[sin]
    assert report.agent == "bad 6.6"
    if pattern:
        assert report.verdict is not Verdict.PASSED
        assert re.search(pattern, told(report)), told(report)
    else:
        assert report.verdict is Verdict.PASSED, told(report)


@pytest.mark.parametrize(("verb", "function"), [(verb, one) for verb in VERBS for one in EVERYWHERE.get(verb, SOME)])
def test_what_is_done_in_a_function_is_told_with_that_function(bad: Checking, verb: str, function: str) -> None:
    check = WHERE[function]
    pattern = VERBS[verb] % function if "%s" in VERBS[verb] else VERBS[verb]
    if verb == "leak":
        check = "leaks-restore" if function in RESTORE else "leaks"
    elif verb == "calls" and function in IN_BACKUPS:
        check = "verify"
    elif function == "cancel":
        pattern = CANCELS.get(verb, pattern)
    timeout_s, limit_s = (0.3 if verb in {"hang", "deaf"} else 20), (1.0 if verb == "beat" else 60)
    report = bad.report(f"{verb}-{function}", (check,), timeout_s=timeout_s, limit_s=limit_s)
    if (verb, function) in NOTHING:
        assert report.verdict is Verdict.PASSED, told(report)
        return
    assert report.verdict is not Verdict.PASSED
    assert re.search(pattern, told(report)), told(report)


def test_every_sin_of_the_table_is_tried() -> None:
    """The first column of README's tables against what stands here."""
    named = set()
    for row in (SOURCES / "README.md").read_text().splitlines():
        if row.startswith("| `") and row.count("|") >= 4:
            named |= set(re.findall(r"`([a-z_0-9*-]+)`", row.split("|")[1]))
    assert {sin for sin in named if not sin.endswith("-*")} - {*REFUSED, *ENTRIES, *TOLD} == set()
    assert {sin.removesuffix("-*") for sin in named if sin.endswith("-*")} == set(VERBS)


@pytest.mark.parametrize(
    "call", ["option", "ready", "begin", "next_entries", "open_stream", "read", "close_stream", "commit"]
)
def test_an_exception_of_cpp_is_an_abort_in_its_call(tmp_path: Path, call: str) -> None:
    library = compile_agent("bad_throw.cc", tmp_path, "bad-throw")
    said = told(conform(subject(library, throw=call), ("instance", "backup")))
    assert re.search(rf"{call}: crashed \(SIGABRT\)", said)
    assert "bp_guard" in str(conform(subject(library, throw=call), ("instance", "backup")).as_json())
