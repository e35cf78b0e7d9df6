"""The agent's calls, one after the other: what a command gives, what is made of how it ends, and what it leaves."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from filed.agents import Action, AgentJob, EntryFlag, Kind, Library, Replace, Status
from filed.errors import AgentError, ItemError, JobCanceled
from filed.process.status_page import Cancel
from tests.native_agents.pipe.driving import Pipe, eventually, wait_until_gone

C_LIBRARYS = (
    0b11 << 31
)  # signals 32 and 33, which glibc lets nobody set; make(1) leaves them ignored for what it starts


@pytest.fixture
def pipe(library: Library) -> Pipe:
    return Pipe(library)


def held() -> tuple[set[str], set[str]]:
    """Descriptors, and children, dead ones among them."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return set(os.listdir("/proc/self/fd")), set(children)


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No zombie, no process, no descriptor."""
    before = held()
    yield
    for now, then in zip(held(), before, strict=True):
        assert now - then == set()


# -- backup ---------------------------------------------------------------------------------------------------------


def test_what_the_reader_prints_is_the_file(pipe: Pipe) -> None:
    assert pipe.saved("bpipe:/dump/a:echo one | tr o 0:") == b"0ne\n"
    assert pipe.saved("pipe:/dump/a:true:") == b""


def test_large_output_comes_whole(pipe: Pipe) -> None:
    assert pipe.saved("bpipe:/dump/a:seq 1 300000:cat") == b"".join(b"%d\n" % n for n in range(1, 300_001))


def test_a_line_lists_one_file_which_every_job_takes(pipe: Pipe) -> None:
    ((entry, name),) = pipe.listed("bpipe:/dump/a:true:true")
    assert name == b"/dump/a"
    assert entry.flags & EntryFlag.SELECTED
    assert time.time() - entry.mtime < 60


def test_an_estimate_starts_nothing(pipe: Pipe, tmp_path: Path) -> None:
    ((_, name),) = pipe.listed(f"bpipe:/dump/a:touch {tmp_path}/ran:true", Kind.ESTIMATE)
    assert name == b"/dump/a"
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("command", "report"),
    [
        ("echo data; exit 3", "/dump/a: its command ended with exit code 3"),
        ("echo data; kill -9 $$", r"/dump/a: its command was ended by signal 9 \(Killed\)"),
        ("/no/such/program", "exit code 127; the last it said: .*/no/such/program: not found"),
        ("echo 'table is locked' >&2; exit 1", "exit code 1; the last it said: table is locked"),
        ("sleep 100 & exit 4", "exit code 4"),
        ("head -c 3000000 /dev/zero; exit 5", "exit code 5"),
    ],
)
def test_a_reader_that_fails_makes_no_file(pipe: Pipe, command: str, report: str) -> None:
    with pytest.raises(AgentError, match=report) as failed:
        pipe.saved(f"bpipe:/dump/a:{command}:cat")
    assert failed.value.code == Status.E_FAIL


def test_what_a_reader_says_is_told_line_by_line(pipe: Pipe) -> None:
    pipe.saved(r"bpipe:/dump/a:printf 'one\ntwo\rthree' >&2; echo data; printf 'last' >&2:cat")
    assert pipe.host.said == ["/dump/a: one", "/dump/a: two", "/dump/a: threelast"]


def test_a_flood_of_words_is_counted_and_a_long_line_cut(pipe: Pipe) -> None:
    assert pipe.saved("bpipe:/dump/a:seq 1 3000 >&2; echo data:cat") == b"data\n"
    assert len(pipe.host.said) == 1001
    assert pipe.host.said[-1] == "/dump/a: 2000 further lines of its command are left out"
    pipe.host.said.clear()
    pipe.saved("bpipe:/dump/a:head -c 3000 /dev/zero | tr '\\0' x >&2:cat")
    assert [len(text) for text in pipe.host.said] == [1023 + 9, 1023 + 9, 3000 - 2 * 1023 + 9]


def test_a_silent_command_is_given_up(library: Library) -> None:
    pipe = Pipe(library, options=(("silence", "1"),))
    with pytest.raises(AgentError, match="did nothing for 1 seconds"):
        pipe.saved("bpipe:/dump/a:sleep 100:cat")


def test_a_command_inherits_nothing(pipe: Pipe) -> None:
    with open(os.devnull, "rb") as other:
        os.set_inheritable(other.fileno(), True)
        listed = pipe.saved("bpipe:/dump/a:ls /proc/self/fd; cat:cat").split()
    assert listed == [b"0", b"1", b"2", b"3"]  # 3 is the listing itself
    status = pipe.saved("bpipe:/dump/a:grep Sig /proc/self/status:cat").decode()
    masks = dict(line.split(":\t") for line in status.splitlines())
    assert {int(masks[key], 16) & ~C_LIBRARYS for key in ("SigBlk", "SigIgn")} == {0}


@pytest.mark.parametrize("command", ["sleep 100", "trap '' TERM; while true; do sleep 1; done", "yes"])
def test_a_cancel_ends_the_command_and_its_group(pipe: Pipe, command: str, tmp_path: Path) -> None:
    pids, threads = tmp_path / "pids", []

    def cancel(job: AgentJob) -> None:
        eventually(lambda: pids.exists() and len(pids.read_text().split()) == 2)  # the command says when it runs
        pipe.status_page.ask_cancel(Cancel.ASKED)
        job.cancel()

    def soon(job: AgentJob) -> None:
        threads.append(threading.Thread(target=cancel, args=(job,)))
        threads[0].start()

    with pytest.raises(JobCanceled):
        pipe.saved(f"bpipe:/dump/a:sleep 200 & echo $$ $! > {pids}; {command}:cat", soon)
    threads[0].join()
    for pid in pids.read_text().split():
        wait_until_gone(int(pid))


# -- lines and commands ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "report"),
    [
        ("bpipe:", "is no path"),
        ("bpipe:/:x:y", "is no path"),
        ("bpipe:/a/../b:x:y", "is no path"),
        ("bpipe:/a//b:x:y", "is no path"),
        ("bpipe:/a/", "is no path"),
        ("bpipe:/a", "there is no reader"),
        ("bpipe:/a::cat", "there is no reader"),
    ],
)
def test_a_line_that_makes_no_sense_is_refused(pipe: Pipe, line: str, report: str) -> None:
    with pytest.raises(AgentError, match=report):
        pipe.listed(line)


@pytest.mark.parametrize(
    ("pattern", "command", "may"),
    [
        ("true", "true", True),
        ("true", "true ", False),
        ("true", "tru", False),
        ("echo *", "echo abc-1.2_x", True),
        ("echo *", "echo ", True),
        ("echo *", "echo a b", False),
        ("echo *", "echo a;true", False),
        ("echo *", "echo $(true)", False),
        ("echo *", "echo a/b", False),
        ("echo *", "echo \na", False),
        ("echo *-*", "echo a-b-c", True),
        ("echo *-*!", "echo a-b-c", False),
        ("echo *", "echo -n", False),
        ("echo *", "echo --to=x", False),
        ("echo a* *", "echo a- -n", False),
        ("echo '*'", "echo '-n'", False),
        ("echo /*", "echo /-n", True),
        ("echo -*", "echo -n", True),
        ("*", "-true", False),
        (r"echo \*", "echo *", True),
        (r"echo \*", "echo x", False),
        ("*", "true", True),
        ("*", "true true", False),
        ("**", "true; true | cat", True),
    ],
)
def test_only_commands_that_the_conf_allows_run(library: Library, pattern: str, command: str, may: bool) -> None:  # noqa: FBT001
    pipe = Pipe(library, allow=("nothing like it", pattern))
    if may:
        pipe.saved(f"bpipe:/dump/a:{command}:cat")
    else:
        with pytest.raises(AgentError, match="/dump/a: its reader is not among the commands that this machine's conf"):
            pipe.listed(f"bpipe:/dump/a:{command}:cat", Kind.ESTIMATE)


def test_without_a_list_nothing_runs(library: Library, tmp_path: Path) -> None:
    line = f"bpipe:/dump/a:touch {tmp_path}/read:touch {tmp_path}/written"
    pipe = Pipe(library, allow=())
    with pytest.raises(AgentError, match="its reader is not among"):
        pipe.saved(line)
    with pytest.raises(ItemError, match="its writer is not among"):
        pipe.restored(line, [(0, b"data")])
    assert list(tmp_path.iterdir()) == []


def test_what_is_saved_is_no_verify(pipe: Pipe) -> None:
    with pytest.raises(AgentError, match="cannot be compared"):
        pipe.listed("bpipe:/dump/a:true:true", Kind.VERIFY)


def options_with(command: str) -> bytes:
    """What a console of 15 makes of bpipe's restore object."""
    text = command.replace("\\", "\\\\").replace('"', '\\"')
    return f'# Plugin configuration file\n# Version 1\n# Restore command to use\nrestore_command="{text}"\n\n'.encode()


