from __future__ import annotations

import resource
from pathlib import Path

from filed.daemon.client_process import platform_text
from filed.wire.frame import Signal
from filed.wire.reply import OK_BACKUP, parse_end_job
from tests.daemon.calling import Daemon
from tests.job.storage import Storage


def test_a_visit_runs_a_job_in_a_process_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a").write_bytes(b"content")
    fileset = (b"fileset\n", b"I\n", b"O M\n", b"N\n", b"F %b/tree" % bytes(tmp_path), b"N\n", b"N\n", Signal.EOD)
    with Storage() as storage, Daemon(tmp_path) as daemon, daemon.call() as talk:
        talk.name(7)
        talk.say(b"level = full  mtime_only=0 \n", *fileset)
        talk.say(b"storage address=127.0.0.1 port=%d ssl=0\n" % storage.port, b"backup FileIndex=0\n")
        talk.until(OK_BACKUP)
        end = talk.rest()[-1]
    assert isinstance(end, bytes)
    done = parse_end_job(end)
    assert (done.term_code, done.files, done.job_bytes, done.errors) == ("T", 2, 7, 0)
    assert any(data == b"content" for _, _, data in storage.records)


def test_a_job_without_a_process_says_why(tmp_path: Path) -> None:
    fileset = (b"fileset\n", b"I\n", b"O M\n", b"N\n", b"F %b" % bytes(tmp_path), b"N\n", b"N\n", Signal.EOD)
    with Daemon(tmp_path) as daemon, daemon.call() as talk:
        talk.name(7)
        (visit,) = daemon.visits()
        used = len(list(Path(f"/proc/{visit}/fd").iterdir()))
        resource.prlimit(visit, resource.RLIMIT_NOFILE, (used + 2, used + 2))
        talk.say(b"level = full  mtime_only=0 \n", *fileset)
        talk.say(b"storage address=127.0.0.1 port=9 ssl=0\n")  # its process begins with the call of the Storage Daemon
        *_, said, end = talk.rest()
    assert isinstance(said, bytes)
    assert b"the Job gets no process: Too many open files; look at" in said
    assert isinstance(end, bytes)
    assert parse_end_job(end).term_code == "f"


def test_an_estimate_needs_no_storage(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon, daemon.call() as talk:
        talk.name()
        talk.say(
            b"fileset\n", b"I\n", b"F %b" % bytes(daemon.work), b"N\n", b"N\n", Signal.EOD, b"estimate listing=1\n"
        )
        *_, line, total = talk.until(Signal.EOD)
        assert isinstance(line, bytes)
        assert line.endswith(b" %b\n" % bytes(daemon.work))
        assert isinstance(total, bytes)
        assert total.startswith(b"2000 OK estimate files=")
        talk.say(Signal.TERMINATE)


def test_the_platform_is_three_words() -> None:
    assert len(platform_text().split(",")) == 3
    assert " " not in platform_text()
