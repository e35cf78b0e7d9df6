from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from filed.job.description import JobDescription
from filed.process.outcome import JobStatus, Outcome, Totals
from filed.wire.reply import parse_end_job
from tests.director.visiting import OnEvent, Told, Visiting, prepared


def test_messages_of_the_job_go_to_its_report(tmp_path: Path) -> None:
    def work(_job: JobDescription, on_event: OnEvent, _wanted: Callable[[], bool]) -> Outcome:
        on_event({"event": "message", "severity": "warning", "text": "look"}, Told())
        on_event({"event": "message", "severity": "debug", "text": "unseen"}, Told())
        return Outcome(JobStatus.FATAL, Totals(errors=1), text="broken")

    with Visiting(tmp_path, work) as talk:
        prepared(talk)
        talk.say(b"backup FileIndex=0\n")
        _, warning, fatal, end = talk.rest()
    assert isinstance(warning, bytes)
    assert warning.startswith(b"Jmsg JobId=7 type=5 level=")
    assert warning.endswith(b" a-fd JobId 7: Warning: look\n")
    assert isinstance(fatal, bytes)
    assert fatal.endswith(b"Fatal error: broken\n")
    assert isinstance(end, bytes)
    assert parse_end_job(end).term_code == "f"
