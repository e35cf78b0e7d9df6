from __future__ import annotations

import re
from pathlib import Path

import pytest

from filed.director.daemon_api import Ending
from filed.wire import reply
from filed.wire.frame import Signal
from filed.wire.reply import EndJob, parse_end_job
from tests.director.visiting import Visiting, prepared


def test_programs_run_before_and_after(tmp_path: Path) -> None:
    with Visiting(tmp_path) as talk:
        prepared(talk)
        talk.say(b"RunBeforeJob /bin/echo\x01%j\n")
        told = talk.until(reply.OK_RUN_BEFORE)
        assert any(b"ClientRunBeforeJob: Save.2026-11-23_10.14.28_03" in bytes(line) for line in told if line)
        talk.say(
            b"RunAfterJob /bin/echo\x01%e\n",
            b"Run OnSuccess=0 OnFailure=1 AbortOnError=0 When=1 Command=/bin/echo\x01unseen\n",
            b"Run OnSuccess=1 OnFailure=1 AbortOnError=1 When=2 Command=/bin/echo\x01now\n",
            b"RunBeforeNow\n",
            b"backup FileIndex=0\n",
        )
        told = talk.rest()
    text = b"".join(line for line in told if isinstance(line, bytes))
    assert b"ClientBeforeJob: now" in text
    assert b"ClientAfterJob: OK\n" in text
    assert b"unseen" not in text
    assert text.endswith(EndJob("T", 4, 10, 5).format())


def test_a_program_that_fails_before_the_job_ends_it(tmp_path: Path) -> None:
    with Visiting(tmp_path) as talk:
        prepared(talk)
        talk.say(
            b"Run OnSuccess=0 OnFailure=1 AbortOnError=0 When=1 Command=/bin/echo\x01failed\n",
            b"RunBeforeJob /bin/false\n",
        )
        told = talk.rest()
    assert reply.BAD_RUN_BEFORE_JOB in told
    text = b"".join(line for line in told if isinstance(line, bytes))
    assert b"ClientAfterJob: failed" in text
    assert talk.house.jobs == []


def after(tmp_path: Path, *named: bytes) -> tuple[str, EndJob]:
    """What is said after a good backup with these programs, and how it ends."""
    with Visiting(tmp_path) as talk:
        prepared(talk)
        talk.say(*named, b"RunBeforeNow\n", b"backup FileIndex=0\n")
        talk.until(reply.OK_BACKUP)
        *told, end = talk.rest()
    assert isinstance(end, bytes)
    text = b"".join(line for line in told if isinstance(line, bytes))
    return text.decode(), parse_end_job(end)


def test_a_program_that_fails_behind_a_good_job_makes_it_one_in_error(tmp_path: Path) -> None:
    text, end = after(tmp_path, b"RunAfterJob /bin/false\n")
    assert (end.term_code, end.errors) == ("E", 1)
    assert 'Error: ClientAfterJob "/bin/false" ended with code 1' in text
    _, end = after(tmp_path, b"Run OnSuccess=1 OnFailure=0 AbortOnError=1 When=1 Command=/bin/false\n")
    assert (end.term_code, end.errors) == ("E", 1)


def test_one_that_may_fail_is_counted_only(tmp_path: Path) -> None:
    _, end = after(
        tmp_path,
        b"Run OnSuccess=1 OnFailure=0 AbortOnError=0 When=2 Command=/bin/false\n",
        b"Run OnSuccess=1 OnFailure=0 AbortOnError=0 When=1 Command=/no/such\n",
    )
    assert (end.term_code, end.errors) == ("T", 2)


def test_codes_name_the_process_and_the_job_built_upon(tmp_path: Path) -> None:
    with Visiting(tmp_path) as talk:
        talk.name(7)
        talk.say(b"level = differential  mtime_only=0 \n", b"level = since_utime 1000 mtime_only=0 prev_job=Save.1\n")
        while talk.packet() is Signal.BTIME:
            talk.say(b"btime 0\n")
        assert talk.text() == reply.OK_LEVEL
        talk.say(b"RunBeforeJob /bin/echo\x01<%P|%S>\n")
        text = b"".join(line for line in talk.until(reply.OK_RUN_BEFORE) if isinstance(line, bytes))
    assert re.search(rb"ClientRunBeforeJob: <\d+\|Save\.1>", text)


def test_codes_have_the_words_of_real_daemons(tmp_path: Path) -> None:
    with Visiting(tmp_path) as talk:
        prepared(talk)
        talk.say(b"RunBeforeJob /bin/echo\x01<%e|%l|%s|%t|%v|%F>\n", b"RunAfterJob /bin/echo\x01<%e|%l|%t|%F|%b>\n")
        told = talk.until(reply.OK_RUN_BEFORE)
        talk.say(b"backup FileIndex=0\n")
        told += talk.rest()
    text = b"".join(line for line in told if isinstance(line, bytes))
    assert b"ClientRunBeforeJob: <Created|Full|*none*|System or Console||0>" in text
    assert b"ClientAfterJob: <OK|Full|Backup|3|5>" in text


@pytest.mark.parametrize("ending", [Ending.CANCEL, Ending.DAEMON])
def test_a_cancel_ends_the_programs_behind_the_job(tmp_path: Path, ending: Ending) -> None:
    with Visiting(tmp_path) as talk:
        prepared(talk)
        talk.say(b"RunAfterJob /bin/sleep\x01600\n", b"RunAfterJob /bin/echo\x01never\n", b"backup FileIndex=0\n")
        talk.until(reply.OK_BACKUP)
        assert b"/bin/sleep 600" in talk.text()
        talk.house.ending = ending
        *told, end = talk.rest()
    assert isinstance(end, bytes)
    assert parse_end_job(end).term_code == "A"
    assert not any(b"never" in line for line in told if isinstance(line, bytes))


def test_the_cancel_of_the_job_does_not_end_the_programs_behind_it(tmp_path: Path) -> None:
    with Visiting(tmp_path) as talk:
        prepared(talk)
        talk.house.ending = Ending.CANCEL
        talk.say(
            b"Run OnSuccess=0 OnFailure=1 AbortOnError=0 When=1 Command=/bin/echo\x01cleaned\n",
            b"RunBeforeJob /bin/sleep\x01600\n",
        )
        told = talk.rest()
    assert any(b"ClientAfterJob: cleaned" in line for line in told if isinstance(line, bytes))
