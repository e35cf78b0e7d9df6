"""What a conf says of connections, at work between the real Director and Storage Daemon: who gets in, from where, how fast."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from filed.wire.frame import Signal
from tests.live.bacula import TIMEOUT_S, Bacula
from tests.live.filed_daemon import FiledDaemon
from tests.live.jobs import restored, rows, saved, shown, status_of
from tests.live.recording import Conversation, Recorder
from tests.live.releases import Release

pytestmark = pytest.mark.live

UNPROVEN, DIFFER = "could not prove that it knows the password", "the passwords or keys of the two sides differ"
TEXT_BYTES, NOISE_BYTES = 3_000_000, 2_000_000


@dataclass
class Network:
    """client, storage: what stands before our daemon, and before the Storage Daemon. fifo: of the Job `Slow`."""

    bacula: Bacula
    client: Recorder
    storage: Recorder
    source: Path
    fifo: Path

    def to_storage(self) -> Conversation:
        """The last that a File Daemon had."""
        return [each for each in self.storage.conversations if b"Hello Bacula SD" in each.raw(True)[:60]][-1]

    def start(self, job: str) -> int:
        found = re.search(r"JobId=(\d+)", said := self.bacula.console(f"run job={job} yes"))
        assert found is not None, said
        return int(found[1])

    def report(self, job: int) -> str:
        """The Director's, of an ended Job."""
        self.bacula.expect(f"JobId:                  {job}\n")
        return self.bacula.messages().partition(f"JobId:                  {job}\n")[2]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory, release: Release) -> Iterator[Network]:
    root = tmp_path_factory.mktemp("network")
    source = root / "source"
    source.mkdir()
    (source / "text").write_bytes((b"a line that comes again and again\n" * 100_000)[:TEXT_BYTES])
    (source / "noise").write_bytes(os.urandom(NOISE_BYTES))
    os.mkfifo(root / "fifo")
    with ExitStack() as stack:
        bacula = stack.enter_context(Bacula(root, release=release))
        bacula.write_confs(
            file_sets=f'FileSet {{ Name = Source; Include {{ Options {{ signature = MD5 }} File = "{source}" }} }}\n'
            f'FileSet {{ Name = Fifo; Include {{ Options {{ readfifo = yes }} File = "{root}/fifo" }} }}\n',
            jobs="Job { Name = Save; JobDefs = Common; FileSet = Source; Maximum Concurrent Jobs = 9 }\n"
            "Job { Name = Slow; JobDefs = Common; FileSet = Fifo; Maximum Concurrent Jobs = 9 }\n",
        )
        bacula.make_catalog()
        client = stack.enter_context(Recorder(bacula.ports["fd"]))
        storage = stack.enter_context(Recorder(bacula.ports["sd"]))
        conf = bacula.conf("dir").read_text()
        for directive, recorder, name in (("FDPort", client, "fd"), ("SDPort", storage, "sd")):
            conf = conf.replace(f"{directive} = {bacula.ports[name]}", f"{directive} = {recorder.port}")
        far = bacula.add_storage("Far", to_it="  FDStorageAddress = 127.0.0.9")
        bacula.conf("dir").write_text(conf + far)
        bacula.start("sd", "Far", "dir")
        yield Network(bacula, client, storage, source, root / "fifo")


