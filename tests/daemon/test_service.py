from __future__ import annotations

import os
import resource
import select
import signal
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from filed.daemon.service import MAX_UNAUTHENTICATED, Service, check
from filed.errors import AgentLoadError, ConfigError, FiledError
from filed.pipeline.new_key import new_pair
from filed.wire import reply
from filed.wire.auth import Base64, secret_of
from filed.wire.frame import Signal
from tests.daemon.calling import Daemon
from tests.director.dialogue import JOB
from tests.system.program import wait_until
from tests.transport.certificates import Authority

SLEEP = b"RunBeforeJob /bin/sleep\x0160\n"
SLEEP_OF_A_CHILD = b"RunBeforeJob /bin/sh\x01-c\x01'echo\x01begun;\x01sleep\x01600;\x01true'\n"


def test_a_director_asks_for_the_status(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon, daemon.call() as talk:
        talk.name()
        talk.say(b"status")
        lines = talk.until(Signal.EOD)
        assert b" Agents: filesystem 1.0\n" in lines
        assert b"No Jobs running.\n" in lines
        talk.say(Signal.TERMINATE)


def test_a_wrong_password_is_refused_and_logged(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:
        with pytest.raises(AssertionError), daemon.call(secret=secret_of(b"wrong")):
            pass
        daemon.wait_for("could not prove that it knows the password")
        assert "wrong" not in daemon.log()


def test_an_unauthenticated_client_hurts_nobody(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:
        for noise in (b"", b"\xff" * 100, b"\x7f\xff\xff\xff", b"GET / HTTP/1.1\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", daemon.port), 10) as client:
                client.sendall(noise)
        with daemon.call() as talk:
            talk.name()
            talk.say(Signal.TERMINATE)


def test_callers_that_say_nothing_keep_no_director_out(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon, ExitStack() as stack:
        for number in range(100):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", daemon.port), 10))
            client.sendall((b"", b"\0", b"\0\0\0\x21Hello Dir")[number % 3])
        with daemon.call() as talk:
            talk.name()
            talk.say(Signal.TERMINATE)
        assert len(daemon.visits()) <= MAX_UNAUTHENTICATED + 1
        assert (
            f"closing unauthenticated connection from 127.0.0.1: limit of {MAX_UNAUTHENTICATED} reached" in daemon.log()
        )


def test_jobs_beyond_the_maximum_wait_while_consoles_are_answered(tmp_path: Path) -> None:
    with (
        Daemon(tmp_path, file_daemon="Maximum Concurrent Jobs = 1") as daemon,
        daemon.call() as first,
        daemon.call() as second,
        daemon.call() as console,
    ):
        first.name(7)
        second.say(JOB % 8)
        console.name()
        console.say(b"status")
        assert any(b"JobId 7 Job" in line for line in console.until(Signal.EOD) if isinstance(line, bytes))
        assert not select.select([second.sock], [], [], 1.0)[0]
        first.say(Signal.TERMINATE)
        first.rest()
        assert second.text().startswith(b"2000 OK Job")
        second.say(Signal.TERMINATE)
        second.rest()


def test_a_job_that_waits_for_its_turn_can_be_canceled(tmp_path: Path) -> None:
    with (
        Daemon(tmp_path, file_daemon="Maximum Concurrent Jobs = 1") as daemon,
        daemon.call() as first,
        daemon.call() as second,
        daemon.call() as console,
    ):
        first.name(7)
        second.say(JOB.replace(b"Save.", b"Waits.") % 8)
        console.name()
        while True:
            console.say(b"cancel Job=Waits.2026-11-23_10.14.28_03\n")
            if console.until(Signal.EOD)[0].startswith(b"2001 Job"):  # type: ignore[union-attr]
                break
        (end,) = second.rest()
        assert isinstance(end, bytes)
        assert end.startswith(b"2800 End Job TermCode=65 ")
        assert not select.select([first.sock], [], [], 0.2)[0], "the one that runs is let be"
        first.say(Signal.TERMINATE)


@pytest.mark.parametrize("flavour", Base64)
def test_a_director_may_challenge_in_either_flavour(tmp_path: Path, flavour: Base64) -> None:
    with Daemon(tmp_path) as daemon, daemon.call(flavour=flavour) as talk:
        talk.name()
        talk.say(Signal.TERMINATE)


def test_a_monitor_may_ask_for_the_status_alone(tmp_path: Path) -> None:
    monitor = 'Director { Name = "a mon"; Password = "looks"; Monitor = yes }'
    with Daemon(tmp_path, monitor) as daemon, daemon.call(name=b"a\x01mon", secret=secret_of(b"looks")) as talk:
        talk.name()
        talk.say(b"status")
        assert talk.until(Signal.EOD)
        talk.say(b"cancel Job=Save.1\n")
        assert talk.text() == reply.MONITOR_ONLY


def test_a_job_is_seen_and_canceled_from_another_visit(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon, daemon.call() as job, daemon.call() as console:
        job.name(7)
        job.say(SLEEP)
        assert b"run ClientRunBeforeJob" in job.text()
        console.name()
        console.say(b".status current api=1 api_opts=")
        assert console.until(Signal.EOD) == [reply.OK_DOT_STATUS, b"JobId=7 JobStatus=C JobErrors=0\n"]
        console.say(b"cancel Job=Save.2026-11-23_10.14.28_03\n")
        assert console.until(Signal.EOD)[0].startswith(b"2001 Job")  # type: ignore[union-attr]
        assert select.select([job.sock], [], [], 60.0)[0]
        end = job.rest()[-1]
        assert isinstance(end, bytes)
        assert end.startswith(b"2800 End Job TermCode=65 ")
        console.say(b"status")
        assert any(b"Cancel" in line for line in console.until(Signal.EOD) if isinstance(line, bytes))
        console.say(b"cancel Job=Save.2026-11-23_10.14.28_03\n")
        assert console.until(Signal.EOD)[0].startswith(b"2901 Job")  # type: ignore[union-attr]


def test_sigterm_ends_jobs_and_reports_them(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon, daemon.call() as job:
        job.name(7)
        job.say(SLEEP)
        job.text()
        assert daemon.end() == 0
        end = job.rest()[-1]
        assert isinstance(end, bytes)
        assert end.startswith(b"2800 End Job TermCode=65 ")


def test_a_killed_daemon_leaves_nobody_behind(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon, daemon.call() as job:
        job.name(7)
        job.say(SLEEP)
        job.text()
        (visit,) = daemon.visits()
        ended = os.pidfd_open(visit)
        daemon.end(signal.SIGKILL)
        assert select.select([ended], [], [], 10)[0]
        os.close(ended)


def test_sighup_reads_the_conf_again_unless_it_is_wrong(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:
        daemon.write_conf(password="other")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("was read again")
        with daemon.call(secret=secret_of(b"other")) as talk:
            talk.name()
            talk.say(Signal.TERMINATE)
        daemon.conf.write_text("nonsense")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("is left as it was")
        with daemon.call(secret=secret_of(b"other")) as talk:
            talk.name()
            talk.say(Signal.TERMINATE)


def test_jobs_that_ended_are_known_after_a_restart(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    with daemon, daemon.call() as job:
        job.name(7)
        job.say(b"RunBeforeJob /bin/false\n")
        job.rest()
    with daemon, daemon.call() as talk:
        talk.name()
        talk.say(b".status last api=1 api_opts=")
        assert talk.until(Signal.EOD) == [reply.OK_DOT_STATUS, b"JobId=7 JobStatus=E JobErrors=1\n"]


def test_a_limit_is_kept_for_jobs_that_begin(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon, daemon.call() as console, daemon.call() as job:
        console.name()
        console.say(b"setbandwidth=5000 Job=\n")
        assert console.text() == reply.OK_BANDWIDTH
        job.name(7)
        console.say(b"status")
        lines = b"".join(line for line in console.until(Signal.EOD) if isinstance(line, bytes))
        assert b"Bwlimit=5,000 " in lines
        assert b"bwlimit=5kB/s" in lines


def test_a_limit_for_all_holds_for_jobs_that_run(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon, daemon.call() as job, daemon.call() as console:
        job.name(7)
        console.name()
        for limit, shown in ((5000, b"Bwlimit=5,000 "), (0, b"Bwlimit=0 ")):
            console.say(b"setbandwidth=%d Job=\n" % limit)
            assert console.text() == reply.OK_BANDWIDTH
            console.say(b"status")
            assert shown in b"".join(line for line in console.until(Signal.EOD) if isinstance(line, bytes))


def test_a_conf_is_tested_without_starting_anything(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    assert check(daemon.conf) == ()
    daemon.write_conf("plugin nobody")
    with pytest.raises(AgentLoadError, match="nobody"):
        check(daemon.conf)
    daemon.conf.write_text("nonsense")
    with pytest.raises(ConfigError):
        check(daemon.conf)


@pytest.mark.parametrize(
    ("line", "error"),
    [("PKI Signatures = yes; PKI Keypair = /nowhere.pem", "/nowhere.pem"), ("plugin nobody", "nobody")],
)
def test_a_daemon_does_not_start_with_what_its_test_refuses(tmp_path: Path, line: str, error: str) -> None:
    daemon = Daemon(tmp_path, file_daemon=line)
    for start in (check, Service):
        with pytest.raises(FiledError, match=error):
            start(daemon.conf)


def test_a_key_that_others_read_stops_a_daemon_and_a_short_one_is_said(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(new_pair("old", 1024)[0])
    daemon = Daemon(tmp_path, file_daemon=f"PKI Signatures = yes; PKI Keypair = {key}")
    key.chmod(0o644)
    for start in (check, Service):
        with pytest.raises(ConfigError, match="others can read this private key; run: chmod 600"):
            start(daemon.conf)
    key.chmod(0o600)
    assert [warning for warning in check(daemon.conf) if "no backup will run" in warning and "1024 bits" in warning]


def test_tls_that_leaves_the_way_open_is_said_at_the_start(tmp_path: Path) -> None:
    tls = Authority(tmp_path).tls("a-fd")
    lines = f"TLS Enable = yes; TLS CA Certificate File = {tls.ca_certificate_file}"
    with Daemon(tmp_path, file_daemon=lines) as daemon:
        daemon.wait_for('FileDaemon "a-fd": "TLS Enable" without "TLS Require = yes"')


def test_a_working_directory_that_is_not_there_is_told_before_the_first_job(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    daemon.conf.write_text(daemon.conf.read_text().replace(f'"{daemon.work}"', f'"{daemon.work}-gone"'))
    for start in (check, Service):
        with pytest.raises(ConfigError, match=r"no directory \S+-gone; make it"):
            start(daemon.conf)


def test_who_finds_no_room_is_sent_away_and_the_next_is_served(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:
        before = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
        used = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
        for spare in (0, 1, 3):
            resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (used + spare, before[1]))
            with socket.create_connection(("127.0.0.1", daemon.port), 10) as client:
                if spare:
                    daemon.wait_for("it gets no process: Too many open files")
                    assert client.recv(1) == b""
        resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, before)
        with daemon.call() as talk:
            talk.name()
            talk.say(Signal.TERMINATE)
        assert "internal error" not in daemon.log()


def test_the_list_and_the_program_of_a_killed_visit_go_with_it(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon, daemon.call() as talk:
        talk.name(7)
        talk.say(b"accurate files=1\n", b"/a\0P0A", Signal.EOD, SLEEP_OF_A_CHILD)
        assert b"run ClientRunBeforeJob" in talk.text()
        assert b"begun" in talk.text()  # the daemon has been told of the program before
        assert list(daemon.work.glob(".filed-accurate-*"))
        (visit,) = daemon.visits()
        wait_until(lambda: children(visit) and children(children(visit)[0]))
        (script,) = children(visit)
        (child,) = children(script)
        os.kill(visit, signal.SIGKILL)
        wait_until(lambda: not list(daemon.work.glob(".filed-accurate-*")))
        wait_until(lambda: not Path(f"/proc/{script}").exists())
        wait_until(lambda: not Path(f"/proc/{child}").exists())


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_the_job_of_a_killed_visit_is_known_as_failed(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:
        with daemon.call() as talk:
            talk.name(7)
            (visit,) = daemon.visits()
            os.kill(visit, signal.SIGKILL)
            daemon.wait_for("its process was killed by SIGKILL")
        with daemon.call() as talk:
            talk.name()
            talk.say(b".status last api=1 api_opts=")
            assert b"JobId=7 JobStatus=f JobErrors=1\n" in talk.until(Signal.EOD)
            talk.say(b"status")
            assert b"No Jobs running.\n" in talk.until(Signal.EOD)
