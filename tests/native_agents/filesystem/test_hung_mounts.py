"""A mount that does not answer, below what is saved: with one file system nobody looks into it."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from filed.agents import EntryType, Severity, Verdict
from filed.cli.agents import shipped_agents
from filed.process.outcome import JobStatus
from tests.system_agents.jobs import Place, line

from .driving import Driver, Host, Item, fileset_of

PATIENCE_S = 60
MNT_DETACH = 2


class Hung:
    """A FUSE file system whose program never answers. After so long, or when it is let go, whoever waits for it gets an error."""

    def __init__(self, place: Path) -> None:
        self.place, self.late = place, False
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._answers = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = f"fd={self._answers},rootmode=40000,user_id=0,group_id=0".encode()
        if self._libc.mount(b"hung", os.fsencode(place), b"fuse", 0, options):
            os.close(self._answers)
            raise OSError(ctypes.get_errno(), "mount")
        self._timer = threading.Timer(PATIENCE_S, self._give_up)
        self._timer.start()

    def _give_up(self) -> None:
        self.late = True
        self._close()

    def _close(self) -> None:
        answers, self._answers = self._answers, -1
        if answers >= 0:
            os.close(answers)

    def let_go(self) -> None:
        self._timer.cancel()
        self._close()
        self._libc.umount2(os.fsencode(self.place), MNT_DETACH)


def named(items: list[Item], path: Path) -> Item:
    (found,) = [item for item in items if item.name == bytes(path)]
    return found


@pytest.fixture
def hung(tmp_path: Path) -> Iterator[Hung]:
    for name in ("source/a mount", "source/z"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "source" / "z" / "file").write_bytes(b"x")
    try:
        mount = Hung(tmp_path / "source" / "a mount")
    except OSError:
        pytest.skip("mounting is not allowed here")
    yield mount
    mount.let_go()


@pytest.mark.root
def test_it_is_saved_as_a_directory_and_not_looked_at(driver: Driver, hung: Hung) -> None:
    saved = driver.backup(fileset_of(hung.place.parent), Host(rules={bytes(hung.place): Verdict.PRUNE}))
    assert not hung.late
    item = named(saved, hung.place)
    assert (item.entry.type, item.entry.mode & 0o7777, item.trouble) == (EntryType.DIRECTORY, 0o755, "")
    assert named(saved, hung.place.parent / "z" / "file").data == b"x"


@pytest.mark.root
def test_what_is_looked_into_all_the_same_is_named_before(driver: Driver, hung: Hung) -> None:
    host = Host()

    def answered(path: bytes) -> None:
        if path == bytes(hung.place):
            hung.let_go()

    host.on_match = answered
    driver.listing(fileset_of(hung.place.parent), host)
    assert (Severity.INFO, f"Looking into {hung.place}, a mount of type fuse") in host.said


@pytest.mark.root
def test_a_job_passes_it_by(hung: Hung, tmp_path: Path) -> None:
    place = Place(tmp_path / "volumes", (shipped_agents(),))
    ran = place.backup(line("filesystem"), files=[bytes(hung.place.parent)])
    assert not hung.late
    assert ran.outcome.status is JobStatus.OK, ran.messages
    assert bytes(hung.place) + b"/" in place.tree(ran.outcome.jobid)
    assert any(f"{hung.place} is a different filesystem" in text for text in ran.texts())