@pytest.mark.parametrize(("directive", "compressed"), [("", True), ("Comm Compression = no", False)])
def test_lines_are_compressed_as_those_of_bacula_fd(network: Network, directive: str, compressed: object) -> None:
    bacula = network.bacula
    bacula.write_fd(directive)
    bacula.start("fd")
    saved(bacula, "Save")
    theirs = len(network.to_storage().raw(True))
    bacula.stop("fd")
    with FiledDaemon(bacula):
        job = saved(bacula, "Save")
        ours = len(network.to_storage().raw(True))
        report = network.report(job)
        assert shown(restored(bacula, str(job), network.source)) == shown(network.source)
    assert abs(ours - theirs) < 0.01 * theirs
    assert (ours < NOISE_BYTES + TEXT_BYTES // 10) is compressed
    assert bool(re.search(r"Comm Line Compression: +5\d\.\d%", report)) is compressed


def test_a_director_hears_that_a_job_is_alive(network: Network) -> None:
    in_clear = "TLS PSK Enable = no" if network.bacula.release.newer else ""  # for the recorder
    network.bacula.write_fd(f"Heartbeat Interval = 1; {in_clear}", in_clear)
    with FiledDaemon(network.bacula):
        job = network.start("Slow")
        with network.fifo.open("wb") as fifo:
            fifo.write(b"some")
            fifo.flush()
            begun = time.monotonic()
            while not _heartbeats(network.client):
                assert time.monotonic() - begun < TIMEOUT_S
                time.sleep(0.1)  # nobody tells a recorder's reader
            fifo.write(b" more")
        network.bacula.console("wait")
        assert status_of(network.bacula, job) == "T"


def _heartbeats(recorder: Recorder) -> int:
    said = recorder.conversations[-1].packets()
    return sum(packet is Signal.HEARTBEAT for caller, packet in said if not caller)


def test_a_storage_daemon_is_called_from_the_address_of_the_conf(network: Network) -> None:
    network.bacula.write_fd("FD Source Address = 127.0.0.7")
    with FiledDaemon(network.bacula):
        saved(network.bacula, "Save")
        assert network.to_storage().caller == "127.0.0.7"


def test_a_storage_daemon_that_cannot_be_reached_fails_the_job_when_its_time_is_up(network: Network) -> None:
    network.bacula.write_fd("SD Connect Timeout = 1 second")
    with FiledDaemon(network.bacula):
        job = network.start("Save storage=Far")
        network.bacula.console("wait")
        assert status_of(network.bacula, job) == "f"
    assert "Storage Daemon at 127.0.0.9" in network.bacula.messages()


def test_all_addresses_of_the_conf_are_listened_on(network: Network) -> None:
    bacula, ports = network.bacula, network.bacula.ports
    bacula.write_fd()
    conf = bacula.conf("fd").read_text()
    addresses = (
        f"ip = {{ addr = 127.0.0.1; port = {ports['fd']} }}; ipv4 = {{ addr = 127.0.0.3; port = {ports['fd']} }}"
    )
    hosts = ["127.0.0.1", "127.0.0.3"]
    if _has_ipv6():
        addresses += f" ; ipv6 = {{ addr = ::1; port = {ports['fd']} }}"
        hosts.append("::1")
    conf = re.sub(r"FDPort = \d+", "", conf).replace("FDAddress = 127.0.0.1", f"FDAddresses = {{ {addresses} }}")
    bacula.conf("fd").write_text(conf)
    with FiledDaemon(bacula):
        for host in hosts:
            with socket.create_connection((host, ports["fd"]), TIMEOUT_S) as stranger:
                stranger.sendall(b"\0\0\0\x05Hello")
                assert stranger.recv(100) == b""
        assert "Daemon started" in bacula.console(f"status client={bacula.client}")


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.parametrize("where", ["FileDaemon", "Director"])
def test_a_limit_of_the_conf_holds_until_the_console_sets_another(network: Network, where: str) -> None:
    """At 10 kB/s the Job would take eight minutes."""
    bacula, limit = network.bacula, "Maximum Bandwidth Per Job = 10kb/s; Comm Compression = no"
    of_director = "Maximum Bandwidth Per Job = 10kb/s" if where == "Director" else ""
    bacula.write_fd(limit if where == "FileDaemon" else "Comm Compression = no", of_director)
    with FiledDaemon(bacula):
        begun = time.monotonic()
        job = network.start("Save")
        while "Bwlimit=10,000" not in (said := bacula.console(f"status client={bacula.client}")):
            assert time.monotonic() - begun < TIMEOUT_S, said
        time.sleep(3)  # to be slow in
        assert len(network.to_storage().raw(True)) < 10_000 * (time.monotonic() - begun) + 400_000
        bacula.console(f"setbandwidth jobid={job} limit=100mb/s", "wait")
        assert time.monotonic() - begun < 2 * TIMEOUT_S
        assert status_of(bacula, job) == "T"


def test_jobs_beyond_the_maximum_are_done_in_turn(network: Network) -> None:
    bacula = network.bacula
    bacula.write_fd()
    conf = bacula.conf("fd")
    conf.write_text(conf.read_text().replace("Maximum Concurrent Jobs = 20", "Maximum Concurrent Jobs = 1"))
    with FiledDaemon(bacula):
        slow = network.start("Slow")
        with network.fifo.open("wb") as fifo:
            fifo.write(b"some")
            fifo.flush()
            waiting = network.start("Save")
            begun = time.monotonic()
            while f"JobId {waiting} Job" not in (said := bacula.console(f"status client={bacula.client}")):
                assert time.monotonic() - begun < TIMEOUT_S, said
            assert re.search(rf"JobId {waiting} Job .*\n +Waiting Job started", said)
        bacula.console("wait")
        assert (status_of(bacula, slow), status_of(bacula, waiting)) == ("T", "T")
        ends = rows(bacula, f"SELECT JobId FROM Job WHERE JobId >= {slow} ORDER BY EndTime, JobId")
        assert ends == [(slow,), (waiting,)]


@pytest.mark.parametrize(
    ("resource", "let_in", "said"),
    [
        ('Name = t-dir; Password = "{password}"', True, ""),
        ('Name = t-dir; Password = "another"', False, UNPROVEN),
        (
            'Name = u-dir; Password = "{password}"',
            False,
            'a Director named "t-dir" called; the conf has no such Director',
        ),
    ],
)
def test_a_director_gets_in_by_its_name_and_password(
    network: Network, resource: str, let_in: object, said: str
) -> None:
    bacula = network.bacula
    bacula.write_fd()
    old = f'Name = {bacula.director}; Password = "{bacula.password}"'
    conf = bacula.conf("fd").read_text()
    assert conf.count(old) == 1
    bacula.conf("fd").write_text(conf.replace(old, resource.format(password=bacula.password)))
    bacula.start("fd")
    theirs = "Daemon started" in bacula.console(f"status client={bacula.client}")
    bacula.stop("fd")
    with FiledDaemon(bacula) as daemon:
        ours = "Daemon started" in bacula.console(f"status client={bacula.client}")
        daemon.expect(DIFFER if said == UNPROVEN and bacula.release.newer else said)
        assert bacula.password not in daemon.new_log()
    assert (ours, theirs) == (let_in, let_in)


def test_a_monitor_sees_the_status_and_nothing_else(network: Network) -> None:
    bacula = network.bacula
    bacula.write_fd(of_director="Monitor = yes")
    command = [
        "/usr/lib/nagios/plugins/check_bacula",
        "-H",
        "127.0.0.1",
        "-D",
        "fd",
        "-M",
        bacula.director,
        "-K",
        bacula.password,
    ]
    seen = []
    for daemon in (_bacula_fd(bacula), FiledDaemon(bacula)):
        with daemon:
            watched = subprocess.run([*command, "-P", str(bacula.ports["fd"])], capture_output=True, check=False)
            listed = bacula.console("estimate job=Save")
            ended = "f"
            if not bacula.release.newer:  # the Director of 15 waits two minutes for its Storage Daemon then
                job = network.start("Save")
                bacula.console("wait")
                ended = status_of(bacula, job)
            seen.append((watched.stdout, "2000 OK estimate" in listed, ended))
    assert seen[1] == seen[0]
    assert seen[0][1:] == (False, "f")
    assert b"BACULA OK" in seen[0][0]


@contextmanager
def _bacula_fd(bacula: Bacula) -> Iterator[None]:
    bacula.start("fd")
    yield
    bacula.stop("fd")