# -- restore --------------------------------------------------------------------------------------------------------


def test_the_writer_gets_the_data_back(pipe: Pipe, tmp_path: Path) -> None:
    data = os.urandom(300_000)
    out = tmp_path / "out"
    assert (
        pipe.restored(f"bpipe:/dump/a:true:cat > {out}", [(0, data[:200_000]), (200_000, data[200_000:])])
        == Action.WANT
    )
    assert out.read_bytes() == data


def test_an_empty_file_runs_its_writer_and_a_hole_is_zeros(pipe: Pipe, tmp_path: Path) -> None:
    out = tmp_path / "out"
    pipe.restored(f"bpipe:/dump/a:true:cat > {out}", [])
    assert out.read_bytes() == b""
    pipe.restored(f"bpipe:/dump/a:true:cat > {out}", [(100_000, b"end")])
    assert out.read_bytes() == bytes(100_000) + b"end"


def test_a_command_that_a_console_gives_takes_the_place_of_the_writer(pipe: Pipe, tmp_path: Path) -> None:
    line = f"bpipe:/dump/a:true:cat > {tmp_path}/writer"
    given = f'cat > "{tmp_path}/given"; echo %r >> {tmp_path}/given'
    pipe.restored(line, [(0, b"data\n")], options=options_with(given))
    assert [path.name for path in tmp_path.iterdir()] == ["given"]
    assert (tmp_path / "given").read_text() == "data\na\n"
    assert pipe.host.said == ["/dump/a: restored by the command that was given with the restore"]


