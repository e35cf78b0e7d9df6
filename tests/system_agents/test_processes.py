"""A Job's process: what it prints, what it leaves behind, how it answers a cancel, and what it does without a parent."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from filed.catalog import Catalog, Level
from filed.errors import CatalogError
from filed.fileset import FileSet, Include
from filed.job.description import BackupJob, Places
from filed.process.outcome import JobStatus, Severity
from tests.agents.compile import ROOT as PROJECT
from tests.agents.compile import compile_agent
from tests.system_agents.jobs import Place, line
from tests.system_agents.plan import ROOT, Item, write_plan

A = Item("/@TRACE/a", "A")
CALLS = ("begin", "next_entries", "open_stream", "read", "close_stream")


@pytest.fixture
def plan(tmp_path: Path) -> str:
    return write_plan(tmp_path / "plan", A, ROOT)


# -- prints -------------------------------------------------------------------------------------------------------


def test_what_an_agent_prints_is_a_message_and_never_an_event(place: Place) -> None:
    ran = place.backup(line("bad", sin="stdout"), files=[b"/@BAD"])
    assert ran.outcome.status is JobStatus.OK
    assert [text for text in ran.texts(Severity.INFO) if text.startswith("printed")] == [
        "printed in the job process: an agent's words on stdout",
        "printed in the job process: an agent's words on stderr",
        'printed in the job process: {"outcome": 0}',
    ]


@pytest.mark.parametrize("call", ["ready", "begin", "next_entries", "read", "commit", "destroy"])
def test_the_last_words_of_an_abort_are_in_the_report(place: Place, plan: str, call: str) -> None:
    ran = place.backup(line("trace", plan=plan, streams="yes", die=call), files=[b"/@TRACE"])
    entry = ", entry /@TRACE/a" if call == "read" else ""
    assert ran.outcome.text.startswith(f"agent trace 3.1 crashed (SIGABRT) in {call}{entry}; its last words: ")
    assert f"trace: {call}: Assertion `life' failed." in ran.outcome.text


def test_a_chatterbox_is_cut_off(place: Place, tmp_path: Path) -> None:
    """The pipe holds 64 KiB and never blocks the agent; of a thousand lines and more, the rest is dropped with a word."""
    compile_agent("trace.c", tmp_path, "chatter", ['ID="chatter"', "CHATTER=200000"])
    plan = write_plan(tmp_path / "plan", A, ROOT)
    shouting = Place(place.volumes, (tmp_path,))
    ran = shouting.backup(line("chatter", plan=plan), files=[b"/@TRACE"])
    assert ran.outcome.status is JobStatus.OK
    assert sum(text == "printed in the job process: chatter" for text in ran.texts()) == 1000
    assert ran.texts(Severity.WARNING) == ["an agent prints without end; no more of it is shown"]


# -- what is left behind ------------------------------------------------------------------------------------------


def children_of_group(group: int) -> list[int]:
    """Living processes of a process group."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] not in "ZX":
            found.append(int(path.name))
    return found


