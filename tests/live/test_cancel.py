"""A cancel is answered and obeyed at once whatever the Job waits for; and what is true when a Job, or the daemon, is killed."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest

from filed.wire.auth import secret_of
from filed.wire.frame import Signal
from tests.director.dialogue import Dialogue
from tests.live.bacula import TIMEOUT_S, Bacula
from tests.live.filed_daemon import FiledDaemon
from tests.live.jobs import rows, status_of
from tests.live.releases import Release
from tests.live.reports import expect_report, report
from tests.system.program import wait_until

pytestmark = pytest.mark.live

WITHIN_S = 1.0 * float(os.environ.get("FILED_PATIENCE", "20"))
"""A second; a machine that does other things as well gets more."""


@dataclass
class World:
    bacula: Bacula
    daemon: FiledDaemon
    tree: Path

    def run(self, job: str) -> int:
        found = re.search(r"JobId=(\d+)", said := self.bacula.console(f"run job={job} yes"))
        assert found is not None, said
        return int(found[1])

    def until_status(self, text: str) -> str:
        """What the console shows of us, once that is in it."""
        end = time.monotonic() + TIMEOUT_S
        while text not in (said := self.bacula.console(f"status client={self.bacula.client}")):
            assert time.monotonic() < end, f"{said}\n{self.bacula.messages()}"
        return said

    def worker(self) -> int:
        """The process that a visit has started: a Job's, or a program's."""
        found: list[int] = []

        def look() -> list[int]:
            found[:] = [pid for visit in self.daemon.children() for pid in family(visit)]
            return found

        wait_until(look, TIMEOUT_S)
        return found[0]

    def until_program(self) -> None:
        """Until the `sleep` of a Job runs: its process, which has called the Storage Daemon, was there before."""
        wait_until(lambda: any(_is_sleep(pid) for pid in family(self.daemon.process.pid)), TIMEOUT_S)

    def cancel(self, job_id: int) -> tuple[float, float]:
        """As the Director does it. Returns after how many seconds it was answered, and all of the Job's processes were gone."""
        ((name,),) = rows(self.bacula, f"SELECT Job FROM Job WHERE JobId = {job_id}")
        processes = family(self.daemon.process.pid)
        director, secret = self.bacula.director.encode(), secret_of(self.bacula.password.encode())
        with Dialogue(self.daemon.call(), name=director, secret=secret) as talk:
            talk.say(b"JobId=0 Job=-Console-.2026-11-23_10.14.28_02 SDid=0 SDtime=0 Authorization=dummy\n")
            assert talk.text().startswith(b"2000 OK Job")
            begun = time.monotonic()
            talk.say(b"cancel Job=%b\n" % str(name).encode())
            assert talk.until(Signal.EOD)[0].startswith(b"2001 Job")  # type: ignore[union-attr]
            answered = time.monotonic() - begun
            wait_until(lambda: not alive(processes))
            talk.say(Signal.TERMINATE)
        return answered, time.monotonic() - begun

    def ended(self, job_id: int) -> str:
        expect_report(self.bacula, job_id)
        return status_of(self.bacula, job_id)


