from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from filed.director.house import Teller
from filed.job.accurate import packets
from filed.job.channel import Event
from filed.job.description import EstimateJob, JobDescription, Level, NetworkBackup, NetworkRestore, Replace
from filed.job.outcome import JobStatus, Outcome, Totals
from filed.wire import reply
from filed.wire.frame import Signal
from filed.wire.reply import EndJob, parse_end_job
from tests.director.visiting import GOOD, Told, Visiting

FILESET = (b"fileset\n", b"I\n", b"O M\n", b"N\n", b"F /a", b"N\n", b"N\n", Signal.EOD)
STORAGE = b"storage address=192.0.2.5 port=9103 ssl=0\n"
OnEvent = Callable[[Event, Teller], None]


def prepared(talk: Visiting, level: bytes = b"full") -> None:
    talk.name(7)
    talk.say(b"level = %b  mtime_only=0 \n" % level)
    assert talk.text() == reply.OK_LEVEL
    talk.say(*FILESET)
    assert talk.text() == reply.OK_FILESET
    talk.say(STORAGE)
    assert talk.text() == reply.OK_STORAGE


def test_a_full_runs_and_is_told_of(tmp_path: Path) -> None:
    with Visiting(tmp_path) as talk:
        prepared(talk)
        talk.say(b"backup FileIndex=0\n")
        assert talk.text() == reply.OK_BACKUP
        (end,) = talk.rest()
        assert end == EndJob("T", 4, 10, 5).format()
    (job,) = talk.house.jobs
    assert isinstance(job, NetworkBackup)
    assert (job.level, job.fileset.includes[0].files, job.storage.key) == (Level.FULL, (b"/a",), "KEY")
    assert [(ended.job_id, ended.name, ended.files) for ended in talk.house.over] == [(7, "Save", 4)]


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


def test_a_backup_of_nothing_is_refused(tmp_path: Path) -> None:
    with Visiting(tmp_path) as talk:
        talk.name(7)
        talk.say(b"backup FileIndex=0\n")
        *_, bad, end = talk.rest()
        assert bad == reply.BAD_BACKUP
        assert end == EndJob("E", errors=1).format()
    assert talk.house.jobs == []


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


def test_a_restore_has_rounds(tmp_path: Path) -> None:
    told = Told()

    def work(_job: JobDescription, on_event: OnEvent, _wanted: Callable[[], bool]) -> Outcome:
        on_event({"event": "round"}, told)
        on_event({"event": "round"}, told)
        return GOOD

    with Visiting(tmp_path, work) as talk:
        talk.name(7)
        talk.say(STORAGE.replace(b"ssl=0\n", b"ssl=0 Authorization=ONE\n"))
        assert talk.text() == reply.OK_STORAGE
        talk.say(b"PluginFeatures\n")
        assert talk.packet() is Signal.EOD
        talk.say(b"restoreobject JobId=1 3,3,0,25,0,1,ex\n", b"name", b"abc", b"restoreobject end\n")
        assert talk.text() == reply.OK_OBJECT
        talk.say(b"component_info\n", b"line", Signal.EOD)
        assert talk.text() == reply.OK_COMPONENT_INFO
        talk.say(b"restore files=2 replace=w prelinks=0 where=/to\n")
        assert talk.text() == reply.OK_RESTORE
        assert talk.text() == reply.OK_STORAGE_END
        talk.say(STORAGE.replace(b"ssl=0\n", b"ssl=0 Authorization=TWO\n"))
        assert talk.text() == reply.OK_STORAGE
        talk.say(b"restore files=2 replace=w prelinks=0 where=/to\n")
        assert talk.text() == reply.OK_RESTORE
        assert talk.text() == reply.OK_STORAGE_END
        talk.say(b"endrestore")
        (end,) = talk.rest()
        assert end == EndJob("T", 4, 10, 10).format()
    (job,) = talk.house.jobs
    assert isinstance(job, NetworkRestore)
    assert (job.where, job.replace, job.storage.key) == (b"/to", Replace.IFNEWER, "ONE")
    assert [(item.command, item.name, item.content) for item in job.objects] == [(b"ex", b"name", b"abc")]
    assert told.events == [
        {"event": "again", "address": "192.0.2.5", "port": 9103, "key": "TWO"},
        {"event": "done"},
    ]


def test_an_estimate_lists_and_counts(tmp_path: Path) -> None:
    def work(_job: JobDescription, on_event: OnEvent, _wanted: Callable[[], bool]) -> Outcome:
        on_event({"event": "listing", "lines": ["-rw a", "-rw b"]}, Told())
        return Outcome(JobStatus.OK, Totals(files=2, job_bytes=1234))

    with Visiting(tmp_path, work) as talk:
        talk.name()
        talk.say(b"level = full  mtime_only=0 \n", *FILESET, b"estimate listing=1\n")
        talk.until(reply.OK_FILESET)
        assert talk.until(Signal.EOD) == [b"-rw a\n", b"-rw b\n", b"2000 OK estimate files=2 bytes=1,234\n"]
        talk.say(Signal.TERMINATE)
    (job,) = talk.house.jobs
    assert isinstance(job, EstimateJob)
    assert job.listing


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


def test_a_verify_is_refused_with_the_reason(tmp_path: Path) -> None:
    with Visiting(tmp_path) as talk:
        talk.name(7)
        talk.say(b"verify level=init\n")
        fatal, bad, _end = talk.rest()
    assert isinstance(fatal, bytes)
    assert b"Fatal error: verify: level init is not served" in fatal
    assert isinstance(bad, bytes)
    assert bad.startswith(b"2994 Bad verify command: ")


def test_a_fileset_of_nonsense_fails_the_job(tmp_path: Path) -> None:
    with Visiting(tmp_path) as talk:
        talk.name(7)
        talk.say(b"fileset\n", b"nonsense", Signal.EOD)
        fatal, end = talk.rest()
    assert isinstance(fatal, bytes)
    assert b"FileSet" in fatal
    assert isinstance(end, bytes)
    assert parse_end_job(end).term_code == "E"


def test_a_director_that_hangs_up_is_a_lost_connection(tmp_path: Path) -> None:
    with Visiting(tmp_path) as talk:
        prepared(talk)
    assert talk.error is not None
    assert [job.status for job in talk.house.over] == ["E"]
