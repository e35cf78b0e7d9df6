from __future__ import annotations

from pathlib import Path

from filed.wire import reply
from filed.wire.frame import Signal
from tests.director.visiting import STORAGE, Visiting


def test_questions_are_answered(tmp_path: Path) -> None:
    with Visiting(tmp_path) as talk:
        talk.name()
        talk.say(b"status")
        assert b"No Jobs running.\n" in talk.until(Signal.EOD)
        talk.say(b".status header api=1 api_opts=")
        assert talk.text().startswith(b"header:\nname=a-fd\n")
        assert talk.until(Signal.EOD) == []
        talk.say(b".status current api=1 api_opts=")
        assert talk.until(Signal.EOD) == [reply.OK_DOT_STATUS]
        talk.say(b".status nonsense api=1 api_opts=")
        assert talk.until(Signal.EOD) == [reply.BAD_DOT_STATUS]
        talk.say(b"cancel Job=somebody\n")
        assert talk.until(Signal.EOD) == [b'2001 Job "somebody" marked to be canceled.\n']
        talk.say(b"stop Job=nobody\n")
        assert talk.until(Signal.EOD) == [b"2901 Job nobody not found.\n"]
        talk.say(b"setbandwidth=1000 Job=\n")
        assert talk.text() == reply.OK_BANDWIDTH
        talk.say(b"setdebug=50 trace=1 hangup=0 blowup=0 options= tags=\n")
        assert talk.text() == b"2000 OK setdebug=50 trace=1 hangup=0 blowup=0 options= tags=\n"
        talk.say(b"session\n")
        assert talk.text() == reply.OK_SESSION
        talk.say(Signal.TERMINATE)
    assert talk.house.asked == [("somebody", False), ("nobody", True), (1000, ""), (50, 1)]
    assert talk.house.over == []


def test_the_way_to_a_storage_daemon_is_measured_for_a_console(tmp_path: Path) -> None:
    with Visiting(tmp_path, number=10_002) as talk:
        talk.name()
        talk.say(STORAGE, b"testnetwork bytes=1000 rtt=10\n")
        assert talk.until(Signal.COMMAND_OK) == [reply.OK_STORAGE, b"2000 OK FD wrote bytes=7 to SD\n"]
        talk.say(Signal.TERMINATE)
    assert talk.house.asked == [("Save.2026-11-23_10.14.28_03", "KEY", 1000, 10)]


def test_a_way_that_cannot_be_measured_is_no_end_of_the_conversation(tmp_path: Path) -> None:
    with Visiting(tmp_path, number=10_002) as talk:
        talk.name()
        talk.say(b"testnetwork bytes=1000 rtt=10\n")
        assert b"none was named" in bytes(talk.until(Signal.COMMAND_FAILED)[-1])
        talk.say(STORAGE, b"testnetwork bytes=0 rtt=10\n")
        assert b"it closed the connection" in bytes(talk.until(Signal.COMMAND_FAILED)[-1])
        talk.say(b"status")
        assert talk.until(Signal.EOD)
        talk.say(Signal.TERMINATE)
