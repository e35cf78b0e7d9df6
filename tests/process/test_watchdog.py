from __future__ import annotations

from filed.process.status_page import HEARTBEAT_AT, PROGRESS_WORD, Call, StatusPage
from filed.process.watchdog import Watchdog


def watched() -> tuple[StatusPage, Watchdog]:
    status_page = StatusPage()
    watchdog = Watchdog(status_page, 10.0, 0.0)
    status_page.mark(Call.read, status_page.register("a 1"))
    assert not watchdog.expired(0.0)
    return status_page, watchdog


def test_silence_within_a_call_expires() -> None:
    _, watchdog = watched()
    assert not watchdog.expired(10.0)
    assert watchdog.expired(10.1)
    assert watchdog.silent_s(12.0) == 12.0


def test_heartbeat_callback_and_return_are_signs_of_life() -> None:
    status_page, watchdog = watched()
    status_page.words[HEARTBEAT_AT // 8] += 1
    assert not watchdog.expired(9.0)
    status_page.words[PROGRESS_WORD] += 1
    assert not watchdog.expired(18.0)
    assert not watchdog.expired(28.0)
    assert watchdog.expired(28.1)


def test_time_outside_of_agents_does_not_count() -> None:
    status_page, watchdog = watched()
    status_page.unmark()
    assert not watchdog.expired(1000.0)
    assert watchdog.silent_s(1000.0) == 0


def test_defer_grants_its_seconds_once_whatever_is_said_in_between() -> None:
    status_page, watchdog = watched()
    status_page.defer(100)
    assert not watchdog.expired(1.0)
    status_page.words[PROGRESS_WORD] += 1  # a message
    assert not watchdog.expired(2.0)
    assert not watchdog.expired(101.0)
    assert watchdog.expired(101.1)


def test_an_agent_may_have_a_timeout_of_its_own() -> None:
    status_page = StatusPage()
    watchdog = Watchdog(status_page, 10.0, 0.0, {"b": 100.0})
    status_page.mark(Call.read, status_page.register("b 2"))
    assert not watchdog.expired(0.0)
    assert not watchdog.expired(99.0)
    assert watchdog.expired(100.1)
    status_page.unmark()
    status_page.mark(Call.read, status_page.register("a 1"))
    assert not watchdog.expired(101.0)
    assert watchdog.expired(111.1)
