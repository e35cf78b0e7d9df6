"""What an agent does to its process, and leaves in it."""

from __future__ import annotations

import re

import pytest

from filed.conformance import Verdict
from tests.conformance.conftest import Checking, words

LEFT = {
    ("guest", "descriptor-left"): "failed: destroy: : 1 descriptors are open when the agent is gone: /dev/null",
    ("guest", "inherited"): "failed: : : a descriptor without O_CLOEXEC",
    ("guest", "thread-left"): "failed: destroy: : 1 of its threads run on",
    ("leaks", "leak"): r"failed: end: : 12 equal Jobs leave behind about [\d,]{5,6} bytes of malloc each",
    ("leaks-restore", "leak"): r"failed: end: : 12 equal Jobs leave behind about [\d,]{5,6} bytes of malloc each",
    ("leaks", "descriptor-left"): "failed: end: : 12 equal Jobs leave behind about 2 descriptors each",
}
SINS = {
    "stdin": "failed: next_entries: : it reads from standard input",
    "stdout": "failed: : : it prints to standard output or standard error: an agent's words on stdout",
    "fork": "failed: end: : a process that it started is still there when its Job has ended",
    "fork-return": "failed: next_entries: : it forked without exec, and the copy came back",
    "cwd": "failed: next_entries: : it changed working directory of the process",
}


@pytest.mark.parametrize("name", ["guest", "leaks", "leaks-restore"])
@pytest.mark.parametrize("agent", ["subtle", "good", "golden"])
def test_an_agent_with_manners_passes(check: Checking, name: str, agent: str) -> None:
    said = check(name, agent)
    assert said.verdict is Verdict.PASSED, words(said)


@pytest.mark.parametrize(("name", "flaw"), LEFT)
def test_what_is_left_behind_is_named(check: Checking, name: str, flaw: str) -> None:
    said = check(name, flaw=flaw)
    assert said.verdict is Verdict.FAILED, words(said)
    assert re.search(LEFT[name, flaw], words(said)), words(said)


@pytest.mark.parametrize("sin", SINS)
def test_what_a_guest_does_not_do_is_named(check: Checking, sin: str) -> None:
    said = check("guest", "bad", sin=sin)
    assert said.verdict is Verdict.FAILED
    assert SINS[sin] in words(said)


def test_what_a_command_inherits_is_looked_at(check: Checking) -> None:
    said = check("guest", flaw="child-ignores")
    assert said.verdict is Verdict.FAILED
    assert "open_stream: : a command that it started, cat, ignores SIGINT, SIGPIPE, SIGXFSZ" in words(said)
    assert check("guest", flaw="child-proper").verdict is Verdict.PASSED


def test_a_child_that_was_not_waited_for_is_a_warning(check: Checking) -> None:
    said = check("guest", flaw="child")
    assert said.verdict is Verdict.WARNINGS
    assert "was not waited for" in words(said)
