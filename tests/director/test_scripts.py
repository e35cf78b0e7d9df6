from __future__ import annotations

import os
import signal
import time

import pytest

from filed.director.scripts import Codes, Scripts, run_script
from filed.errors import ConnectionLost
from filed.wire.director import RunScriptCommand
from tests.system.program import wait_until


def run(command: str, *, wanted: bool = True) -> tuple[str, list[str]]:
    said: list[str] = []
    return run_script("ClientRunBeforeJob", command, said.append, lambda: wanted, lambda _group: None), said


def test_what_a_program_prints_is_told_line_by_line() -> None:
    why, said = run("/bin/sh -c 'echo a; echo b c; printf d'")
    assert why == ""
    assert said[1:] == ["ClientRunBeforeJob: a", "ClientRunBeforeJob: b c", "ClientRunBeforeJob: d"]
    assert said[0].startswith('shell command: run ClientRunBeforeJob "/bin/sh')


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("/bin/sh -c 'exit 3'", "code 3"),
        ("/bin/sh -c 'kill -9 $$'", "signal 9"),
        ("/nonexistent", "cannot be run"),
        ("", "cannot be run"),
        ("'", "cannot be run"),
    ],
)
def test_a_program_that_fails_says_how(command: str, why: str) -> None:
    assert why in run(command)[0]


def test_a_cancel_ends_a_program_and_what_it_started() -> None:
    begun = time.monotonic()
    why, _ = run("/bin/sh -c 'sleep 600; sleep 600'", wanted=False)
    assert "canceled" in why
    assert time.monotonic() - begun < 60


def test_a_child_left_behind_is_not_waited_for() -> None:
    begun = time.monotonic()
    why, said = run("/bin/sh -c 'sleep 600 & echo $!'")
    os.kill(int(said[-1].rpartition(" ")[2]), signal.SIGKILL)
    assert why == ""
    assert time.monotonic() - begun < 60


def test_a_program_that_closes_its_output_is_waited_for() -> None:
    assert "code 4" in run("/bin/sh -c 'exec >&- 2>&-; sleep 0.3; exit 4'")[0]


def test_codes_stand_for_facts_of_the_job() -> None:
    assert Codes({"j": "Job.1", "l": "Full"}).expand("echo %j %l 100%% %q %") == "echo Job.1 Full 100% %q %"


def test_who_runs_when() -> None:
    before = RunScriptCommand("Run", "a", on_failure=True, when=2)
    after_bad = RunScriptCommand("Run", "b", on_success=False, on_failure=True, when=1)
    once_open = RunScriptCommand("Run", "c", when=4)
    after_good = RunScriptCommand("RunAfterJob", "d")
    always = RunScriptCommand("Run", "e", on_failure=True, when=3)
    scripts = Scripts([before, after_bad, once_open, after_good, always])
    assert scripts.before() == [before, always]
    assert scripts.once_open() == [once_open]
    assert scripts.after(good=True) == [after_good, always]
    assert scripts.after(good=False) == [after_bad, always]


def test_a_child_that_prints_for_ever_is_not_waited_for() -> None:
    printed: list[str] = []
    why = run_script(
        "After", "/bin/sh -c 'yes & echo done'", printed.append, lambda: len(printed) < 2_000_000, lambda _group: None
    )
    assert why == ""
    assert "After: done" in printed


def test_who_waits_is_told_the_group_and_the_end() -> None:
    told: list[int] = []
    assert run_script("After", "/bin/sh -c 'echo $$'", (said := []).append, lambda: True, told.append) == ""
    assert told == [int(said[1].removeprefix("After: ")), 0]


def test_a_program_ends_when_nobody_can_be_told_what_it_prints() -> None:
    """The Director's connection is lost: the program would run on with nobody to end it."""
    told: list[int] = []

    def say(line: str) -> None:
        if line == "After: begun":
            raise ConnectionLost("a Director", "a visit", "gone")

    begun = time.monotonic()
    with pytest.raises(ConnectionLost):
        run_script("After", "/bin/sh -c 'echo begun; sleep 600; sleep 600'", say, lambda: True, told.append)
    assert time.monotonic() - begun < 60
    wait_until(lambda: not is_there(told[0]))


def is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