def _is_sleep(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text() == "sleep\n"
    except OSError:
        return False  # it has just ended


def family(pid: int) -> list[int]:
    """All that a process has started, and they."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [each for child in map(int, children) for each in (child, *family(child))]


def alive(processes: list[int]) -> list[int]:
    return [pid for pid in processes if Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/exe").exists()]


@pytest.fixture(scope="module")
def bacula(tmp_path_factory: pytest.TempPathFactory, release: Release) -> Iterator[Bacula]:
    place = tmp_path_factory.mktemp("cancel")
    tree = place / "tree"
    (tree / "fifo").parent.mkdir()
    os.mkfifo(tree / "fifo")
    with (tree / "endless").open("wb") as file:
        file.truncate(4 << 40)
    (tree / "small").write_text("small")

    def file_set(name: str, options: str = "") -> str:
        return f'FileSet {{ Name = {name}; Include {{ Options {{ signature = MD5; {options} }} File = "{tree}/{name.lower()}" }} }}\n'

    def job(name: str, file_set: str, more: str = "") -> str:
        return f"Job {{ Name = {name}; JobDefs = Common; FileSet = {file_set}; {more} }}\n"

    after = (
        f"RunScript {{ RunsWhen = After; RunsOnSuccess = no; RunsOnFailure = yes; RunsOnClient = yes\n"
        f' Command = "/bin/touch {place}/failed-%n" }}'
    )
    with Bacula(place, release=release) as made:
        made.write_confs(
            file_sets=file_set("Fifo", "readfifo = yes") + file_set("Endless") + file_set("Small"),
            jobs=job("Fifo", "Fifo", after)
            + job("Endless", "Endless", after)
            + job("Script", "Small", 'Client Run Before Job = "/bin/sleep 600"')
            + job("Unmounted", "Small", "Pool = Empty")
            + "Pool { Name = Empty; Pool Type = Backup }\n",
        )
        made.make_catalog()
        made.start("sd", "dir")
        yield made


@pytest.fixture
def world(bacula: Bacula) -> Iterator[World]:
    with FiledDaemon(bacula) as daemon:
        yield World(bacula, daemon, bacula.root.parent / "tree")
        assert "internal error" not in daemon.log()


@pytest.fixture(scope="module")
def unsettled(bacula: Bacula) -> Iterator[dict[int, str]]:
    """JobIds that the Director needs a minute or two for, with the states they may end in: looked at when all is over.

    It waits that long where the File Daemon is gone; and that of 15.0.3 and its Storage Daemon now and then wait for each other: each closes a
    TLS connection that the other one does not read from at the time, for 120 s.
    """
    found: dict[int, str] = {}
    yield found
    for job_id, states in found.items():
        expect_report(bacula, job_id, 4 * TIMEOUT_S)
        assert status_of(bacula, job_id) in states, bacula.messages()


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def check(world: World, job_id: int, what: str) -> None:
    answered, obeyed = world.cancel(job_id)
    print(f"{what}: answered after {answered:.3f} s, obeyed after {obeyed:.3f} s")
    assert answered < WITHIN_S
    assert obeyed < WITHIN_S


def settled(world: World, job_id: int) -> None:
    """The Director knows. (That the next Job is good, test_cuts.py asks.)"""
    assert world.ended(job_id) == "A", world.bacula.messages()


def test_while_it_waits_for_a_volume(world: World, unsettled: dict[int, str]) -> None:
    job_id = world.run("Unmounted")
    wait_until(lambda: "is waiting for an appendable Volume" in world.bacula.console("status director"), TIMEOUT_S)
    check(world, job_id, "waiting for a Volume")
    unsettled[job_id] = "A"


def test_on_a_full_socket(world: World) -> None:
    job_id = world.run("Endless")
    world.until_status("Processing file:")
    with stopped(world.bacula.pid("sd")):
        _until_still(world)
        check(world, job_id, "full socket")
    settled(world, job_id)


@pytest.mark.parametrize("writer", ["nobody", "somebody who says nothing"])
def test_on_a_blocked_read_which_a_status_shows(world: World, writer: str) -> None:
    fifo = os.open(world.tree / "fifo", os.O_RDWR) if writer != "nobody" else -1
    try:
        job_id = world.run("Fifo")
        said = world.until_status(f"Processing file: {world.tree}/fifo")
        assert f"JobId {job_id} Job Fifo." in said
        check(world, job_id, f"FIFO with {writer}")
    finally:
        if fifo >= 0:
            os.close(fifo)
    settled(world, job_id)


def test_in_a_program_that_runs_before_the_job(world: World) -> None:
    job_id = world.run("Script")
    world.until_program()
    check(world, job_id, "RunScript")
    assert world.ended(job_id) == "f"  # the Director has not asked for it, and a program that must not fail was ended


def test_the_program_for_a_failure_runs_after_a_kill_of_the_job_process(world: World) -> None:
    marker = world.tree.parent / "failed-Endless"
    marker.unlink(missing_ok=True)
    job_id = world.run("Endless")
    world.until_status("Processing file:")
    os.kill(world.worker(), signal.SIGKILL)
    assert world.ended(job_id) in "fE", world.bacula.messages()
    assert any("SIGKILL" in line for line in report(world.bacula, job_id)), report(world.bacula, job_id)
    assert marker.exists()


@pytest.mark.parametrize("what", ["Fifo", "Script", "full socket"])
def test_a_killed_daemon_leaves_no_process(world: World, unsettled: dict[int, str], what: str) -> None:
    job_id = world.run("Endless" if what == "full socket" else what)
    if what == "Script":
        world.until_program()
    else:
        world.until_status("Processing file:")
    with stopped(world.bacula.pid("sd")) if what == "full socket" else nullcontext():
        if what == "full socket":
            _until_still(world)
        processes = family(world.daemon.process.pid)
        assert len(processes) >= 2
        world.daemon.process.kill()
        world.daemon.process.wait()
        begun = time.monotonic()
        wait_until(lambda: not alive(processes))
        print(f"daemon killed, {what}: all gone after {time.monotonic() - begun:.3f} s")
    unsettled[job_id] = "AEf"
    assert not list(world.bacula.work.glob(".filed-*"))


def _until_still(world: World) -> None:
    """Until no more goes out: buffers on the way are full."""
    process, before = world.worker(), -1
    while (now := _written(process)) != before:
        before = now
        time.sleep(0.3)  # stillness is what is waited for


def _written(pid: int) -> int:
    found = re.search(r"^wchar: (\d+)$", Path(f"/proc/{pid}/io").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def test_a_list_of_many_files_on_one_job_delays_no_cancel_of_another(world: World) -> None:
    """FILED_LISTED=1000000 for the whole of it."""
    many = int(os.environ.get("FILED_LISTED", "150000"))
    job_id = world.run("Endless")
    world.until_status("Processing file:")
    director, secret = world.bacula.director.encode(), secret_of(world.bacula.password.encode())
    with Dialogue(world.daemon.call(), name=director, secret=secret) as talk:
        talk.say(b"JobId=999 Job=Other.2026-11-23_10.14.28_03 SDid=1 SDtime=17 Authorization=KEY\n")
        assert talk.text().startswith(b"2000 OK Job")
        talk.say(b"accurate files=%d\n" % many)
        sender = threading.Thread(target=_send_list, args=(talk.sock, many), daemon=True)
        sender.start()
        wait_until(lambda: _list_bytes(world) > 1_000_000)
        before = _list_bytes(world)
        ((name,),) = rows(world.bacula, f"SELECT Job FROM Job WHERE JobId = {job_id}")
        process = world.worker()
        with Dialogue(world.daemon.call(), name=director, secret=secret) as console:
            console.say(b"JobId=0 Job=-Console-.2026-11-23_10.14.28_02 SDid=0 SDtime=0 Authorization=dummy\n")
            console.text()
            begun = time.monotonic()
            console.say(b"cancel Job=%b\n" % str(name).encode())
            assert console.until(Signal.EOD)[0].startswith(b"2001 Job")  # type: ignore[union-attr]
            answered = time.monotonic() - begun
            wait_until(lambda: not alive([process]))
            obeyed = time.monotonic() - begun
        assert _list_bytes(world) > before or not sender.is_alive()
        print(f"beside a list of {many:,}: answered after {answered:.3f} s, obeyed after {obeyed:.3f} s")
        assert answered < WITHIN_S
        assert obeyed < WITHIN_S
        # And the list itself, in the midst of it.
        with Dialogue(world.daemon.call(), name=director, secret=secret) as console:
            console.say(b"JobId=0 Job=-Console-.2026-11-23_10.14.28_02 SDid=0 SDtime=0 Authorization=dummy\n")
            console.text()
            begun = time.monotonic()
            console.say(b"cancel Job=Other.2026-11-23_10.14.28_03\n")
            assert console.until(Signal.EOD)[0].startswith(b"2001 Job")  # type: ignore[union-attr]
            wait_until(lambda: not list(world.bacula.work.glob(".filed-accurate-*")))
            print(f"in the midst of its list: obeyed after {time.monotonic() - begun:.3f} s")
            assert time.monotonic() - begun < WITHIN_S
    assert world.ended(job_id) == "A"


def _send_list(sock: socket.socket, many: int) -> None:
    entry = b"/some/where/in/a/tree/of/files/%08d\0P0A BrBBGe IGk B A A A EAAC BAA I BrBBIG BrBBGe BrBBGe A A C\0rL0Y20zC+Fzt72VPzMSk2A\0000\0"
    try:
        for start in range(0, many, 1000):
            packets = [entry % number for number in range(start, start + 1000)]
            sock.sendall(b"".join(len(packet).to_bytes(4, "big") + packet for packet in packets))
    except OSError:
        return  # canceled


def _list_bytes(world: World) -> int:
    return sum(path.stat().st_size for path in world.bacula.work.glob(".filed-accurate-*"))
