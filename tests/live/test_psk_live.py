"""TLS with the shared key, as Bacula 15 has it by default: what an onlooker sees, what people are told, and who gets in."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.live.bacula import Bacula
from tests.live.daemons import BOTH, debians
from tests.live.filed_daemon import FiledDaemon
from tests.live.jobs import restored, saved, shown, status_of
from tests.live.recording import Conversation, Recorder
from tests.live.releases import BACULA_15

pytestmark = pytest.mark.live

SECRET_NAME, SECRET_CONTENT = b"payroll-of-november", b"nobody may read this line"


@dataclass
class Network:
    """client, storage: what stands before the File Daemon, and before the Storage Daemon."""

    bacula: Bacula
    client: Recorder
    storage: Recorder
    source: Path
    director_conf: str

    def redefine(self, of_client: str = "", of_storage: str = "", of_its_director: str = "") -> None:
        """Directives of the Director's Client resource, of the Storage Daemon's own, and of its Director; both begin anew."""
        bacula = self.bacula
        bacula.stop("dir", "sd")
        name = f"Name = {bacula.client}\n"
        bacula.conf("dir").write_text(self.director_conf.replace(name, f"{name}  {of_client}\n", 1))
        conf = re.sub(r"  #\n.*?  #\n", "", bacula.conf("sd").read_text(), flags=re.DOTALL)
        name = f"Name = {bacula.storage}\n"
        conf = conf.replace(name, f"{name}  #\n  {of_storage}\n  #\n", 1)
        name = f"Director {{ Name = {bacula.director};"
        assert name in conf
        bacula.conf("sd").write_text(conf.replace(name, f"{name}  #\n  {of_its_director}\n  #\n", 1))
        bacula.start("sd", "dir")

    def run(self) -> str:
        """A Full; returns the letter of its status."""
        said = self.bacula.console("run job=Save level=Full yes", "wait")
        found = re.search(r"JobId=(\d+)", said)
        assert found is not None, said
        return status_of(self.bacula, int(found[1]))


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    root = tmp_path_factory.mktemp("psk")
    source = root / "source"
    source.mkdir()
    (source / os.fsdecode(SECRET_NAME)).write_bytes(SECRET_CONTENT * 20_000)
    (source / "noise").write_bytes(os.urandom(3_000_000))
    with ExitStack() as stack:
        bacula = stack.enter_context(Bacula(root, release=BACULA_15))
        bacula.write_confs(
            file_sets=f'FileSet {{ Name = Source; Include {{ Options {{ signature = SHA256 }} File = "{source}" }} }}\n',
            jobs="Job { Name = Save; JobDefs = Common; FileSet = Source }\n",
        )
        bacula.make_catalog()
        client = stack.enter_context(Recorder(bacula.ports["fd"]))
        storage = stack.enter_context(Recorder(bacula.ports["sd"]))
        conf = bacula.conf("dir").read_text()
        for directive, recorder, name in (("FDPort", client, "fd"), ("SDPort", storage, "sd")):
            conf = conf.replace(f"{directive} = {bacula.ports[name]}", f"{directive} = {recorder.port}")
        bacula.conf("dir").write_text(conf)
        bacula.start("sd", "dir")
        yield Network(bacula, client, storage, source, conf)


def in_clear(conversation: Conversation) -> list[bytes]:
    """The packets ahead of TLS, of both sides; the rest has to be records of TLS."""
    clear = []
    for caller in (True, False):
        data = conversation.raw(caller)
        while data and not data.startswith(b"\x16\x03"):
            size = 4 + (int.from_bytes(data[:4], "big") & 0x3FFF_FFFF)
            clear.append(data[4:size])
            data = data[size:]
        while data:
            assert data[0] in (0x14, 0x15, 0x16, 0x17), data[:40]
            assert data[1] == 3
            data = data[5 + int.from_bytes(data[3:5], "big") :]
    return clear


def test_an_onlooker_reads_nothing_behind_the_hello(network: Network) -> None:
    network.bacula.write_fd()
    with FiledDaemon(network.bacula):
        job = saved(network.bacula, "Save")
        assert shown(restored(network.bacula, str(job), network.source)) == shown(network.source)
    to_storage = [each for each in network.storage.conversations if b"Start Job" in each.raw(True)[:60]]
    from_director = [each for each in network.client.conversations if each.chunks]
    assert len(to_storage) == 2
    assert len(from_director) == 2
    for conversation in (*to_storage, *from_director):
        for caller in (True, False):
            data = conversation.raw(caller)
            assert SECRET_NAME not in data
            assert SECRET_CONTENT[:12] not in data
        clear = in_clear(conversation)
        hellos = re.compile(
            rb"Hello (?:Director|Bacula SD: Start Job) \S+(?: calling)? \d+ tlspsk=100\n|starttls tlspsk=100\n"
            rb"|fdcaps: dedup=0 rehydration=0 proxy=0\n"
        )
        rest = [packet for packet in clear if not hellos.fullmatch(packet)]
        assert len(rest) <= 1, "the Storage Daemon's compressed line of what it can"
    assert sum(len(each.raw(True)) for each in to_storage) > 3_000_000


def test_people_are_told_that_it_is_encrypted(network: Network) -> None:
    bacula = network.bacula
    bacula.write_fd()
    with FiledDaemon(bacula):
        job = saved(bacula, "Save")
        assert "Director connected using TLS at:" in bacula.console(f"status client={bacula.client}")
    bacula.expect(f"JobId:                  {job}\n")
    assert re.search(rf'JobId {job}: Connected to Client "{bacula.client}" at \S+ with TLS', bacula.messages())
    assert re.search(rf"{bacula.client} JobId {job}: Connected to Storage at \S+ with TLS", bacula.messages())


def test_a_wrong_password_is_named_by_both_sides(network: Network) -> None:
    bacula = network.bacula
    bacula.write_fd()
    conf = bacula.conf("fd")
    conf.write_text(conf.read_text().replace(f'Password = "{bacula.password}"', 'Password = "another"'))
    with FiledDaemon(bacula) as daemon:
        said = bacula.console(f"status client={bacula.client}", "messages")
        daemon.expect("the passwords or keys of the two sides differ")
        assert bacula.password not in daemon.new_log()
    assert "Check the passwords" in said + bacula.messages()


@pytest.mark.parametrize(
    ("of_client", "of_storage", "of_its_director", "encrypted"),
    [
        ("TLS PSK Enable = no", "", "", (False, True)),
        ("TLS Require = yes", "", "", (True, True)),
        ("TLS Require = yes\n  TLS PSK Enable = no", "", "", (False, True)),  # without any means, required or not
        ("", "TLS Require = yes", "", (True, True)),
        ("", "TLS PSK Enable = no", "", (True, False)),
        ("", "", "TLS Require = yes", (True, True)),
    ],
)
def test_each_conf_of_theirs_lets_in_whom_bacula_fd_lets_in(
    network: Network, of_client: str, of_storage: str, of_its_director: str, encrypted: tuple[bool, bool]
) -> None:
    network.redefine(of_client, of_storage, of_its_director)
    network.bacula.write_fd()
    jobs_are(network, encrypted)


@pytest.mark.parametrize(
    ("of_us", "encrypted"),
    [
        ("TLS Require = yes", (True, True)),
        ("TLS PSK Enable = no", (False, False)),
        ("TLS PSK Enable = yes", (True, True)),
    ],
)
def test_each_conf_of_ours_does_what_it_does_in_bacula_fd(
    network: Network, of_us: str, encrypted: tuple[bool, bool]
) -> None:
    network.redefine()
    network.bacula.write_fd(of_us, of_us)
    jobs_are(network, encrypted)


def jobs_are(network: Network, encrypted: tuple[bool, bool]) -> None:
    """encrypted: the Director's connection, and the one to the Storage Daemon."""
    bacula = network.bacula
    for daemon in BOTH:
        with daemon(bacula):
            assert network.run() == "T", bacula.messages()
        director = [each for each in network.client.conversations if each.chunks][-1]
        storage = [each for each in network.storage.conversations if b"Start Job" in each.raw(True)[:60]][-1]
        assert (b"\x16\x03" in director.raw(True), b"\x16\x03" in storage.raw(True)[:200]) == encrypted