def wait_until(condition, seconds: float = 60.0) -> None:
    """Poll for what another process does; fails the test when it does not happen."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        select.select([], [], [], 0.02)


@pytest.mark.parametrize("how", ["good", "crash", "deaf"])
def test_what_an_agent_started_ends_with_the_job(place: Place, plan: str, how: str) -> None:
    more = {"good": {}, "crash": {"die": "next_entries"}, "deaf": {"block": "begin"}}[how]
    if how == "deaf":
        place.timeout_s, place.grace_s = 0.2, 0.2
    trace = line("trace", plan=plan, trace=str(place.trace), spawn="yes", **more)
    sleepers: set[int] = set()

    def look() -> bool:
        for child in descendants(os.getpid()):
            sleepers.update(descendants(child))
        return False

    begun = time.monotonic()
    ran = place.backup(trace, files=[b"/@TRACE"], stop=look)
    assert time.monotonic() - begun < 100  # not when the child lets go of the socket, after 300 s
    assert ran.outcome.status is (JobStatus.OK if how == "good" else JobStatus.FATAL)
    wait_until(lambda: not [pid for pid in sleepers if _command(pid).startswith(b"sleep")])
    assert sleepers or how != "deaf"


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_a_child_that_holds_every_descriptor_does_not_delay_the_end(place: Place) -> None:
    begun = time.monotonic()
    ran = place.backup(line("bad", sin="fork"), files=[b"/@BAD"])
    assert ran.outcome.status is JobStatus.OK
    assert time.monotonic() - begun < 100  # not when the child lets go of them, after 200 s


def test_a_crash_leaves_no_core_file(place: Place, plan: str, tmp_path: Path, monkeypatch) -> None:
    import resource

    monkeypatch.chdir(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        place.backup(line("trace", plan=plan, die="begin"), files=[b"/@TRACE"])
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
    assert list(tmp_path.glob("core*")) == []


def test_a_job_process_holds_nothing_of_its_parents(place: Place, tmp_path: Path) -> None:
    """An inherited descriptor is another Job's cancel pipe, a Director's connection, a client's file."""
    with (tmp_path / "secret").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        plan = write_plan(tmp_path / "plan", A, ROOT)
        seen: list[list[str]] = []

        def look() -> bool:
            if any("blocked" in call for call in place.calls(forget=False)) and not seen:
                pid = max(descendants(os.getpid()))
                seen.append([os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()])
            return bool(seen)

        place.backup(
            line("trace", plan=plan, trace=str(place.trace), block="next_entries"), files=[b"/@TRACE"], stop=look
        )
        assert seen
        assert str(tmp_path / "secret") not in seen[0]


def descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children]


# -- cancel -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", CALLS)
def test_a_cancel_reaches_an_agent_that_blocks_and_is_answered(place: Place, plan: str, call: str) -> None:
    place.grace_s = 20
    trace = line("trace", plan=plan, trace=str(place.trace), streams="yes", block=call, state="one")
    ran = place.backup(trace, files=[b"/@TRACE"], stop=lambda: f"blocked in {call}" in place.calls(forget=False))
    assert ran.outcome.status is JobStatus.CANCELED
    assert ran.outcome.text == f"canceled during {call} of agent trace 3.1"
    assert ran.job is not None
    assert (ran.job.status, ran.job.failure) == ("A", ran.outcome.text)
    calls = place.calls()
    assert "commit" not in calls
    if call != "begin":  # a Job there was: it is woken once, and ended as what it is
        assert calls.count("cancel") == 1
        assert calls[-2:] == ["end cancelled", "destroy"]
    with Catalog.read(place.volumes) as catalog:
        assert not catalog.has_states("trace")
    healthy = place.backup(line("trace", plan=plan), files=[b"/@TRACE"])
    assert healthy.outcome.status is JobStatus.OK
    assert place.verify(healthy.outcome.jobid).outcome.status is JobStatus.OK


def test_a_cancel_in_a_restore_wakes_the_agent(place: Place, plan: str, tmp_path: Path) -> None:
    saved = place.backup(line("trace", plan=plan), files=[b"/@TRACE"])
    from filed.job.description import RestoreJob

    setup = place.setup(line("trace", trace=str(place.trace), block="write"))
    description = RestoreJob(Places.within(place.volumes), saved.outcome.jobid, tmp_path / "r", setup)
    place.grace_s = 20
    ran = place.run(description, stop=lambda: "blocked in write" in place.calls(forget=False))
    assert ran.outcome.status is JobStatus.CANCELED
    assert ran.outcome.text == "canceled during write of agent trace 3.1"
    assert place.calls()[-2:] == ["end cancelled", "destroy"]


@pytest.mark.parametrize("call", ["begin", "next_entries", "read"])
def test_an_agent_that_is_deaf_to_a_cancel_is_killed_after_the_bound(place: Place, call: str) -> None:
    place.grace_s = 0.3
    begun = time.monotonic()
    ran = place.backup(line("bad", sin=f"deaf-{call}"), files=[b"/@BAD"], stop=lambda: time.monotonic() - begun > 1.5)
    assert ran.outcome.status is JobStatus.CANCELED
    entry = ", entry /@BAD/one" if call == "read" else ""
    assert re.fullmatch(
        rf"canceled; agent bad 6.6 made no progress for \d+ s in {call}{entry} and was killed", ran.outcome.text
    )
    assert ran.job is not None
    assert ran.job.status == "A"


