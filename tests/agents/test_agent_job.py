from __future__ import annotations

import hashlib
import os
import struct
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Self

import pytest

from filed.agents import (
    Action,
    Agent,
    AgentJob,
    AgentStream,
    Begin,
    Entry,
    EntryType,
    Has,
    Kind,
    Level,
    Library,
    Outcome,
    Replace,
    Severity,
    StatusPage,
    Want,
    check_options,
    split_xattr,
)
from filed.errors import AgentError, JobCanceled, LocalProtocolError
from filed.process.identity import identity_of
from filed.process.memory import GuardedMemory
from tests.agents.flows import READ_BYTES, Recorder, Saved, backup, read_all, take_all

FULL = Begin(Kind.BACKUP, Level.FULL, job="job.1")
BIG = 1 << 20


def small(number: int) -> bytes:
    return b"%04d\n" % number * (number % 50)


def big(size: int) -> bytes:
    """Data, hole, data, hole, a quarter each."""
    quarter = size // 4
    data = bytes((i ^ i >> 8 ^ i >> 16) & 0xFF for i in range(3 * quarter))
    return data[:quarter] + bytes(quarter) + data[2 * quarter :] + bytes(size - 3 * quarter)


class Running:
    """One instance of the good agent and its Job, which ends as failed where the test did not end it."""

    def __init__(self, library: Library, kind: Kind = Kind.BACKUP, **options: str) -> None:
        self.services, self.status_page = Recorder(), StatusPage()
        settings = check_options(library.descriptor, options.items())
        self.agent = Agent(library, self.services, self.status_page, settings).__enter__()
        self.job: AgentJob = self.agent.begin(Begin(kind, Level.FULL, job="job.1"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.job.ended:
            self.job.end(Outcome.FAILED)
        self.agent.__exit__(None, None, None)


@pytest.fixture
def backing_up(good: Library) -> Iterator[Running]:
    with Running(good) as running:
        yield running


@pytest.fixture
def restoring(good: Library) -> Iterator[Running]:
    with Running(good, Kind.RESTORE) as running:
        yield running


@pytest.mark.parametrize("contents", ["inline", "fetch", "stream"])
def test_everything_comes_whole_whichever_way_it_travels(good: Library, contents: str) -> None:
    options = [("files", "120"), ("page", "50"), ("contents", contents)]
    saved: Saved = backup(good, Recorder(), StatusPage(), check_options(good.descriptor, options))
    assert saved.complete
    assert saved.pages == [50, 50, 24]
    assert len(saved.entries) == 124
    for number in range(1, 121):
        entry, content, streams = saved.entries[b"/@GOOD/small/%04d" % number]
        assert content == small(number)
        assert (entry.size, entry.mtime, entry.mtime_ns) == (len(small(number)), 1700000000 + number, number)
        assert [(kind, split_xattr(data)) for kind, data in streams] == [
            (AgentStream.XATTR, (b"user.sequence", b"%d" % number))
        ]
    _, content, _ = saved.entries[b"/@GOOD/big"]
    assert content is not None
    assert hashlib.sha256(content).digest() == hashlib.sha256(big(BIG)).digest()
    assert saved.holes[b"/@GOOD/big"] == [(BIG // 4, BIG // 4), (3 * BIG // 4, BIG // 4)]
    assert saved.links[b"/@GOOD/link"] == b"big"
    assert saved.errors == []


def test_after_the_end_there_is_no_page_and_no_state(backing_up: Running) -> None:
    job = backing_up.job
    assert not job.listed_all
    page = job.next_page()
    assert page is not None
    assert not page.end
    assert job.next_page() is None
    assert (job.listed_all, job.complete) == (True, True)
    assert job.next_page() is None


def test_a_page_is_fetched_as_far_as_it_fits(good: Library) -> None:
    running = Running(good, contents="fetch", files="256")
    page = running.job.next_page()
    assert page is not None
    wants = [Want(entry.cookie, entry.streams) for entry in page.entries]
    got = running.job.fetch(wants[5:9])
    assert got.names == page.names[5:9]
    assert [bytes(got.inline(entry) or b"") for entry in got.entries] == [small(number) for number in range(6, 10)]
    running.job.end(Outcome.FAILED)


def test_the_entry_at_hand_is_in_the_pulse(backing_up: Running) -> None:
    page = backing_up.job.next_page()
    assert page is not None
    cookie = next(entry.cookie for entry, name in page if name == b"/@GOOD/big")
    assert backing_up.job.open_stream(cookie, AgentStream.DATA) == BIG
    backing_up.status_page.mark(1, 1)  # type: ignore[arg-type]
    assert str(backing_up.status_page.current()) == "load, entry /@GOOD/big"
    backing_up.status_page.unmark()


def test_the_host_s_own_order_is_enforced(backing_up: Running) -> None:
    job, memory = backing_up.job, GuardedMemory(READ_BYTES)
    for wrong in (
        lambda: job.read(memory.address, memory.size),
        job.close_stream,
        job.commit,
        job.restore_done,
        lambda: job.open_stream(1, AgentStream.DATA),
        lambda: job.fetch([]),
        lambda: job.restore_entry(Entry(), b"/a", b"/a", Replace.ALWAYS),
        lambda: job.restore_stream(AgentStream.DATA, 0),
        lambda: job.write(b"", 0, last=True),
    ):
        with pytest.raises(LocalProtocolError, match="is not allowed now"):
            wrong()
    page = job.next_page()
    assert page is not None
    cookie = next(entry.cookie for entry, name in page if name == b"/@GOOD/big")
    with pytest.raises(LocalProtocolError):
        job.open_stream(4711, AgentStream.DATA)
    with pytest.raises(LocalProtocolError):
        job.open_stream(cookie, AgentStream.DATA, 100)
    read_all(job, cookie, memory, [])
    with pytest.raises(LocalProtocolError):
        job.open_stream(cookie, AgentStream.DATA)


def test_a_read_needs_room_and_ends_with_the_last_chunk(backing_up: Running) -> None:
    job, memory = backing_up.job, GuardedMemory(64 << 10)
    page = job.next_page()
    assert page is not None
    job.open_stream(1, AgentStream.DATA)
    with pytest.raises(LocalProtocolError):
        job.read(memory.address, 4096)
    with pytest.raises(LocalProtocolError):
        job.next_page()
    chunk = job.read(memory.address, memory.size)
    assert chunk == (0, 5, True)
    with pytest.raises(LocalProtocolError):
        job.read(memory.address, memory.size)
    job.close_stream()


def test_commit_and_end_come_once(backing_up: Running) -> None:
    job = backing_up.job
    take_all(job)
    job.commit()
    with pytest.raises(LocalProtocolError):
        job.commit()
    job.end(Outcome.DONE)
    with pytest.raises(LocalProtocolError):
        job.end(Outcome.DONE)
    assert backing_up.services.texts == ["commit", "end 0"]


@pytest.mark.parametrize("kind", [Kind.ESTIMATE, Kind.VERIFY])
def test_only_a_backup_has_a_state_and_a_commit(good: Library, kind: Kind) -> None:
    running = Running(good, kind)
    take_all(running.job)
    assert running.services.states == []
    with pytest.raises(LocalProtocolError):
        running.job.commit()
    running.job.end(Outcome.DONE)


def leave_early(agent: Agent, error: Exception) -> None:
    with agent.begin(FULL) as job:
        job.next_page()
        job.open_stream(1, AgentStream.DATA)
        raise error


def test_leaving_early_closes_and_ends_with_the_reason(good: Library) -> None:
    services, status_page = Recorder(), StatusPage()
    with Agent(good, services, status_page) as agent:
        for error in (ValueError("ours"), JobCanceled("asked")):
            with pytest.raises(type(error)):
                leave_early(agent, error)
        with agent.begin(FULL):
            pass
    assert services.texts == ["end 1", "end 2", "end 1"]


def test_a_cancel_ends_every_call_but_the_last_ones(good: Library) -> None:
    running = Running(good, page="2")
    job, memory = running.job, GuardedMemory(READ_BYTES)
    job.next_page()
    job.open_stream(1, AgentStream.DATA)
    running.status_page.ask_cancel()
    with pytest.raises(JobCanceled, match="canceled during read of agent good"):
        job.read(memory.address, memory.size)
    job.close_stream()
    with pytest.raises(JobCanceled):
        job.next_page()
    job.end(Outcome.CANCELLED)


def test_a_stream_that_opens_under_a_cancel_is_closed(backing_up: Running) -> None:
    job = backing_up.job
    job.next_page()
    backing_up.status_page.ask_cancel()
    with pytest.raises(JobCanceled):
        job.open_stream(1, AgentStream.DATA)
    assert job.stream_open
    job.abandon(JobCanceled("asked"))
    assert (job.stream_open, job.ended) == (False, True)


def test_cancel_may_come_from_any_thread_twice_and_after_the_end(backing_up: Running) -> None:
    job = backing_up.job
    for _ in range(2):
        thread = threading.Thread(target=job.cancel)
        thread.start()
        thread.join()
    job.end(Outcome.CANCELLED)
    job.cancel()


def test_a_restore_reaches_the_agent_byte_for_byte(restoring: Running) -> None:
    job, content = restoring.job, bytes(range(256)) * 40
    entry = Entry(type=EntryType.REGULAR, size=len(content))
    assert job.restore_entry(entry, b"/@GOOD/a", b"/where/a", Replace.ALWAYS) == Action.WANT
    job.restore_stream(AgentStream.DATA, None)
    for offset in range(0, len(content), 1000):
        piece = memoryview(content)[offset : offset + 1000]
        job.write(piece, offset, last=offset + 1000 >= len(content))
    job.restore_stream(AgentStream.XATTR, 6)
    job.write(struct.pack("=I", 1) + b"nv", 0, last=True)
    job.restore_done()
    total = sum((i + 1) * byte for i, byte in enumerate(content)) & 0xFFFF_FFFF
    expected = f"restored /where/a: {len(content)} bytes, sum {total}, status 0"
    assert restoring.services.messages == [(Severity.DEBUG, expected)]
    job.commit()
    job.end(Outcome.DONE)


def test_files_links_and_holes_come_back_on_the_disk(good: Library, tmp_path: Path) -> None:
    running = Running(good, Kind.RESTORE, restore="disk")
    job, where = running.job, bytes(tmp_path)
    file = Entry(type=EntryType.REGULAR, mode=0o640, mtime=1600000000, mtime_ns=5)
    assert job.restore_entry(file, b"/d/a", where + b"/d/a", Replace.ALWAYS) == Action.WANT
    job.restore_stream(AgentStream.DATA, 8192)
    job.write(b"start", 0, last=False)
    job.write(b"", 8192, last=True)
    job.restore_done()
    link = Entry(type=EntryType.SYMLINK)
    assert job.restore_entry(link, b"/d/l", where + b"/d/l", Replace.ALWAYS, b"a") == Action.CREATED
    job.restore_done()
    assert job.restore_entry(file, b"/d/a", where + b"/d/a", Replace.NEVER) == Action.SKIP
    job.commit()
    job.end(Outcome.DONE)
    restored = tmp_path / "d" / "a"
    assert restored.read_bytes() == b"start" + bytes(8187)
    assert restored.stat().st_mtime_ns == 1600000000 * 10**9 + 5
    assert (tmp_path / "d" / "l").readlink() == Path("a")


def test_empty_pages_for_ever_end_as_a_violation(bad: Library) -> None:
    ticks = iter(range(10**6))
    settings = check_options(bad.descriptor, [("sin", "page-empty-forever")])
    agent = Agent(bad, Recorder(), StatusPage(), settings, timeout_s=5.0, clock=lambda: float(next(ticks)))
    with agent, pytest.raises(AgentError, match="only empty pages, and no sign of life"), agent.begin(FULL) as job:
        job.next_page()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change users")
def test_a_callback_runs_as_the_host_though_the_agent_is_another_user(good: Library) -> None:
    """What the host needs then, a module that it imports for the first time, say, that user may not be able to read."""
    seen: list[tuple[int, int, list[int]]] = []
    with Running(replace(good, identity=identity_of("nobody")), Kind.RESTORE) as running:
        running.services.message = lambda *_: seen.append((os.geteuid(), os.getegid(), os.getgroups()))  # type: ignore[method-assign,assignment]
        entry = Entry(type=EntryType.REGULAR, valid=Has.SIZE, size=0)
        assert running.job.restore_entry(entry, b"/@GOOD/a", b"/w/@GOOD/a", Replace.ALWAYS) == Action.WANT
        running.job.restore_done()
    assert set(map(str, seen)) == {str((os.geteuid(), os.getegid(), os.getgroups()))}
