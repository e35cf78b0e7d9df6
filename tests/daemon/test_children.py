"""The table of the daemon's processes, with processes that do next to nothing."""

from __future__ import annotations

import os
import selectors
import signal
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest

from filed.daemon.api import Daemon
from filed.daemon.children import Child, Children
from filed.process.system import readable
from filed.wire.auth import TlsNeed

PATIENCE_S = 30.0


class Table:
    """The daemon's loop, with nothing else in it."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.children = Children(self.selector, self)
        self.asked: list[tuple[str, str]] = []
        self.gone: list[tuple[str, int]] = []

    def answer(self, child: Child, question: dict[str, Any], descriptor: int) -> dict[str, Any] | None:
        self.asked.append((child.name, question["ask"]))
        if question.get("job") == "nonsense":
            raise ValueError
        return {"may": True} if question["ask"] == "begin" else None

    def ended(self, child: Child, code: int) -> None:
        self.gone.append((child.name, code))

    def let_go(self) -> None:
        self.selector.close()

    def turn(self) -> None:
        self.children.tend()
        found = self.selector.select(PATIENCE_S)
        assert found, "nothing happened"
        for key, _ in found:
            key.data(key.fileobj)

    def until_all_have_ended(self) -> None:
        while len(self.children):
            self.turn()


@pytest.fixture
def table() -> Iterator[Table]:
    table = Table()
    yield table
    table.children.kill()
    table.children.end()
    table.until_all_have_ended()
    table.selector.close()


def ask(daemon: Daemon) -> NoReturn:
    os._exit(7 if daemon.may_begin() else 1)


def say_and_leave(daemon: Daemon) -> NoReturn:
    daemon.greeted()
    daemon.expect_storage("KEY", 15)
    os._exit(0)


def wait_to_be_rung(daemon: Daemon) -> NoReturn:
    daemon.greeted()
    readable(daemon.cancel_pipe)
    os._exit(0 if daemon.ending.name == "DAEMON" else 1)


def test_a_process_is_answered_and_its_end_is_told_with_its_code(table: Table) -> None:
    child = table.children.start("one", ask, Child)
    assert (child.name, len(table.children)) == ("one", 1)
    table.until_all_have_ended()
    assert table.asked == [("one", "begin")]
    assert table.gone == [("one", 7)]


def test_what_a_process_said_last_is_heard_after_its_end(table: Table) -> None:
    child = table.children.start("one", say_and_leave, Child)
    assert readable(child.process.fileno(), timeout_s=PATIENCE_S)
    table.until_all_have_ended()
    assert [word for _, word in table.asked] == ["greeted", "expect storage"]


def test_all_are_asked_to_end(table: Table) -> None:
    for name in ("one", "two"):
        table.children.start(name, wait_to_be_rung, Child)
    while len(table.asked) < 2:
        table.turn()
    table.children.end()
    table.until_all_have_ended()
    assert sorted(table.gone) == [("one", 0), ("two", 0)]


def test_what_is_to_run_as_long_as_the_daemon_is_started_again(table: Table, caplog: pytest.LogCaptureFixture) -> None:
    started: list[Child] = []

    def begin() -> Child:
        started.append(table.children.start("watcher", wait_to_be_rung, Child))
        return started[-1]

    table.children.keep("watcher", begin)
    while len(table.asked) < 1:
        table.turn()
    assert table.children.patience_s() is None, "it runs"
    os.kill(started[0].pid, signal.SIGKILL)
    table.until_all_have_ended()
    assert table.gone == [("watcher", -signal.SIGKILL)]
    assert "watcher was killed by SIGKILL; it begins again in 1 s" in caplog.text
    assert 0 < (table.children.patience_s() or 0) <= 1
    readable(timeout_s=table.children.patience_s())
    while len(table.asked) < 2:
        table.turn()
    assert len(started) == 2
    table.children.end()
    table.until_all_have_ended()
    assert table.gone[1:] == [("watcher", 0)], "now it is not started again"


def test_another_begins_at_once_in_place_of_one_that_does_something_else_now(table: Table) -> None:
    started: list[Child] = []

    def begin() -> Child:
        started.append(table.children.start("watcher", wait_to_be_rung, Child))
        return started[-1]

    table.children.keep("watcher", begin)
    while len(table.asked) < 1:
        table.turn()
    table.children.replace(started[0])
    while len(table.asked) < 2:
        table.turn()
    table.children.replace(started[0])  # it is no longer the one that is kept
    assert table.children.patience_s() is None
    table.children.end()
    table.until_all_have_ended()
    assert len(started) == len(table.gone) == 2


def test_a_question_that_makes_no_sense_costs_its_process_alone(table: Table) -> None:
    def talk_nonsense(daemon: Daemon) -> NoReturn:
        daemon.hand_storage("nonsense", 0, TlsNeed.NONE, "")
        os._exit(0)

    table.children.start("one", talk_nonsense, Child)
    table.until_all_have_ended()
    assert table.gone == [("one", 0)]
