from __future__ import annotations

from pathlib import Path

from filed.wire import reply
from filed.wire.reply import EndJob
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