@pytest.mark.parametrize(
    "options", [options_with(""), b"x", b'restore_command="open', b"\n\nrestore_command=@STR@\n", bytes(8192)]
)
def test_options_without_a_command_leave_the_writer(pipe: Pipe, tmp_path: Path, options: bytes) -> None:
    pipe.restored(f"bpipe:/dump/a:true:cat > {tmp_path}/writer", [(0, b"data")], options=options)
    assert (tmp_path / "writer").read_bytes() == b"data"


def test_a_command_that_a_console_gives_has_to_be_allowed(library: Library, tmp_path: Path) -> None:
    pipe = Pipe(library, allow=("true", "cat > /dev/null"))
    with pytest.raises(ItemError, match="its restore command is not among the commands"):
        pipe.restored("bpipe:/dump/a:true:cat > /dev/null", [], options=options_with(f"touch {tmp_path}/ran"))
    assert list(tmp_path.iterdir()) == []


def test_restore_options_that_are_too_long_are_an_error(pipe: Pipe) -> None:
    with pytest.raises(ItemError, match="its restore options are too long"):
        pipe.restored("bpipe:/dump/a:true:cat > /dev/null", [], options=bytes(8193))


def test_codes_of_the_writer(pipe: Pipe, tmp_path: Path) -> None:
    line = f"bpipe:/dump/a:true:echo %w %r %% %x a:b > {tmp_path}/out"
    pipe.restored(line, [], where=b"/tmp/back", replace=Replace.NEVER)
    assert (tmp_path / "out").read_text() == "/tmp/back n % %x a:b\n"


@pytest.mark.parametrize("where", [b"/tmp/$(id)", b"/tmp/a b", b"/tmp/a;b", b"/tmp/`id`", b"/tmp/a'b", b"/tmp/a\nb"])
def test_a_directory_never_becomes_a_part_of_the_script(pipe: Pipe, where: bytes, tmp_path: Path) -> None:
    with pytest.raises(ItemError, match="characters that a shell would act on"):
        pipe.restored(f"bpipe:/dump/a:true:touch {tmp_path}/ran; cat > %w/x", [(0, b"x")], where=where)
    assert list(tmp_path.iterdir()) == []


def test_what_a_writer_prints_and_says_is_told(pipe: Pipe) -> None:
    pipe.restored("bpipe:/dump/a:true:cat; echo done >&2", [(0, b"3 rows\n")])
    assert pipe.host.said == ["/dump/a: 3 rows", "/dump/a: done"]


@pytest.mark.parametrize(
    ("writer", "report"),
    [
        ("cat > /dev/null; echo 'disk full' >&2; exit 9", "exit code 9; the last it said: disk full"),
        ("head -c 1 > /dev/null", "ended before it had read everything"),
        ("kill -15 $$", "signal 15"),
        ("", "saved without a writer"),
    ],
)
def test_a_writer_that_fails_costs_its_file(pipe: Pipe, writer: str, report: str) -> None:
    with pytest.raises(ItemError, match=report):
        pipe.restored(f"bpipe:/dump/a:true:{writer}", [(n << 20, bytes(1 << 20)) for n in range(4)])


def test_a_file_that_is_corrupt_does_not_reach_its_end(pipe: Pipe, tmp_path: Path) -> None:
    line = f"bpipe:/dump/a:true:cat > {tmp_path}/part && touch {tmp_path}/done"
    pipe.restored(line, [(0, b"half of it")], how=Status.E_CORRUPT)
    assert not (tmp_path / "done").exists()


def test_what_a_writer_started_may_go_on(pipe: Pipe, tmp_path: Path) -> None:
    pipe.restored(f"bpipe:/dump/a:true:cat >/dev/null; sleep 100 & echo $! > {tmp_path}/pid", [(0, b"x")])
    os.kill(int((tmp_path / "pid").read_text()), 9)


def test_by_the_conf_it_comes_back_as_a_file(library: Library) -> None:
    pipe = Pipe(library, allow=(), options=(("restore", "file"),))
    assert pipe.restored("bpipe:/dump/a:true:cat", [(0, b"x")]) == Action.HOST
