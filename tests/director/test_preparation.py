from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from filed.errors import ConnectionLost
from filed.job.description import JobDescription, NetworkBackup
from filed.job.select.accurate_list import packets
from filed.process.outcome import Outcome
from filed.wire import reply
from filed.wire.frame import Signal
from filed.wire.reply import parse_end_job
from tests.director.dialogue import JOB
from tests.director.visiting import FILESET, GOOD, STORAGE, OnEvent, Visiting, prepared


def test_an_incremental_asks_for_the_directors_time(tmp_path: Path) -> None:
    with Visiting(tmp_path) as talk:
        talk.name(7)
        talk.say(
            b"level = accurate_incremental  mtime_only=0 \n",
            b"level = since_utime 1000 mtime_only=0 prev_job=Save.1\n",
        )
        polls = 0
        while (packet := talk.packet()) is Signal.BTIME:
            polls += 1
            talk.say(b"btime 0\n")  # fifty years behind
        assert (polls, packet) == (3, Signal.EOD)
        assert talk.text() == reply.OK_LEVEL
        assert b"type=5" in talk.text()
        talk.say(*FILESET, STORAGE, b"accurate files=1\n", b"/a\0stat", Signal.EOD, b"backup FileIndex=0\n")
        talk.until(reply.OK_BACKUP)
        talk.rest()
    (job,) = talk.house.jobs
    assert isinstance(job, NetworkBackup)
    assert job.changes.base_job == "Save.1"
    assert job.changes.since > 1_000_000_000
    assert job.changes.accurate is not None
    assert list(tmp_path.iterdir()) == []


def test_the_accurate_list_is_there_for_the_job(tmp_path: Path) -> None:
    seen: list[list[bytes]] = []

    def work(job: JobDescription, _on_event: OnEvent, _wanted: Callable[[], bool]) -> Outcome:
        assert isinstance(job, NetworkBackup)
        assert job.changes.accurate is not None
        with job.changes.accurate.open("rb") as file:
            seen.append(list(packets(file)))
        return GOOD

    with Visiting(tmp_path, work) as talk:
        prepared(talk)
        talk.say(b"accurate files=1\n", b"/a\0stat", Signal.EOD, b"backup FileIndex=0\n")
        talk.rest()
    assert seen == [[b"/a\0stat"]]


def test_a_fileset_of_nonsense_fails_the_job(tmp_path: Path) -> None:
    with Visiting(tmp_path) as talk:
        talk.name(7)
        talk.say(b"fileset\n", b"nonsense", Signal.EOD)
        fatal, end = talk.rest()
    assert isinstance(fatal, bytes)
    assert b"FileSet" in fatal
    assert isinstance(end, bytes)
    assert parse_end_job(end).term_code == "f"


@pytest.mark.parametrize(
    "word", ["Run", "RunBeforeJob", "RunBeforeNow", "RunAfterJob", "FileSetPrograms", "FileSetLists"]
)
@pytest.mark.parametrize("line", [b"F |id", b"F </etc/hostname"])
@pytest.mark.parametrize("where", [b"I\n", b"E\n"])
def test_a_fileset_runs_and_reads_nothing_that_the_conf_forbids(
    tmp_path: Path, word: str, line: bytes, where: bytes
) -> None:
    with Visiting(tmp_path, disabled=(word,)) as talk:
        talk.name(7)
        talk.say(b"fileset\n", where, line + b"\n", b"N\n", Signal.EOD)
        if word.startswith("FileSet") and (b"|" in line) is (word == "FileSetLists"):
            assert talk.text() == reply.OK_FILESET
            return
        fatal, end = talk.rest()
    assert isinstance(fatal, bytes)
    assert b"Disable Command of the conf forbids it" in fatal
    assert isinstance(end, bytes)
    assert parse_end_job(end).term_code == "f"


def test_a_second_list_and_a_second_job_leave_nothing_on_the_disk(tmp_path: Path) -> None:
    with Visiting(tmp_path) as talk:
        talk.name(7)
        talk.say(b"accurate files=1\n", b"/a\0P", Signal.EOD, b"accurate files=1\n", b"/b\0P", Signal.EOD)
        talk.name(8)
        assert list(tmp_path.iterdir()) == []


def test_a_job_waits_for_its_turn_before_it_is_answered(tmp_path: Path) -> None:
    with Visiting(tmp_path) as talk:
        talk.house.turns = 2
        talk.name(7)
        assert (talk.house.turns, talk.house.greetings) == (0, 1)
        talk.say(Signal.TERMINATE)


def test_a_director_that_leaves_while_its_job_waits_is_not_waited_for(tmp_path: Path) -> None:
    with Visiting(tmp_path) as talk:
        talk.house.turns = 1_000_000
        talk.say(JOB % 7, Signal.TERMINATE)
        talk.rest()
    assert isinstance(talk.error, ConnectionLost)
    assert "wait for other Jobs" in str(talk.error)


def test_the_house_hears_of_a_storage_daemon_that_is_to_call(tmp_path: Path) -> None:
    with Visiting(tmp_path) as talk:
        talk.name(7)
        talk.say(
            b"storage address=192.0.2.5 port=0 ssl=0\n", b"storage address=192.0.2.5 port=0 ssl=0 Authorization=OTHER\n"
        )
        assert [talk.text(), talk.text()] == [reply.OK_STORAGE] * 2
        assert talk.house.asked == [("KEY", 214), ("OTHER", 214)]
        talk.say(Signal.TERMINATE)


@pytest.mark.parametrize(("options", "told"), [(b"O MZs\n", True), (b"O MZ6\n", False)])
def test_a_compression_that_not_every_bacula_fd_restores_is_told(tmp_path: Path, options: bytes, *, told: bool) -> None:
    with Visiting(tmp_path) as talk:
        talk.name(7)
        talk.say(b"fileset\n", b"I\n", options, b"N\n", b"F /a\n", b"N\n", b"N\n", Signal.EOD)
        said = talk.until(reply.OK_FILESET)
        talk.say(Signal.TERMINATE)
    assert any(b"compressed by ZSTD" in bytes(line) for line in said if isinstance(line, bytes)) is told
