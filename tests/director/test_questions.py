from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from filed.job.description import EstimateJob, JobDescription, NetworkTest
from filed.process.outcome import JobStatus, Outcome, Totals
from filed.wire import reply
from filed.wire.frame import Signal
from tests.director.visiting import GOOD, STORAGE, OnEvent, Told, Visiting


def measure(job: JobDescription, on_event: OnEvent, _wanted: Callable[[], bool]) -> Outcome:
    assert isinstance(job, NetworkTest)
    on_event({"event": "listing", "lines": ["2000 OK FD wrote bytes=7 to SD"]}, Told())
    return GOOD if job.size else Outcome(JobStatus.FATAL, Totals(errors=1), text="it closed the connection")


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


@pytest.mark.parametrize(
    ("said", "answer", "end"),
    [
        (b'query parameter="Q" plugin="P" value=""\n', b"error=plugin not found", Signal.EOD),
        (b"caps\n", b"fdcaps: dedup=0 rehydration=0 proxy=0\n", Signal.COMMAND_OK),
        (b"snapshot retention=31536000\n", b"2000 Snapshot retention\n", None),
        (b"snapshot list name= volume= device= tdate=0 type=\n", None, Signal.EOD),
        (b"snapshot del name=x volume=y\n", b"2999 Snapshot deleted ERR=no\1snapshots\1are\1taken\1here\n", None),
        (b"statistics format=simple metric\n", None, Signal.EOD),
        (
            b"setdebug=-1 trace=-1 hangup=-1 blowup=-1 options= tags=\n",
            b"2000 OK setdebug=-1 trace=0 hangup=0 blowup=0 options= tags=\n",
            None,
        ),
    ],
)
def test_what_consoles_of_15_ask_is_no_end_of_the_conversation(
    tmp_path: Path, said: bytes, answer: bytes | None, end: Signal | None
) -> None:
    with Visiting(tmp_path, number=10_002) as talk:
        talk.name()
        talk.say(said)
        assert [talk.packet() for expected in (answer, end) if expected is not None] == [
            expected for expected in (answer, end) if expected is not None
        ]
        talk.say(b"status")
        assert talk.until(Signal.EOD)
        talk.say(Signal.TERMINATE)


def test_what_nobody_can_mean_ends_it(tmp_path: Path) -> None:
    for said, answer in (
        (b"query\n", b"2992 Bad query command\n"),
        (b"statistics\n", b"2900 Bad statistics command, missing argument.\n"),
        (b"snapshot prune\n", b"2999 Snapshot command not found\n"),
        (b"setdebug=x\n", b"2991 Bad setdebug command\n"),
    ):
        with Visiting(tmp_path, number=10_002) as talk:
            talk.name()
            talk.say(said)
            assert talk.rest()[0] == answer


def test_plugin_options_of_a_job_are_answered_and_said_to_have_no_effect(tmp_path: Path) -> None:
    with Visiting(tmp_path, number=10_002) as talk:
        talk.name(7)
        talk.say(b"pluginoptions=bpipe:\1x\n")
        (said,) = talk.until(b"2000 OK plugin options\n")
        assert b'Plugin Options of the Job, "bpipe: x", have no effect' in bytes(said)  # type: ignore[arg-type]
        talk.say(b"restorefilelist plugin=bpipe:\n", b"/a\0stat\0\0", Signal.EOD, b"caps\n")
        assert talk.until(Signal.COMMAND_OK)
        talk.say(Signal.TERMINATE)


def test_the_path_that_a_console_looks_at_is_no_option_of_the_agent(tmp_path: Path) -> None:
    """`.ls client=a-fd plugin="p: x" path=/`."""
    lines = (b"I\n", b"O h\n", b"N\n", b"P p: x=1 listing=/home/a b\n", b"N\n", Signal.EOD)
    for level, plugin in ((b"", "p: x=1"), (b"level = full  mtime_only=0  estimate \n", "p: x=1 listing=/home/a b")):
        with Visiting(tmp_path, number=10_002) as talk:
            talk.name()
            talk.say(*([level] if level else []), b"fileset\n", *lines, b"estimate listing=1\n")
            talk.until(Signal.EOD)
            talk.say(Signal.TERMINATE)
        (job,) = talk.house.jobs
        assert isinstance(job, EstimateJob)
        assert job.fileset.includes[0].plugins == (plugin,)


def test_the_way_to_a_storage_daemon_is_measured_for_a_console(tmp_path: Path) -> None:
    with Visiting(tmp_path, measure, number=10_002) as talk:
        talk.name()
        talk.say(STORAGE, b"testnetwork bytes=1000 rtt=10\n")
        assert talk.until(Signal.COMMAND_OK) == [reply.OK_STORAGE, b"2000 OK FD wrote bytes=7 to SD\n"]
        talk.say(Signal.TERMINATE)
    (job,) = talk.house.jobs
    assert isinstance(job, NetworkTest)
    assert (job.storage.key, job.size, job.packets) == ("KEY", 1000, 10)


def test_a_way_that_cannot_be_measured_is_no_end_of_the_conversation(tmp_path: Path) -> None:
    with Visiting(tmp_path, measure, number=10_002) as talk:
        talk.name()
        talk.say(b"testnetwork bytes=1000 rtt=10\n")
        assert b"none was named" in bytes(talk.until(Signal.COMMAND_FAILED)[-1])
        talk.say(STORAGE, b"testnetwork bytes=0 rtt=10\n")
        assert b"it closed the connection" in bytes(talk.until(Signal.COMMAND_FAILED)[-1])
        talk.say(b"status")
        assert talk.until(Signal.EOD)
        talk.say(Signal.TERMINATE)