@pytest.mark.parametrize(
    ("of_client", "of_us", "said"),
    [
        ("TLS Require = yes", "TLS PSK Enable = no", "requires TLS, which is not enabled here"),
        ("TLS PSK Enable = no", "TLS Require = yes", "does not offer TLS, which is required here"),
    ],
)
def test_a_director_that_insists_or_cannot_gets_no_answer_in_clear(
    network: Network, of_client: str, of_us: str, said: str
) -> None:
    bacula = network.bacula
    network.redefine(of_client)
    bacula.write_fd("", of_us)
    with FiledDaemon(bacula) as daemon:
        assert "Daemon started" not in bacula.console(f"status client={bacula.client}")
        daemon.expect(said)
    with debians(bacula):
        assert "Daemon started" not in bacula.console(f"status client={bacula.client}")


def test_a_console_measures_the_way_to_the_storage_daemon(network: Network) -> None:
    """`status network`, as with bacula-fd."""
    bacula = network.bacula
    network.redefine()
    bacula.write_fd()
    found = []
    for daemon in BOTH:
        with daemon(bacula):
            said = bacula.console(f"status network bytes=1000000 client={bacula.client} storage=Disk")
        found.append([re.sub(r"\d+(\.\d+)?", "N", line) for line in said.splitlines() if line.startswith("2000 OK")])
    assert found[0] == found[1]
    assert len(found[0]) == 3
