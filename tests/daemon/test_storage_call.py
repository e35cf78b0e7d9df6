from __future__ import annotations

import socket
import threading
from pathlib import Path

from filed.wire import reply
from filed.wire.auth import AUTH_FAILED, AUTH_OK
from filed.wire.frame import Packet, Signal, pack_packet
from filed.wire.reply import OK_BACKUP, parse_end_job
from filed.wire.storage import Hello, StorageCall
from tests.daemon.calling import Daemon
from tests.director.dialogue import Dialogue
from tests.job.storage import Storage

JOB = b"Save.2026-11-23_10.14.28_03"
CALLED = b"storage address=127.0.0.1 port=0 ssl=0\n"


def named(talk: Dialogue, tree: Path) -> None:
    (tree / "a").parent.mkdir(exist_ok=True)
    (tree / "a").write_bytes(b"content")
    talk.name(7)
    talk.say(b"level = full  mtime_only=0 \n")
    talk.say(b"fileset\n", b"I\n", b"O M\n", b"N\n", b"F %b" % bytes(tree), b"N\n", b"N\n", Signal.EOD)
    assert [talk.text(), talk.text()] == [reply.OK_LEVEL, reply.OK_FILESET]


def run(talk: Dialogue) -> reply.EndJob:
    talk.say(b"backup FileIndex=0\n")
    assert talk.until(OK_BACKUP) == []
    return ended(talk.rest())


def ended(said: list[Packet]) -> reply.EndJob:
    assert isinstance(said[-1], bytes)
    return parse_end_job(said[-1])


def test_a_storage_daemon_that_calls_gets_the_data(tmp_path: Path) -> None:
    with Storage() as storage, Daemon(tmp_path) as daemon, daemon.call() as talk:
        named(talk, tmp_path / "tree")
        talk.say(CALLED)
        assert talk.text() == reply.OK_STORAGE
        calling = threading.Thread(target=storage.call, args=(daemon.port, JOB))
        calling.start()
        done = run(talk)
        calling.join()
    assert (done.term_code, done.files, done.job_bytes, done.errors) == ("T", 2, 7, 0)
    assert any(data == b"content" for _, _, data in storage.records)


def test_one_that_is_faster_than_the_director_waits_for_it(tmp_path: Path) -> None:
    with Storage() as storage, Daemon(tmp_path) as daemon, daemon.call() as talk:
        named(talk, tmp_path / "tree")
        calling = threading.Thread(target=storage.call, args=(daemon.port, JOB))
        calling.start()
        daemon.wait_until(lambda: len(daemon.visits()) >= 2)  # a call shows nowhere else
        talk.say(CALLED)
        assert talk.text() == reply.OK_STORAGE
        assert run(talk).term_code == "T"
        calling.join()


def test_strangers_that_name_a_job_do_it_no_harm(tmp_path: Path) -> None:
    with Storage() as storage, Daemon(tmp_path) as daemon, daemon.call() as talk:
        named(talk, tmp_path / "tree")
        talk.say(CALLED)
        assert talk.text() == reply.OK_STORAGE
        silent = socket.create_connection(("127.0.0.1", daemon.port))
        silent.sendall(pack_packet(StorageCall(JOB, 306).format()))
        with silent:
            stranger = Dialogue(socket.create_connection(("127.0.0.1", daemon.port)))
            with stranger.sock:
                stranger.say(StorageCall(JOB, 306).format())
                assert stranger.text() == Hello(JOB, 214).format()
                stranger.say(b"auth cram-md5 <1.2@a-sd> ssl=0\n")
                stranger.text()
                stranger.say(AUTH_OK)
                assert stranger.text().startswith(b"auth cram-md5 <")
                stranger.say(b"AAAAAAAAAAAAAAAAAAAAAA\0")
                assert stranger.text() == AUTH_FAILED
            calling = threading.Thread(target=storage.call, args=(daemon.port, JOB))
            calling.start()
            assert run(talk).term_code == "T"
            calling.join()
        daemon.wait_for("Storage Daemon calling from 127.0.0.1: it could not prove that it knows the password")


def test_a_call_for_nobody_is_refused(tmp_path: Path) -> None:
    with Storage() as storage, Daemon(tmp_path) as daemon:
        assert not storage.call(daemon.port, b"Nope\x1b[1m")
        daemon.wait_for(r"a Storage Daemon calling from 127.0.0.1 names Job Nope\x1b[1m, which does not run here")


def test_a_second_call_for_the_same_word_of_the_director_is_refused(tmp_path: Path) -> None:
    with Storage() as storage, Daemon(tmp_path) as daemon:
        accepted: list[bool] = []
        with daemon.call() as talk:
            named(talk, tmp_path / "tree")
            talk.say(CALLED)
            assert talk.text() == reply.OK_STORAGE
            calls = [threading.Thread(target=lambda: accepted.append(storage.call(daemon.port, JOB))) for _ in range(2)]
            storage.before_close = calls[1].start
            calls[0].start()
            assert run(talk).term_code == "T"
        for each in calls:
            each.join()
        assert sorted(accepted) == [False, True]


def test_a_call_that_does_not_come_ends_the_job_with_its_reason(tmp_path: Path) -> None:
    with Daemon(tmp_path, file_daemon="SD Connect Timeout = 1 s") as daemon, daemon.call() as talk:
        named(talk, tmp_path / "tree")
        talk.say(CALLED, b"backup FileIndex=0\n")
        talk.until(OK_BACKUP)
        said = talk.rest()
        assert isinstance(said[0], bytes)
        assert b"the Storage Daemon at 127.0.0.1 was to call us" in said[0]
        assert ended(said).term_code == "f"


def test_the_wait_for_a_call_can_be_canceled(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon, daemon.call() as talk, daemon.call() as console:
        named(talk, tmp_path / "tree")
        talk.say(CALLED, b"backup FileIndex=0\n")
        talk.until(OK_BACKUP)
        console.name()
        console.say(b"cancel Job=%b\n" % JOB)
        assert console.until(Signal.EOD)[0].startswith(b"2001 Job")  # type: ignore[union-attr]
        assert ended(talk.rest()).term_code == "A"
