from __future__ import annotations

import signal

from filed.process.exit_report import describe_exit, describe_hang, signal_name
from filed.process.status_page import Call, StatusPage


def in_read() -> StatusPage:
    status_page = StatusPage()
    status_page.mark(Call.read, status_page.register("exchange 1.4"))
    status_page.set_entry(b"/@EXCHANGE/db")
    return status_page


def test_a_crash_is_told_with_agent_version_call_entry_and_signal() -> None:
    text = describe_exit(in_read(), -signal.SIGSEGV)
    assert text == "agent exchange 1.4 crashed (SIGSEGV) in read, entry /@EXCHANGE/db"


def test_an_exit_is_told_with_its_code() -> None:
    assert describe_exit(in_read(), 3) == "agent exchange 1.4 called exit(3) in read, entry /@EXCHANGE/db"


def test_a_death_in_our_own_code_blames_nobody() -> None:
    assert describe_exit(StatusPage(), -9) == "the job process crashed (SIGKILL), outside of any agent"
    assert describe_exit(StatusPage(), 1) == "the job process called exit(1), outside of any agent"


def test_last_words_count_more_than_the_exit_code_and_less_than_a_signal() -> None:
    status_page = StatusPage()
    status_page.set_reason("agent a 1: begin: broke the contract: it changed descriptors of the process")
    assert describe_exit(status_page, 70) == status_page.backtrace
    assert "SIGSEGV" in describe_exit(status_page, -11)


def test_a_hang_is_told_with_how_long() -> None:
    assert describe_hang(in_read(), 600.2) == (
        "agent exchange 1.4 made no progress for 600 s in read, entry /@EXCHANGE/db"
    )
    assert describe_hang(StatusPage(), 1) == "the job process made no progress for 1 s, outside of any agent"


def test_every_signal_has_a_name() -> None:
    assert signal_name(11) == "SIGSEGV"
    assert signal_name(60) == "signal 60"
