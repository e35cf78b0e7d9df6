from __future__ import annotations

import signal

from filed.agents.pulse import Call, Pulse
from filed.agents.report import describe_exit, describe_exit_code, describe_hang, signal_name


def in_read() -> Pulse:
    pulse = Pulse()
    pulse.mark(Call.read, pulse.register("exchange 1.4"))
    pulse.set_entry(b"/@EXCHANGE/db")
    return pulse


def test_a_crash_is_told_with_agent_version_call_entry_and_signal() -> None:
    text = describe_exit(in_read(), int(signal.SIGSEGV))
    assert text == "agent exchange 1.4 crashed (SIGSEGV) in read, entry /@EXCHANGE/db"


def test_an_exit_is_told_with_its_code() -> None:
    assert describe_exit(in_read(), 3 << 8) == "agent exchange 1.4 called exit(3) in read, entry /@EXCHANGE/db"


def test_a_death_in_our_own_code_blames_nobody() -> None:
    assert describe_exit_code(Pulse(), -9) == "the job process crashed (SIGKILL), outside of any agent"
    assert describe_exit_code(Pulse(), 1) == "the job process called exit(1), outside of any agent"


def test_last_words_count_more_than_the_exit_code_and_less_than_a_signal() -> None:
    pulse = Pulse()
    pulse.set_last_words("agent a 1: begin: broke the contract: it changed descriptors of the process")
    assert describe_exit_code(pulse, 70) == pulse.last_words
    assert "SIGSEGV" in describe_exit_code(pulse, -11)


def test_a_hang_is_told_with_how_long() -> None:
    assert describe_hang(in_read(), 600.2) == (
        "agent exchange 1.4 made no progress for 600 s in read, entry /@EXCHANGE/db"
    )
    assert describe_hang(Pulse(), 1) == "the job process made no progress for 1 s, outside of any agent"


def test_every_signal_has_a_name() -> None:
    assert signal_name(11) == "SIGSEGV"
    assert signal_name(60) == "signal 60"
