"""The bad agent against the host: each sin ends in the report that names agent, call and rule, and in nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from filed.agents import Library, Settings, StatusPage
from tests.agents.flows import RESTORES, Recorder, backup, in_child

BACKUP_CALLS = (
    "create", "option", "ready", "confirmed", "begin", "next_entries", "open_stream", "read", "close_stream", "commit",
    "end", "destroy",
)  # fmt: skip
Flow = Callable[..., object]
RESTORE_CALLS = ("restore_entry", "restore_stream", "write", "restore_done")

# Sins that are there before an option can come: by -DSIN.
EARLY = re.compile(r"(^|-)create|^(streams|phases|plan)-|^hold-huge$")

# sin -> what the report has to say (a pattern); all of them fail the Job.
VIOLATIONS = {
    "create-null": "create: .*gave no agent",
    "begin-null": "begin: .*gave no job",
    "page-count-over": "next_entries: .*257 entries on a page for 256",
    "page-count-huge": "next_entries: .*4294967295 entries",
    "page-heap-outside": "next_entries: .*behind the page",
    "page-heap-overlap": "next_entries: .*inside the 3 records",
    "page-flags": "next_entries: .*batch flags",
    "page-complete-early": "next_entries: .*COMPLETE without END",
    "page-gap-complete": "next_entries: .*COMPLETE and GAP",
    "page-gap-early": "next_entries: .*GAP without END",
    "page-full-returned": "next_entries: .*returned 1000, which is no status",
    "page-name-outside": "next_entries: .*name at .*outside the page's heap",
    "page-name-huge": "next_entries: .*name at .*outside",
    "page-name-wrap": "next_entries: .*name at .*outside",
    "page-name-in-records": "next_entries: .*name at 8.*outside",
    "page-name-below-heap": "next_entries: .*name at .*outside",
    "page-name-empty": "next_entries: .*has no name",
    "page-name-nul": r"next_entries: .*NUL, entry /@BAD/o\\x00ne",
    "page-name-dot": "next_entries: .*part . or .., entry /@BAD/./one",
    "page-name-dotdot": "next_entries: .*part . or .., entry /@BAD/../one",
    "page-name-escape": "next_entries: .*part . or ..",
    "page-name-relative": "next_entries: .*does not start with /, entry @BAD/one",
    "page-name-double-slash": "next_entries: .*empty part.*, entry /@BAD//one",
    "page-name-trailing-slash": "next_entries: .*empty part.*, entry /@BAD/one/",
    "page-link-outside": "next_entries: .*link at .*outside.*, entry /@BAD/one",
    "page-link-missing": "next_entries: .*leads nowhere, entry /@BAD/one",
    "page-old-name-outside": "next_entries: .*old name at .*outside",
    "page-old-name-missing": "next_entries: .*RENAMED",
    "page-inline-outside": "next_entries: .*inline data at .*outside",
    "page-inline-in-records": "next_entries: .*inline data at 16.*outside",
    "page-tlv-outside": "next_entries: .*small streams at .*outside",
    "page-tlv-long": "next_entries: .*1000 bytes is longer than its area, entry /@BAD/one",
    "page-tlv-cut": "next_entries: .*head is cut short",
    "page-tlv-stream": "next_entries: .*stream 4000",
    "page-tlv-acl": "next_entries: .*not the text of an ACL: .*rwx for all.*, entry /@BAD/one",
    "page-tlv-xattr": "next_entries: .*extended attribute has no proper name, entry /@BAD/one",
    "page-type": "next_entries: .*type 99",
    "page-entry-flags": "next_entries: .*flags 0x80000000",
    "page-change": "next_entries: .*change 99",
    "page-streams": "next_entries: .*streams 0x8000000000000001",
    "page-valid": "next_entries: .*valid 0x80",
    "page-nsec": "next_entries: .*nanoseconds",
    "page-deleted-data": "next_entries: .*DELETED",
    "page-cookie-twice": "next_entries: .*cookie 1 is twice",
    "read-zero": "read: .*no bytes, and not the last chunk, entry /@BAD/one",
    "read-over-cap": "read: .*262145 bytes in a buffer of 262144",
    "read-descending": "read: .*chunk at 0 after one that ended at 50000",
    "read-overlap": "read: .*chunk at 49999 after one that ended at 50000",
    "read-flags": "read: .*chunk flags 0x80000000",
    "read-wrap": "read: .*a chunk that ends at",
    "read-end": "read: .*returned 1, which is no status",
    "thread-match": "next_entries: .*match was called from a thread of the agent's own",
    "thread-put_state": "next_entries: .*put_state was called from a thread of the agent's own",
    "thread-after-end": "destroy: .*table of a Job that has ended",
    "match-relative": r"next_entries: .*match\(\.\./BAD\)",
    "signals": "next_entries: .*changed signal handlers",
    "cwd": "next_entries: .*changed working directory",
    "umask": "next_entries: .*changed umask",
    "descriptors-leak": "next_entries: .*changed spare descriptors",
    "descriptors-close": "(next_entries|end): .*changed descriptors",
    "return-next_entries:77": "next_entries: .*returned 77, which is no status",
    "return-ready:-61": "ready: .*BP_E_VIOLATION",
    "streams-no-read": "extension: .*its table bp.streams/1 has no read",
    "phases-no-release": "extension: .*its table bp.phases/1 has no release",
    "streams-no-handle": "open_stream: .*gave no stream, entry /@BAD/one",
    "streams-over-cap": "read: .*262145 bytes in a buffer of 262144, entry /@BAD/one",
}
FETCH_VIOLATIONS = {
    "fetch-none": "fetch: .*returned no entry",
    "fetch-more": "fetch: .*3 entries for 2 wanted",
    "fetch-order": "fetch: .*not the wanted ones in their order",
    "fetch-unknown-cookie": "fetch: .*cookie 4711 is twice",
    "fetch-other-name": "fetch: .*not the wanted ones",
    "fetch-twice": "fetch: .*(twice|wanted)",
}
# sin -> what must be among the messages; the Job goes well.
HARMLESS = {
    "none": "",
    "page-moved": "",
    "page-cap": "",
    "page-stride": "",
    "page-name-shared": "",
    "page-name-control": "",
    "page-failed": "/@BAD/one cannot be read",
    "page-size-lie": "",
    "open-size-lie": "",
    "message-huge": r"short.* \.\.\.",
    "message-not-utf8": r"bytes \\xff\\xfe\\x80",
    "message-control": r"line\\nJobId 1: forged\\x1b\[2J",
    "message-severity": "severe",
    "message-null": "",
    "message-flood": "flood 99999",
    "thread-message": "message 99 of another thread",
    "fail-positive": "",
    "fail-ok": "next_entries reported an error and returned success: the index cannot be read: Input/output error",
    "match-null": "match: -44 -44 -44",
    "secret-null": "secret: -44 -44",
    "state-late": "put_state after END: -45",
    "watermark-falls": "",
    "hold-late": "hold: -45",
    "stdin": "stdin: ",
    "calls-next_entries": "match in next_entries: status 0 verdict 1",
    "calls-create": "match in create: status -45 verdict 0",
    "calls-begin": "extension in begin: status -43 table NULL",
    "calls-end": "put_state in end: status -45",
    "fork-return": "fork: 1",
    "return-end:-20": "end was asked to return -20",
    "return-fetch:-20": "",
}
FAILURES = {
    "state-huge": r"next_entries: .*BP_E_TOO_BIG",
    "state-lie": r"next_entries: .*BP_E_TOO_BIG",
    "state-null": r"next_entries: .*BP_E_INVAL",
    "state-incompressible": r"next_entries: .*BP_E_TOO_BIG",
    "watermark-zero": r"next_entries: .*BP_E_INVAL",
    "return-create:-42": "create: .*BP_E_VERSION",
    "return-begin:-40": r"begin: begin was asked to return -40 \(BP_E_BASE\)",
    "return-begin:-41": "begin: .*BP_E_BUSY",
    "return-option:-44": "option: .*BP_E_INVAL",
    "return-next_entries:-5": "next_entries: .*BP_E_IO",
    "return-next_entries:-24": "next_entries: .*BP_E_CANCELLED",
    "return-open_stream:-20": "open_stream: .*BP_E_FAIL.*, entry /@BAD/one",
    "return-read:-500": "read: .*status -500, unknown to this host",
    "return-read:-1234": "read: .*its own error -1234",
    "return-commit:-20": "commit: .*BP_E_FAIL",
}
ONE_ENTRY = {
    "read-error": "/@BAD/one: agent bad 6.6: read: the disk ends here: Input/output error",
    "read-changed": "/@BAD/two: agent bad 6.6: close_stream: it changed while it was read",
    "return-open_stream:-2": "/@BAD/one: agent bad 6.6: open_stream: open_stream was asked to return -2",
    "return-open_stream:-3": "/@BAD/one",
    "return-close_stream:-1": "/@BAD/two",
}


def settings(sin: str) -> Settings:
    return Settings((("sin", sin),))


def saving(library: Library, sin: str, timeout_s: float = 60) -> str:
    """timeout_s: how long a call may make no progress."""
    return in_child(
        lambda status_page: backup(library, Recorder(), status_page, settings(sin)).errors, timeout_s=timeout_s
    )


@pytest.mark.parametrize("sin", VIOLATIONS)
def test_a_broken_rule_fails_the_job_by_name(bad: Library, tmp_path_factory: pytest.TempPathFactory, sin: str) -> None:
    library = bad
    if EARLY.search(sin):
        library = _with_sin(sin, tmp_path_factory)
        report = in_child(lambda status_page: backup(library, Recorder(), status_page))
    else:
        report = saving(library, sin)
    assert re.match(f"(AgentError: )?agent bad 6.6: {VIOLATIONS[sin]}", report, re.DOTALL), report
    assert "broke the contract" in report or "BP_E_VIOLATION" in report


@pytest.mark.parametrize("sin", FETCH_VIOLATIONS)
def test_a_rule_of_fetch_that_is_broken_fails_the_job_by_name(bad_fetch: Library, sin: str) -> None:
    report = saving(bad_fetch, sin)
    assert re.match(f"AgentError: agent bad 6.6: {FETCH_VIOLATIONS[sin]}", report, re.DOTALL), report


@pytest.mark.parametrize("sin", HARMLESS)
def test_what_is_no_sin_or_answered_at_once_does_no_harm(
    bad: Library, tmp_path_factory: pytest.TempPathFactory, sin: str
) -> None:
    early = sin.startswith("calls-create")
    library = _with_sin(sin, tmp_path_factory) if early else bad

    def work(status_page: StatusPage) -> str:
        services = Recorder(secrets={"password": b"geheim"})
        saved = backup(library, services, status_page, Settings() if early else settings(sin))
        assert saved.complete
        assert set(saved.entries) >= {b"/@BAD/two", b"/@BAD"} or sin == "page-name-shared"
        return "\n".join(services.texts)

    report = in_child(work, timeout_s=5)
    assert report.startswith("ok: ")
    assert re.search(HARMLESS[sin], report, re.DOTALL), report[-500:]


@pytest.mark.parametrize("sin", FAILURES)
def test_a_status_fails_the_job_with_its_name(bad: Library, tmp_path_factory: pytest.TempPathFactory, sin: str) -> None:
    if sin.startswith("return-create"):
        library = _with_sin(sin, tmp_path_factory)
        report = in_child(lambda status_page: backup(library, Recorder(), status_page))
    else:
        report = saving(bad, sin)
    assert re.match(f"AgentError: agent bad 6.6: {FAILURES[sin]}", report, re.DOTALL), report


@pytest.mark.parametrize("sin", ONE_ENTRY)
def test_a_status_about_one_entry_costs_that_entry(bad: Library, sin: str) -> None:
    report = saving(bad, sin)
    assert report.startswith("ok: [")
    assert ONE_ENTRY[sin] in report


@pytest.mark.parametrize("call", BACKUP_CALLS)
@pytest.mark.parametrize(
    ("verb", "how"),
    [
        ("crash", r"crashed \(SIGSEGV\)"),
        ("abort", r"crashed \(SIGABRT\)"),
        ("kill", r"crashed \(SIGKILL\)"),
        ("exit", r"called exit\(3\)"),
        ("quickexit", r"called exit\(4\)"),
    ],
)
def test_a_death_in_a_call_is_told_with_the_call(
    bad: Library, tmp_path_factory: pytest.TempPathFactory, call: str, verb: str, how: str
) -> None:
    sin = f"{verb}-{call}"
    if call == "create":
        library = _with_sin(sin, tmp_path_factory)
        report = in_child(lambda status_page: backup(library, Recorder(), status_page))
    else:
        report = saving(bad, sin)
    entry = ", entry /@BAD/one" if call in {"open_stream", "read", "close_stream"} else ""
    assert re.fullmatch(f"agent bad 6.6 {how} in {call}{entry}", report)


@pytest.mark.parametrize("restore", RESTORES)
@pytest.mark.parametrize("call", RESTORE_CALLS)
def test_a_death_in_a_restore_is_told_with_the_call_and_the_entry(bad: Library, call: str, restore: Flow) -> None:
    report = in_child(lambda status_page: restore(bad, Recorder(), status_page, settings(f"crash-{call}")))
    assert report == f"agent bad 6.6 crashed (SIGSEGV) in {call}, entry /r/@BAD/one"


@pytest.mark.parametrize("call", ["ready", "begin", "next_entries", "read", "commit", "end"])
def test_a_call_that_hangs_is_told_and_ends_with_the_cancel_word(bad: Library, call: str) -> None:
    report = saving(bad, f"hang-{call}", timeout_s=0.5)
    assert re.match(rf"agent bad 6.6 made no progress for \d s in {call}", report)


@pytest.mark.parametrize("call", ["next_entries", "destroy"])
def test_a_call_that_is_deaf_to_cancel_is_killed(bad: Library, call: str) -> None:
    report = in_child(
        lambda status_page: backup(bad, Recorder(), status_page, settings(f"deaf-{call}")),
        timeout_s=60,
        cancel_after_s=0.2,
    )
    assert re.match(f"killed: agent bad 6.6 made no progress for 0 s in {call}", report)


def test_a_heartbeat_is_progress_and_a_cancel_ends_it_as_canceled(bad: Library) -> None:
    report = in_child(
        lambda status_page: backup(bad, Recorder(), status_page, settings("beat-read")),
        timeout_s=0.2,
        cancel_after_s=0.6,
    )
    assert report == "JobCanceled: canceled during read of agent bad 6.6"


@pytest.mark.parametrize("sin", ["read-endless", "page-endless"])
def test_what_never_ends_ends_with_a_cancel(bad: Library, sin: str) -> None:
    """Endless data is data: only a person, or a full disk, can say that it is too much."""

    def work(status_page: StatusPage) -> object:
        from filed.agents import Agent, Begin, Kind

        with Agent(bad, Recorder(), status_page, settings(sin)) as agent, agent.begin(Begin(Kind.BACKUP)) as job:
            while True:
                page = job.next_page()
                assert page is not None
                if sin == "read-endless":
                    job.open_stream(1, 0)  # type: ignore[arg-type]
                    memory = bytearray(1 << 17)
                    import ctypes

                    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
                    while True:
                        job.read(address, len(memory))

    report = in_child(work, timeout_s=60, cancel_after_s=0.2)
    assert report.startswith("JobCanceled: canceled during ")


def test_a_crash_in_one_of_several_streams_is_told_with_all_of_them(tmp_path_factory: pytest.TempPathFactory) -> None:
    library = _with_sin("streams-crash", tmp_path_factory)
    report = in_child(lambda status_page: backup(library, Recorder(), status_page))
    assert report == "agent bad 6.6 crashed (SIGSEGV) in read, entry /@BAD/one, beside /@BAD/two"


def test_writing_past_the_end_of_a_buffer_crashes_in_the_call_that_did_it(bad: Library) -> None:
    assert saving(bad, "page-overrun") == "agent bad 6.6 crashed (SIGSEGV) in next_entries"
    assert saving(bad, "read-overrun") == "agent bad 6.6 crashed (SIGSEGV) in read, entry /@BAD/one"


@pytest.mark.parametrize("restore", RESTORES)
@pytest.mark.parametrize(
    ("sin", "report"),
    [
        ("action-none", "AgentError: agent bad 6.6: restore_entry: broke the contract: action 0 is unknown"),
        ("action-unknown", "AgentError: agent bad 6.6: restore_entry: broke the contract: action 99 is unknown"),
        ("return-write:-21", "AgentError: agent bad 6.6: write: write was asked to return -21 (BP_E_NOMEM)"),
        ("return-write:-5", "ItemError: /r/@BAD/one: agent bad 6.6: write: write was asked to return -5"),
        ("return-restore_done:-3", "ItemError: /r/@BAD/one: agent bad 6.6: restore_done:"),
        ("return-commit:-20", "AgentError: agent bad 6.6: commit: "),
    ],
)
def test_sins_of_a_restore(bad: Library, sin: str, report: str, restore: Flow) -> None:
    assert in_child(lambda status_page: restore(bad, Recorder(), status_page, settings(sin))).startswith(report)


@pytest.mark.parametrize("restore", RESTORES)
def test_a_stream_that_is_not_supported_is_told_once_and_dropped(bad: Library, restore: Flow) -> None:
    def work(status_page: StatusPage) -> list[str]:
        services = Recorder()
        restore(bad, services, status_page, settings("return-restore_stream:-43"))
        return services.texts

    report = in_child(work)
    assert report.count("does not restore DATA") == 1
    assert report.startswith("ok: ")


def test_an_exception_of_cpp_that_leaves_the_agent_is_an_abort(tmp_path_factory: pytest.TempPathFactory) -> None:
    from filed.agents import load
    from tests.agents.compile import compile_agent

    directory = tmp_path_factory.mktemp("throw")
    compile_agent("bad_throw.cc", directory, "bad-throw")
    library = load("bad-throw", [directory])

    def saving(what: str) -> str:
        return in_child(
            lambda status_page: backup(library, Recorder(), status_page, Settings((("throw", what),))).errors
        )

    assert saving("read") == "agent bad-throw 6.6 crashed (SIGABRT) in read, entry /@THROW/one"
    assert saving("guarded:read").startswith("AgentError: agent bad-throw 6.6: read: ")
    assert "BP_E_NOMEM" in saving("nomem:ready")


def _with_sin(sin: str, factory: pytest.TempPathFactory) -> Library:
    from filed.agents import load
    from tests.agents.compile import compile_agent

    directory = factory.mktemp("sin")
    compile_agent("bad.c", directory, "bad", [f'SIN="{sin}"'])
    return load("bad", [directory])
