"""Every sin of tests/agents/c/README.md in a whole Job: it costs that Job, is reported by name, and nothing else happens.

After each Job the same directory of Volumes takes a good one, which verifies.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from filed.process.outcome import JobStatus, Severity
from filed.wire.attributes import FileType
from tests.agents.compile import SOURCES, compile_agent
from tests.agents.test_sins_contract import EARLY, FAILURES, FETCH_VIOLATIONS, HARMLESS, ONE_ENTRY, VIOLATIONS
from tests.system_agents.jobs import Place, Ran, line

BOUND_S = 60.0  # on a busy machine; most take 0.02
QUICK_S, QUICK_GRACE_S = 0.2, 0.1  # for agents that never answer

BEFORE_SEAL = ("create", "option", "ready", "begin", "next_entries", "fetch", "open_stream", "read", "close_stream")
AFTER_SEAL = ("commit", "end", "destroy")
RESTORE_CALLS = ("restore_entry", "restore_stream", "write", "restore_done", "commit", "end", "destroy")
OF_ONE_ENTRY = ("open_stream", "read", "close_stream")
# Not called by this host, or only in Jobs that the bad agent cannot have: see test_states.py and test_cancel.py.
ELSEWHERE = {"extension", "cancel", "confirmed"}
DEATHS = {
    "crash": r"crashed \(SIGSEGV\)",
    "abort": r"crashed \(SIGABRT\)",
    "kill": r"crashed \(SIGKILL\)",
    "exit": r"called exit\(3\)",
    "quickexit": r"called exit\(4\)",
}
SEALED = "; what was saved before is good"

# What the other tables of the contract tests have, but for what comes out differently in a whole Job.
FETCHES = {
    **FETCH_VIOLATIONS,
    "fetch-more": "fetch: .*4 entries for 3 wanted",
    "return-fetch:-20": "fetch: .*BP_E_FAIL",
}
IN_WHOLE_JOBS = {
    "return-commit:-20": "the data saved is good",
    "thread-after-end": "the data saved is good",
}
RESTORES = {
    "action-none": ("f", "restore_entry: broke the contract: action 0 is unknown"),
    "action-unknown": ("f", "restore_entry: broke the contract: action 99 is unknown"),
    "return-write:-21": ("f", r"write: write was asked to return -21 \(BP_E_NOMEM\)"),
    "return-write:-5": ("E", "write: write was asked to return -5"),
    "return-restore_entry:-3": ("E", "restore_entry: restore_entry was asked to return -3"),
    "return-restore_done:-3": ("E", "restore_done: restore_done was asked to return -3"),
    "return-restore_stream:-43": ("W", "does not restore DATA"),
    "return-restore_entry:77": ("f", "restore_entry: broke the contract: it returned 77"),
    "return-commit:-20": ("f", r"commit: commit was asked to return -20 \(BP_E_FAIL\)"),
}
THROWS = ("option", "ready", "begin", "next_entries", "open_stream", "read", "close_stream", "commit")

Sinner = Callable[[str], Place]


@pytest.fixture
def sinner(tmp_path: Path, agents_dir: Path, bad_with_fetch: Path, tmp_path_factory: pytest.TempPathFactory) -> Sinner:
    """The place for a sin: with the agent that has a `fetch`, or that sins from its `create` on, where it takes that."""

    def of(sin: str) -> Place:
        directory = agents_dir
        if re.search(r"(^|-)fetch", sin):
            directory = bad_with_fetch
        elif EARLY.search(sin):
            directory = tmp_path_factory.mktemp("early")
            compile_agent("bad.c", directory, "bad", [f'SIN="{sin}"'])
        return Place(tmp_path / "volumes", (directory,))

    return of


def save(place: Place, sin: str, stop: Callable[[], bool] = lambda: False) -> Ran:
    options = {} if EARLY.search(sin) else {"sin": sin}
    begun = time.monotonic()
    ran = place.backup(line("bad", **options), files=[b"/@BAD"], stop=stop)
    assert time.monotonic() - begun < BOUND_S
    return ran


def check_the_rest(place: Place, agents_dir: Path) -> None:
    """The next Job is good, and what it wrote can be read back."""
    healthy = Place(place.volumes, (agents_dir,))
    ran = healthy.backup(line("bad"), files=[b"/@BAD"])
    assert (ran.outcome.status, ran.outcome.text) == (JobStatus.OK, "")
    assert sorted(healthy.tree(ran.outcome.jobid)) == [b"/@BAD/", b"/@BAD/one", b"/@BAD/two"]
    assert healthy.verify(ran.outcome.jobid).outcome.status is JobStatus.OK


def assert_failed(ran: Ran, text: str, status: JobStatus = JobStatus.FATAL) -> None:
    assert ran.outcome.status is status, ran.outcome
    assert re.search(text, ran.outcome.text, re.DOTALL), ran.outcome.text
    assert ran.job is not None
    assert ran.job.status == status.value
    assert ran.job.failure == ran.outcome.text


@pytest.mark.parametrize("call", [*BEFORE_SEAL, *AFTER_SEAL])
@pytest.mark.parametrize("verb", DEATHS)
def test_a_death_in_a_backup_is_told_with_agent_call_and_signal(
    sinner: Sinner, agents_dir: Path, verb: str, call: str
) -> None:
    place = sinner(f"{verb}-{call}")
    ran = save(place, f"{verb}-{call}")
    entry = ", entry /@BAD/one" if call in (*OF_ONE_ENTRY, "fetch") else ""
    report = f"agent bad 6.6 {DEATHS[verb]} in {call}{entry}"
    if call in AFTER_SEAL:
        assert ran.outcome.status is JobStatus.WARNINGS
        assert re.fullmatch(report + SEALED, ran.outcome.text)
        assert ran.texts(Severity.ERROR) == [ran.outcome.text]
        assert ran.outcome.totals.errors == 1
        assert ran.job is not None
        assert ran.job.good
        assert place.verify(ran.outcome.jobid).outcome.status is JobStatus.OK
    else:
        assert_failed(ran, f"^{report}$")
    check_the_rest(place, agents_dir)


@pytest.mark.parametrize("call", RESTORE_CALLS)
@pytest.mark.parametrize("verb", ["crash", "exit"])
def test_a_death_in_a_restore_is_told_with_agent_call_and_entry(
    place: Place, tmp_path: Path, verb: str, call: str
) -> None:
    saved = place.backup(line("bad"), files=[b"/@BAD"])
    ran = place.restore(saved.outcome.jobid, tmp_path / "r", line("bad", sin=f"{verb}-{call}"))
    assert ran.outcome.status is JobStatus.FATAL
    entry = f", entry {tmp_path}/r/@BAD/one" if call in RESTORE_CALLS[:4] else ""
    assert re.fullmatch(f"agent bad 6.6 {DEATHS[verb]} in {call}{re.escape(entry)}", ran.outcome.text)
    assert place.restore(saved.outcome.jobid, tmp_path / "r", line("bad")).outcome.status is JobStatus.OK


@pytest.mark.parametrize("call", [*BEFORE_SEAL, *AFTER_SEAL])
@pytest.mark.parametrize("verb", ["hang", "deaf"])
def test_an_agent_that_shows_no_life_is_canceled_and_then_killed(
    sinner: Sinner, agents_dir: Path, verb: str, call: str
) -> None:
    place = sinner(f"{verb}-{call}")
    place.timeout_s, place.grace_s = QUICK_S, QUICK_GRACE_S if verb == "deaf" else 10
    ran = save(place, f"{verb}-{call}")
    entry = ", entry /@BAD/one" if call in (*OF_ONE_ENTRY, "fetch") else ""
    killed = "; then it was killed" if verb == "deaf" else ""
    report = rf"^agent bad 6.6 made no progress for \d+ s in {call}{entry}{killed}"
    if call in AFTER_SEAL:
        assert ran.outcome.status is JobStatus.WARNINGS
        assert re.search(f"{report}{SEALED}$", ran.outcome.text)
        assert ran.job is not None
        assert ran.job.good
    else:
        assert_failed(ran, f"{report}$")
    check_the_rest(place, agents_dir)


@pytest.mark.parametrize("call", ["begin", "next_entries", "read"])
def test_a_heartbeat_is_life_and_a_cancel_ends_it(sinner: Sinner, agents_dir: Path, call: str) -> None:
    place = sinner(f"beat-{call}")
    place.timeout_s, place.grace_s = 2.0, 100
    begun = time.monotonic()
    ran = save(place, f"beat-{call}", stop=lambda: time.monotonic() - begun > 3.0)
    assert ran.answered_s < 60
    assert_failed(ran, f"canceled during {call} of agent bad 6.6", JobStatus.CANCELED)
    check_the_rest(place, agents_dir)


@pytest.mark.parametrize("sin", ["page-endless", "read-endless"])
def test_what_never_ends_ends_with_a_cancel(sinner: Sinner, agents_dir: Path, sin: str) -> None:
    place = sinner(sin)
    begun = time.monotonic()
    ran = save(place, sin, stop=lambda: time.monotonic() - begun > 0.5)
    assert_failed(ran, "canceled", JobStatus.CANCELED)
    check_the_rest(place, agents_dir)
    assert (
        sum(file.stat().st_size for file in place.volumes.glob("Vol-*")) < 2_000_000
    )  # what was written is taken back


@pytest.mark.parametrize(
    "sin",
    [sin for sin in {**VIOLATIONS, **FETCHES, **FAILURES} if sin not in IN_WHOLE_JOBS and "confirmed" not in sin],
)
def test_a_broken_rule_or_a_failing_call_fails_the_job_by_name(sinner: Sinner, agents_dir: Path, sin: str) -> None:
    place = sinner(sin)
    ran = save(place, sin)
    pattern = {**VIOLATIONS, **FETCHES, **FAILURES}[sin]
    assert_failed(ran, f"^agent bad 6.6: {pattern}")
    if sin in VIOLATIONS and not sin.startswith("return-"):
        assert "broke the contract" in ran.outcome.text
    check_the_rest(place, agents_dir)


def test_empty_pages_for_ever_end_with_the_agents_timeout(sinner: Sinner, agents_dir: Path) -> None:
    place = sinner("page-empty-forever")
    place.timeout_s = QUICK_S
    assert_failed(
        save(place, "page-empty-forever"), "^agent bad 6.6: next_entries: .*only empty pages, and no sign of life"
    )
    check_the_rest(place, agents_dir)


@pytest.mark.parametrize("sin", ["page-overrun", "read-overrun"])
def test_writing_past_the_end_of_a_buffer_is_a_crash_in_that_call(sinner: Sinner, agents_dir: Path, sin: str) -> None:
    place = sinner(sin)
    call = "next_entries" if sin == "page-overrun" else "read, entry /@BAD/one"
    assert_failed(save(place, sin), rf"^agent bad 6.6 crashed \(SIGSEGV\) in {call}$")
    check_the_rest(place, agents_dir)


@pytest.mark.parametrize("sin", IN_WHOLE_JOBS)
def test_what_goes_wrong_behind_the_seal_is_counted_and_the_data_is_good(
    sinner: Sinner, agents_dir: Path, sin: str
) -> None:
    place = sinner(sin)
    ran = save(place, sin)
    assert ran.outcome.status is JobStatus.WARNINGS
    assert ran.outcome.totals.errors == 1
    assert any(IN_WHOLE_JOBS[sin] in text for text in ran.texts(Severity.ERROR))
    assert ran.job is not None
    assert ran.job.good
    check_the_rest(place, agents_dir)


@pytest.mark.parametrize("sin", [sin for sin in HARMLESS if not re.search(r"secret|calls-|return-fetch", sin)])
def test_what_is_no_sin_does_no_harm(sinner: Sinner, agents_dir: Path, sin: str) -> None:
    place = sinner(sin)
    ran = save(place, sin)
    assert ran.outcome.status.good, ran.outcome.text
    assert ran.outcome.totals.errors == (1 if sin == "page-failed" else 0)
    assert re.search(HARMLESS[sin], "\n".join(ran.texts()), re.DOTALL)
    assert not any("\n" in text or "\033" in text for text in ran.texts())
    assert place.verify(ran.outcome.jobid).outcome.status is JobStatus.OK
    check_the_rest(place, agents_dir)


@pytest.mark.parametrize("call", ["create", "ready", "begin", "next_entries", "read", "commit", "end", "destroy"])
def test_callbacks_out_of_place_are_answered_and_do_no_harm(sinner: Sinner, agents_dir: Path, call: str) -> None:
    place = sinner(f"calls-{call}")
    ran = save(place, f"calls-{call}")
    assert ran.outcome.status.good
    in_a_backup = call in ("next_entries", "read", "begin")
    told = "\n".join(ran.texts())
    if not in_a_backup:
        assert f"put_state in {call}: status -45" in told
    assert f"extension in {call}: status -43 table NULL" in told
    check_the_rest(place, agents_dir)


@pytest.mark.parametrize("sin", ONE_ENTRY)
def test_an_error_of_one_entry_costs_that_entry(sinner: Sinner, agents_dir: Path, sin: str) -> None:
    place = sinner(sin)
    ran = save(place, sin)
    assert ran.outcome.status is JobStatus.WARNINGS
    assert any(ONE_ENTRY[sin] in text for text in ran.texts(Severity.ERROR))
    assert ran.outcome.totals.errors == len(ran.texts(Severity.ERROR)) > 0
    assert b"/@BAD/" in place.tree(ran.outcome.jobid)
    check_the_rest(place, agents_dir)


CONTRADICTIONS = {
    "contradict-cut-open": "agent bad 6.6: /@BAD/one: 200,000 bytes were announced and 100,000 came",
    "contradict-cut-inline": "agent bad 6.6: /@BAD/one: 100,000 bytes were announced and 4 came",
    "contradict-no-data": "agent bad 6.6: /@BAD/one: a size of 100,000 bytes, and no content: stored without",
    "contradict-links": "agent bad 6.6: /@BAD/two: one inode with /@BAD/one, and another size, time or kind",
    "contradict-twice": "agent bad 6.6: next_entries lists /@BAD/one 2 times: a restore has the last of them",
    "contradict-twice-later": "agent bad 6.6: next_entries lists /@BAD/one on two pages: a restore has the last of them",
    "fail-ok": "agent bad 6.6: next_entries reported an error and returned success: the index cannot be read",
}


@pytest.mark.parametrize("sin", CONTRADICTIONS)
def test_what_an_agent_says_and_what_it_does_are_compared(sinner: Sinner, sin: str) -> None:
    ran = save(sinner(sin), sin)
    assert ran.outcome.status is JobStatus.WARNINGS
    assert any(CONTRADICTIONS[sin] in text for text in ran.texts(Severity.WARNING)), ran.messages
    assert ran.outcome.totals.errors == 0
    assert ran.job is not None
    assert ran.job.status == JobStatus.WARNINGS.value


def test_names_that_are_said_to_be_of_one_inode_and_differ_have_their_own_content(place: Place, tmp_path: Path) -> None:
    saved = place.backup(line("bad", sin="contradict-links"), files=[b"/@BAD"])
    rows = place.tree(saved.outcome.jobid)
    assert {rows[b"/@BAD/one"].type, rows[b"/@BAD/two"].type} == {FileType.REGULAR}
    assert place.verify(saved.outcome.jobid).outcome.status is JobStatus.OK


def test_a_restore_in_which_everything_is_skipped_is_no_restore(place: Place, tmp_path: Path) -> None:
    saved = place.backup(line("bad"), files=[b"/@BAD"])
    ran = place.restore(saved.outcome.jobid, tmp_path / "r", line("bad", sin="contradict-skip"))
    assert ran.outcome.status is JobStatus.WARNINGS
    assert ran.texts(Severity.WARNING) == [
        "agent bad 6.6 skipped all 3 entries, though replace = always: nothing is restored"
    ]


@pytest.mark.parametrize(("flaw", "told"), [("", ""), ("shifted", "and the file has"), ("half", "and the file has")])
def test_what_is_written_is_looked_for_at_its_offset(place: Place, tmp_path: Path, flaw: str, told: str) -> None:
    saved = place.backup(line("subtle", files="10"), files=[b"/@SUBTLE"])
    ran = place.restore(saved.outcome.jobid, tmp_path / "r", line("subtle", flaw=flaw))
    warnings = ran.texts(Severity.WARNING)
    assert ran.outcome.status is (JobStatus.WARNINGS if told else JobStatus.OK)
    assert all(text.startswith("agent subtle 1.0: write: /@SUBTLE/d/") and told in text for text in warnings[:3])
    assert bool(warnings) is bool(told)


def test_an_agent_that_leaks_within_bounds_is_nobodys_concern(sinner: Sinner) -> None:
    place = sinner("leak-begin")
    ran = place.backup(line("bad", sin="leak-begin", leak_mib="64"), files=[b"/@BAD"])
    assert ran.outcome.status is JobStatus.OK


def test_secrets_that_are_asked_for_wrongly_are_refused(sinner: Sinner) -> None:
    ran = save(sinner("secret-null"), "secret-null")
    assert ran.outcome.status is JobStatus.OK
    assert "bad: secret: -44 -44" in ran.texts()


def test_complete_with_nothing_listed_is_believed_and_shown(place: Place) -> None:
    place.backup(line("bad"), files=[b"/@BAD"])
    from filed.catalog import Level

    ran = place.backup(line("bad", sin="page-complete-false"), files=[b"/@BAD"], level=Level.INCREMENTAL)
    assert ran.outcome.status is JobStatus.WARNINGS
    assert ran.outcome.totals.deleted == 3
    assert place.tree(ran.outcome.jobid) == {}
    (told,) = ran.texts(Severity.WARNING)
    assert re.match(
        r"agent bad 6\.6 reported a complete but empty list: the 3 entries of the previous backup are", told
    )


def test_a_full_in_which_an_agent_lists_nothing_is_no_backup(place: Place) -> None:
    ran = place.backup(line("bad", sin="page-complete-false"), files=[b"/@BAD"])
    (told,) = ran.texts(Severity.WARNING)
    assert told.startswith("agent bad 6.6 listed nothing: nothing of it is saved.")


def test_a_state_that_comes_too_late_is_told_and_what_was_put_in_time_stays(place: Place) -> None:
    ran = place.backup(line("bad", sin="state-late"), files=[b"/@BAD"])
    assert ran.outcome.status.good
    (told,) = ran.texts(Severity.WARNING)
    assert "agent bad 6.6 calls put_state after END" in told
    assert "refused (BP_E_SEQUENCE)" in told


def test_an_extension_that_leaves_its_answer_alone_is_none(sinner: Sinner) -> None:
    assert save(sinner("extension-untouched"), "extension-untouched").outcome.status is JobStatus.OK


@pytest.mark.parametrize("sin", RESTORES)
def test_sins_of_a_restore(place: Place, tmp_path: Path, sin: str) -> None:
    status, text = RESTORES[sin]
    saved = place.backup(line("bad"), files=[b"/@BAD"])
    ran = place.restore(saved.outcome.jobid, tmp_path / "r", line("bad", sin=sin))
    assert ran.outcome.status.value == status, ran.outcome
    told = ran.outcome.text if status == "f" else "\n".join(ran.texts())
    assert re.search(f"agent bad 6.6:? {text}" if status == "f" else text, told)


@pytest.mark.parametrize("call", THROWS)
def test_an_exception_of_cpp_that_leaves_an_agent_is_an_abort_in_that_call(place: Place, call: str) -> None:
    ran = place.backup(line("bad-throw", throw=call), files=[b"/@THROW"])
    report = rf"agent bad-throw 6.6 crashed \(SIGABRT\) in {call}"
    assert re.match(report, ran.outcome.text)
    assert f"out of {call}" in ran.outcome.text  # what the C++ run-time printed last
    assert ran.outcome.status is (JobStatus.WARNINGS if call == "commit" else JobStatus.FATAL)


@pytest.mark.parametrize(("throw", "code"), [("guarded:read", "BP_E_FAIL"), ("nomem:ready", "BP_E_NOMEM")])
def test_an_exception_of_cpp_that_is_caught_at_the_border_is_a_status(place: Place, throw: str, code: str) -> None:
    ran = place.backup(line("bad-throw", throw=throw), files=[b"/@THROW"])
    assert_failed(ran, f"^agent bad-throw 6.6: {throw.partition(':')[2]}: .*{code}")


OF_TABLES = {
    "streams-crash": r"bad 6.6 crashed \(SIGSEGV\) in read, entry /@BAD/(one|two)$",
    "phases-crash": r"bad 6.6 crashed \(SIGSEGV\) in release",
    "hold-huge": r"bad 6.6: prepare: something is too big \(BP_E_TOO_BIG\)",
}


@pytest.mark.parametrize("sin", OF_TABLES)
def test_a_sin_in_a_call_of_a_table_costs_the_job(sinner: Sinner, sin: str) -> None:
    assert_failed(save(sinner(sin), sin), OF_TABLES[sin])


def test_a_crash_in_a_plan_ends_the_restore_before_its_first_entry(
    sinner: Sinner, agents_dir: Path, tmp_path: Path
) -> None:
    place = sinner("plan-crash")
    full = Place(place.volumes, (agents_dir,)).backup(line("bad"), files=[b"/@BAD"])
    ran = place.restore(full.outcome.jobid, tmp_path / "r", line("bad"))
    assert re.search(r"bad 6.6 crashed \(SIGSEGV\) in plan", ran.outcome.text)


def test_every_sin_of_the_table_is_tried() -> None:
    """The first column of README's tables against what stands here."""
    named = set()
    for row in (SOURCES / "README.md").read_text().splitlines():
        if row.startswith("| `") and row.count("|") >= 4:
            named |= set(re.findall(r"`([a-z_0-9*-]+)`", row.split("|")[1]))
    tried = {
        *CONTRADICTIONS,
        "contradict-skip",
        *VIOLATIONS,
        *FETCHES,
        *FAILURES,
        *HARMLESS,
        *ONE_ENTRY,
        *RESTORES,
        *OF_TABLES,
        "plan-crash",
        *IN_WHOLE_JOBS,
    }
    tried |= {
        "page-endless",
        "read-endless",
        "page-empty-forever",
        "page-overrun",
        "read-overrun",
        "page-complete-false",
    }
    tried |= {
        "extension-untouched",
        "read-error",
        "fork",
        "stdout",
        "thread-crash",
    }  # the last three: test_processes.py
    verbs = {*DEATHS, "hang", "deaf", "beat", "leak", "return", "calls"}
    assert {sin for sin in named if not sin.endswith("-*")} - tried == set()
    assert {sin.removesuffix("-*") for sin in named if sin.endswith("-*")} == verbs