def test_a_cancel_call_that_crashes_costs_its_job_and_the_report_names_both_calls(place: Place, plan: str) -> None:
    place.grace_s = 20
    trace = line("trace", plan=plan, trace=str(place.trace), block="next_entries", die="cancel")
    ran = place.backup(trace, files=[b"/@TRACE"], stop=lambda: "blocked in next_entries" in place.calls(forget=False))
    assert ran.outcome.status is JobStatus.CANCELED
    assert ran.outcome.text.startswith("canceled; agent trace 3.1 crashed (SIGABRT) in cancel beside next_entries")


def test_a_cancel_call_that_blocks_is_killed_with_its_job(place: Place, plan: str) -> None:
    place.grace_s = 0.3
    trace = line("trace", plan=plan, trace=str(place.trace), block=["next_entries", "cancel"])
    ran = place.backup(trace, files=[b"/@TRACE"], stop=lambda: "blocked in next_entries" in place.calls(forget=False))
    assert ran.outcome.status is JobStatus.CANCELED
    assert "in cancel beside next_entries and was killed" in ran.outcome.text


# -- the command line ---------------------------------------------------------------------------------------------

CONF = """
FileDaemon { Name = test-fd; Plugin Directory = "%(agents)s"; Agent Timeout = %(timeout)s }
plugin %(agent)s { %(options)s }
Job { Name = Nightly; FileSet = Things; Storage = Disk }
FileSet { Name = Things; Include { Options { Signature = MD5 } File = %(file)s } }
Storage { Name = Disk; Archive Device = "%(volumes)s" }
"""


def command(tmp_path: Path, agents_dir: Path, agent: str, file: str, options: str) -> list[str]:
    conf = tmp_path / "filed.conf"
    values = {"agents": agents_dir, "timeout": "60", "agent": agent, "options": options, "file": file}
    conf.write_text(CONF % (values | {"volumes": tmp_path / "volumes"}))
    conf.chmod(0o600)
    return [sys.executable, "-c", "from filed.cli.main import main; main()", "backup", "-c", str(conf)]


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        ("", 0, "OK"),
        ("sin = crash-read", 2, r"agent bad 6.6 crashed \(SIGSEGV\) in read, entry /@BAD/one"),
        ("sin = exit-read", 2, r"called exit\(3\)"),
        ("sin = page-name-dotdot", 2, "broke the contract"),
        ("sin = page-failed", 3, "1 errors"),
        ("sin = crash-commit", 3, "crashed .* in commit; what was saved before is good"),
        ("unknown = 1", 1, "unknown"),
    ],
)
def test_the_exit_code_tells_how_a_job_ended(
    tmp_path: Path, agents_dir: Path, options: str, code: int, says: str
) -> None:
    done = subprocess.run(
        command(tmp_path, agents_dir, "bad", "/@BAD", options), capture_output=True, text=True, cwd=PROJECT, timeout=60
    )
    assert done.returncode == code or (options == "unknown = 1" and done.returncode == 2), done.stderr
    assert re.search(says, done.stdout + done.stderr), done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_the_command_line_cancels_with_130(
    tmp_path: Path, agents_dir: Path, number: signal.Signals
) -> None:
    trace = tmp_path / "trace"
    write_plan(tmp_path / "plan", A, ROOT)
    options = f'trace = "{trace}"; plan = "{tmp_path / "plan"}"; block = next_entries'
    arguments = command(tmp_path, agents_dir, "trace", "/@TRACE", options)
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, cwd=PROJECT) as process:
        try:
            wait_until(lambda: trace.exists() and "blocked" in trace.read_text())
            process.send_signal(number)
            _, words = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130, words
    assert "canceled during next_entries of agent trace 3.1" in words


# -- without a parent ---------------------------------------------------------------------------------------------

PARENT = """
import sys
from pathlib import Path
from filed.job.process import start_job
from filed.catalog import Level
from filed.fileset import FileSet, Include
from filed.job.description import AgentLine, AgentSetup, BackupJob, Places

agents, volumes, agent, file, grace, *pairs = sys.argv[1:]
options = tuple(tuple(pair.split("=", 1)) for pair in pairs)
fileset = FileSet(includes=(Include(files=(file.encode(),)),))
setup = AgentSetup((AgentLine(agent, options),), (Path(agents),))
job = BackupJob(Places.within(Path(volumes)), "Orphan", "client", Level.FULL, fileset, setup)
with start_job(job, kill_after_s=float(grace)) as process:
    print(process.pid, flush=True)
    process.run(lambda event: None, lambda: None)
"""


