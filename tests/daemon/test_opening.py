"""A Storage Daemon is called when the Director names it, before that is answered; the Job that follows uses the call, or leaves it."""

from __future__ import annotations

from pathlib import Path

from filed.wire import reply
from filed.wire.auth import AUTH_OK
from filed.wire.frame import Packet, Signal
from tests.daemon.calling import Daemon
from tests.daemon.test_storage_call import JOB, ended, named, run
from tests.director.dialogue import Dialogue
from tests.job.storage import Storage
from tests.live.bacula import free_port
from tests.live.recording import Recorder


def naming(port: int, key: bytes = b"") -> bytes:
    return b"storage address=127.0.0.1 port=%d ssl=0%b\n" % (port, b" Authorization=" + key if key else b"")


def answered(talk: Dialogue, port: int) -> None:
    talk.say(naming(port))
    assert talk.text() == reply.OK_STORAGE


def said_by_us(recorder: Recorder) -> list[Packet]:
    (conversation,) = recorder.conversations
    return [packet for ours, packet in conversation.packets() if ours]


def test_the_job_goes_on_where_the_call_was_made(tmp_path: Path) -> None:
    with Storage() as storage, Daemon(tmp_path) as daemon, daemon.call() as talk:
        named(talk, tmp_path / "tree")
        answered(talk, storage.port)
        assert storage.jobs == [JOB], "called before the answer"
        talk.say(b"RunBeforeJob /bin/true\n")
        assert talk.until(reply.OK_RUN_BEFORE)
        done = run(talk)
        assert (done.term_code, done.files, storage.jobs) == ("T", 2, [JOB])


def test_a_job_that_fails_before_its_first_byte_leaves_the_storage_daemon(tmp_path: Path) -> None:
    with Storage() as storage, Daemon(tmp_path) as daemon, Recorder(storage.port) as recorder, daemon.call() as talk:
        named(talk, tmp_path / "tree")
        answered(talk, recorder.port)
        talk.say(b"RunBeforeJob /bin/false\n")
        assert ended(talk.rest()).term_code == "E"
        assert said_by_us(recorder)[-2:] == [AUTH_OK, Signal.TERMINATE]


def test_another_storage_daemon_is_called_in_place_of_the_first(tmp_path: Path) -> None:
    with (
        Storage() as first,
        Storage() as second,
        Daemon(tmp_path) as daemon,
        Recorder(first.port) as recorder,
        daemon.call() as talk,
    ):
        named(talk, tmp_path / "tree")
        answered(talk, recorder.port)
        answered(talk, second.port)
        assert said_by_us(recorder)[-1] is Signal.TERMINATE
        assert run(talk).term_code == "T"
        assert second.records
        assert not first.records


def test_a_storage_daemon_that_is_not_there_fails_the_job_at_once(tmp_path: Path) -> None:
    port = free_port()
    with Daemon(tmp_path, file_daemon="SD Connect Timeout = 1") as daemon, daemon.call() as talk:
        named(talk, tmp_path / "tree")
        talk.say(naming(port))
        why, bad, end = talk.rest()
        assert isinstance(why, bytes)
        assert b"127.0.0.1:%d" % port in why
        assert bad == reply.BAD_STORAGE
        assert ended([end]).term_code == "f"


def test_a_key_that_the_storage_daemon_does_not_know_fails_the_job(tmp_path: Path) -> None:
    brief = "SD Connect Timeout = 1"
    with Storage() as storage, Daemon(tmp_path, file_daemon=brief) as daemon, daemon.call() as talk:
        named(talk, tmp_path / "tree")
        talk.say(naming(storage.port, b"ANOTHER"))
        assert talk.until(reply.BAD_STORAGE)
        assert ended(talk.rest()).term_code == "f"


def test_a_cancel_ends_the_call_of_a_storage_daemon_that_is_not_there(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon, daemon.call() as talk, daemon.call() as console:
        named(talk, tmp_path / "tree")
        talk.say(naming(free_port()))
        assert b"tried again every 10 s" in talk.text()
        console.name()
        console.say(b"cancel Job=%b\n" % JOB)
        assert console.until(Signal.EOD)[0].startswith(b"2001 Job")  # type: ignore[union-attr]
        assert ended(talk.rest()).term_code == "A"


def test_a_call_goes_with_the_daemon_that_waits_for_the_job(tmp_path: Path) -> None:
    """The process that made it ends when nobody can give it a Job any more."""
    with Storage() as storage, Daemon(tmp_path) as daemon, Recorder(storage.port) as recorder, daemon.call() as talk:
        named(talk, tmp_path / "tree")
        answered(talk, recorder.port)
        talk.say(Signal.TERMINATE)
        talk.rest()
        assert said_by_us(recorder)[-1] is Signal.TERMINATE
