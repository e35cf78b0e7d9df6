"""Connections that are cut, stall or bring something else, at random packets: the Director learns the truth, nothing stays behind,
and the next Job is good.

FILED_CUTS=400 tries as many points in place of the usual few. A seed is printed with each failure: FILED_CUTS_SEED repeats it.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.live.bacula import TIMEOUT_S, Bacula
from tests.live.filed_daemon import FiledDaemon
from tests.live.jobs import Shown, shown, status_of
from tests.live.proxy import HERE, Fault, Proxy
from tests.live.releases import BACULA_9, BACULA_15
from tests.transport.certificates import Authority

pytestmark = pytest.mark.live

POINTS = int(os.environ.get("FILED_CUTS", "4"))
SEED = os.environ.get("FILED_CUTS_SEED", str(random.randrange(1_000_000)) if "FILED_CUTS" in os.environ else "3214")
"""The usual one has a cut, a stall and a corruption, none of them where the Director itself takes a minute to notice."""
GOOD, ENDED = "T", "TWEefADI"
STILL_S = 1.5  # how long nothing has to happen before a person would cancel
JOB_IS_KNOWN = 25  # packets, with those of TLS
POINT_S = 80  # a Director that loses its File Daemon in a backup waits a minute for the Storage Daemon
KINDS = [
    ("storage", "plain"),
    ("director", "tls"),
    ("storage", "psk"),
    ("director", "psk"),
    ("storage", "tls"),
    ("director", "plain"),
]
"""What is struck, and how it is encrypted; the last two only where many points are asked for."""
HOWS = ("cut", "cut", "stall", "corrupt")


@dataclass
class World:
    bacula: Bacula
    daemon: FiledDaemon
    proxy: Proxy
    tree: Path
    before: Shown
    encrypted: bool
    descriptors: int = 0
    saved: int = 0

    def run(self, command: str) -> int:
        """Start a Job; its JobId."""
        found = re.search(r"JobId=(\d+)", said := self.bacula.console(command))
        assert found is not None, said
        return int(found[1])

    def ended(self, job_id: int, seconds: float) -> str:
        """How it ended, as the Director's catalog has it; "" when it has not, in that time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if (status := status_of(self.bacula, job_id)) in ENDED:
                return status
            time.sleep(0.05)  # a catalog wakes nobody
        return ""

    def save(self, level: str) -> int:
        return self.run(f"run job=Save level={level} yes")

    def restore(self, of: int = 0) -> int:
        return self.run(f"restore client={self.bacula.client} jobid={of or self.saved} all done yes")

    def restored(self) -> Shown:
        where = self.bacula.root / "restored" / self.tree.relative_to("/")
        return shown(where) if where.exists() else {}

    def false_contents(self) -> list[bytes]:
        """Files that are there by their name, and hold something else."""
        found = self.restored()
        return [name for name, about in self.before.items() if name in found and found[name].content != about.content]

    def forget_restored(self) -> None:
        shutil.rmtree(self.bacula.root / "restored", ignore_errors=True)

    def nothing_left(self) -> str:
        """What is still there of a Job that is over; "" for nothing."""
        wrong = ""
        end = time.monotonic() + 10
        while time.monotonic() < end:
            pid = self.daemon.process.pid
            wrong = " ".join(map(str, self.daemon.children()))
            open_now = len(os.listdir(f"/proc/{pid}/fd"))
            if open_now > self.descriptors:
                wrong += f" {open_now} descriptors, {self.descriptors} before"
            wrong += " ".join(path.name for path in self.bacula.work.glob(".filed-*"))
            if not wrong:
                return ""
            time.sleep(0.05)  # a process that ends wakes its parent only
        return wrong


def planted(place: Path) -> Path:
    tree = place / "tree"
    rng = random.Random(1)
    for number in range(4):
        (tree / f"d{number}").mkdir(parents=True)
        for file in range(12):
            (tree / f"d{number}" / f"f{file}").write_bytes(rng.randbytes(rng.randrange(30_000)))
    (tree / "large").write_bytes(rng.randbytes(700_000))
    (tree / "text").write_text("the same again\n" * 30_000)
    (tree / "link").symlink_to("large")
    for path in (*tree.rglob("*"), tree):
        os.utime(path, (1_600_000_000, 1_600_000_000), follow_symlinks=False)
    return tree


@pytest.fixture
def world(link: str, encryption: str, tmp_path: Path) -> Iterator[World]:
    """plain, tls: 9.6, where TLS has certificates. psk: 15 as it is by default."""
    tree = planted(tmp_path)
    release = BACULA_15 if encryption == "psk" else BACULA_9
    if not release.there:
        pytest.skip(f"Bacula {release} is not there (tools/install-peers)")
    with Bacula(tmp_path, release=release) as bacula:
        bacula.write_confs(
            file_sets=f'FileSet {{ Name = All; Include {{ Options {{ signature = SHA1; compression = GZIP1 }} File = "{tree}" }} }}\n',
            jobs="Job { Name = Save; JobDefs = Common; FileSet = All; Accurate = yes; Max Wait Time = 60 s }\n",
            client="SD Connect Timeout = 5 s",
            director="FD Connect Timeout = 5 s; SD Connect Timeout = 5 s",
        )
        _through_the_proxy(bacula, link)
        if encryption == "tls":
            _with_tls(bacula, Authority(tmp_path), link)
        bacula.make_catalog()
        bacula.start("sd", "dir")
        with FiledDaemon(bacula) as daemon, Proxy(bacula.ports["fd" if link == "director" else "sd"]) as proxy:
            yield World(bacula, daemon, proxy, tree, shown(tree), encryption != "plain")
        assert "internal error" not in daemon.log()