@pytest.mark.parametrize(
    ("agent", "file", "more"),
    [
        ("trace", "/@TRACE", ("block=next_entries", "spawn=yes")),  # wakes with cancel()
        ("bad", "/@BAD", ("sin=beat-read",)),  # polls the cancel word
        ("bad", "/@BAD", ("sin=page-endless",)),
        ("bad", "/@BAD", ("sin=deaf-next_entries",)),  # never comes back
        ("bad", "/@BAD", ("sin=deaf-ready",)),
    ],
)
def test_a_job_process_whose_parent_was_killed_ends_by_itself(
    tmp_path: Path, agents_dir: Path, agent: str, file: str, more: tuple[str, ...]
) -> None:
    volumes, trace = tmp_path / "volumes", tmp_path / "trace"
    options = list(more)
    grace = "0.5" if "deaf" in more[0] else "60"
    if agent == "trace":
        write_plan(tmp_path / "plan", A, ROOT)
        options += [f"plan={tmp_path / 'plan'}", f"trace={trace}"]
    arguments = [sys.executable, "-c", PARENT, str(agents_dir), str(volumes), agent, file, grace, *options]

    def at_work() -> bool:
        if agent == "trace":
            return trace.exists() and "blocked" in trace.read_text() and bool(descendants(job))
        return (volumes / "catalog.sqlite").exists() and _running(volumes)

    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as parent:
        try:
            assert parent.stdout is not None
            job = int(parent.stdout.readline())
            wait_until(at_work)
        finally:
            parent.kill()
    wait_until(lambda: not children_of_group(job))
    if "deaf" not in more[0]:
        with Catalog.read(volumes) as catalog:
            assert [row.status for row in catalog.jobs()] == ["A"]
    fileset = FileSet(includes=(Include(files=(b"/@GOOD",)),))
    healthy = Place(volumes, (agents_dir,))
    ran = healthy.run(
        BackupJob(Places.within(volumes), "Next", "client", Level.FULL, fileset, healthy.setup(line("good")))
    )
    assert ran.outcome.status is JobStatus.OK
    with Catalog.read(volumes) as catalog:
        assert [row.good for row in catalog.jobs()] == [False, True]


def _running(volumes: Path) -> bool:
    try:
        with Catalog.read(volumes) as catalog:
            return any(row.running for row in catalog.jobs())
    except CatalogError:  # it is being made
        return False


# -- after death --------------------------------------------------------------------------------------------------


def postmortem(place: Place, sin: str) -> str:
    ran = place.backup(line("bad", sin=sin), files=[b"/@BAD"])
    assert ran.outcome.status is JobStatus.FATAL
    (named,) = [text for text in ran.texts(Severity.INFO) if text.startswith("where its code was is in ")]
    text = Path(named.removeprefix("where its code was is in ")).read_text()
    assert ran.outcome.text in text
    return text


def test_a_crash_leaves_a_backtrace_with_the_agents_frames_in_a_file_that_a_message_names(place: Place) -> None:
    text = postmortem(place, "crash-read")
    assert "agent bad 6.6 crashed (SIGSEGV) in read, entry /@BAD/one" in text
    assert "signal 11, address 0x" in text
    assert "/bad.so(+0x" in text


def test_a_crash_on_a_thread_of_the_agents_own_is_not_blamed_on_the_call_alone(place: Place) -> None:
    assert "(SIGSEGV) in next_entries; it happened on another thread" in postmortem(place, "thread-crash")
    assert "another thread" not in postmortem(place, "crash-read")


def test_a_hang_does_so_too(place: Place) -> None:
    place.timeout_s = 1.0
    text = postmortem(place, "hang-next_entries")
    assert "made no progress for" in text
    assert "/bad.so(+0x" in text


def test_a_good_job_leaves_no_such_file(place: Place, plan: str) -> None:
    assert place.backup(line("trace", plan=plan), files=[b"/@TRACE"]).outcome.status is JobStatus.OK
    assert list(place.volumes.glob("*postmortem*")) == []