def _through_the_proxy(bacula: Bacula, link: str) -> None:
    conf = bacula.conf("dir")
    text = conf.read_text()
    if link == "director":
        old = f"Address = 127.0.0.1\n  FDPort = {bacula.ports['fd']}"
        new = old.replace("127.0.0.1", HERE)
    else:
        old = f"SDPort = {bacula.ports['sd']}"
        new = f"{old}\n  FD Storage Address = {HERE}"
    assert text.count(old) == 1
    conf.write_text(text.replace(old, new))


def _with_tls(bacula: Bacula, authority: Authority, link: str) -> None:
    """The link with the proxy, and it alone, is encrypted."""

    def directives(name: str, *names: str) -> str:
        tls = authority.tls(name, *names)
        return (
            f'\n  TLS Enable = yes\n  TLS Require = yes\n  TLS CA Certificate File = "{tls.ca_certificate_file}"\n'
            f'  TLS Certificate = "{tls.certificate}"\n  TLS Key = "{tls.key}"\n'
        )

    def add(name: str, behind: str, text: str) -> None:
        conf = bacula.conf(name)
        before = conf.read_text()
        assert before.count(behind) == 1, (behind, before)
        conf.write_text(before.replace(behind, behind + text))

    if link == "director":
        add("dir", f"FDPort = {bacula.ports['fd']}", directives("t-dir"))
        add("fd", f'Director {{ Name = {bacula.director}; Password = "{bacula.password}"', directives(HERE, HERE))
    else:
        add("sd", f"SDPort = {bacula.ports['sd']}", directives("t-sd", HERE))
        add("fd", f"FDPort = {bacula.ports['fd']}", directives("t-fd"))


@pytest.mark.slow
@pytest.mark.timeout(600 + POINTS // 4 * POINT_S)
@pytest.mark.parametrize(("link", "encryption"), KINDS if "FILED_CUTS" in os.environ else KINDS[:4])
def test_at_any_packet_the_director_learns_the_truth(world: World, link: str, request: pytest.FixtureRequest) -> None:
    rng = random.Random(f"{SEED} {request.node.name}")
    world.proxy.strike(None)
    world.saved = world.save("Full")
    assert world.ended(world.saved, TIMEOUT_S) == GOOD, world.bacula.messages()
    most = {"save": world.proxy.packets}
    world.proxy.strike(None)
    assert world.ended(world.restore(), TIMEOUT_S) == GOOD, world.bacula.messages()
    most["restore"] = world.proxy.packets
    world.descriptors = len(os.listdir(f"/proc/{world.daemon.process.pid}/fd"))
    tried: dict[tuple[str, str, str], int] = {}
    for number in range(max(POINTS // 4, 1)):
        what = rng.choice(("save", "restore"))
        fault = Fault(rng.choice(HOWS), rng.randint(1, most[what] + 1), rng.randrange(1 << 30))
        words = f"FILED_CUTS_SEED={SEED}: point {number}, {what}, {fault}"
        began = time.monotonic()
        status = one(world, what, fault, words)
        print(f"{words}: {status} after {time.monotonic() - began:.1f} s", flush=True)
        tried[what, fault.how, status] = tried.get((what, fault.how, status), 0) + 1
    print(request.node.name, {" ".join(key): count for key, count in sorted(tried.items())})


def one(world: World, what: str, fault: Fault, words: str) -> str:
    """One Job with one fault, and the next one without. Returns how the former ended."""
    world.forget_restored()
    world.proxy.strike(fault)
    job_id = world.save("Full") if what == "save" else world.restore()
    status = settled(world, job_id, fault)
    assert status, f"{words}: the Director does not know how it ended: {world.bacula.messages()}"
    world.proxy.strike(None)
    detected = world.encrypted or fault.how != "corrupt"  # in clear, nobody can tell a changed name or time
    if what == "restore":
        assert world.false_contents() == [], words
    elif status == GOOD and detected:
        assert world.ended(world.restore(job_id), TIMEOUT_S) == GOOD, f"{words}: {world.bacula.messages()}"
    if status == GOOD and detected:
        assert world.restored() == world.before, words
    left = world.nothing_left()
    assert not left, f"{words}: left behind: {left}"
    said = world.bacula.console(f"status client={world.bacula.client}")
    assert "No Jobs running." in said, f"{words}: {said}"
    after = world.save("Incremental")
    assert world.ended(after, TIMEOUT_S) == GOOD, f"{words}: the next Job: {world.bacula.messages()}"
    return status


def settled(world: World, job_id: int, fault: Fault) -> str:
    """Wait for a Job's end; cancel it, as a person would, when it stalls; and in the end let go what stalls."""
    status = world.ended(job_id, STILL_S if fault.how == "stall" else TIMEOUT_S / 4)
    if not status:
        world.proxy.disarm()  # else the cancel's own connection could be struck, and the console would wait for that
        world.bacula.console(f"cancel jobid={job_id} yes")
        if fault.at > JOB_IS_KNOWN:  # before, only the stalled Director knows which visit is meant
            left = world.nothing_left()
            assert not left, f"canceled, and still there: {left}"
        world.proxy.release()
        status = world.ended(job_id, TIMEOUT_S)
    return status
