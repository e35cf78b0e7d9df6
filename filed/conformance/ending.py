"""Checks of Jobs that do not end well: given up at each point, and cancelled from outside."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from filed.agents import Agent, AgentJob, AgentStream, EntryFlag, EntryType, GuardedMemory, Kind, Outcome, Status
from filed.agents.abi import MIN_READ_BYTES
from filed.conformance.room import Room
from filed.conformance.walk import Reading, walk
from filed.errors import FiledError, ItemError, JobCanceled
from filed.process.status_page import Cancel

ANSWER_S = 3.0  # the contract says a second; a busy machine may take its time
_POLL_S = 0.001
_PATIENCE_S = 2.0


def given_up(room: Room) -> None:
    """`end` and `destroy` right after begin, after a page, with entries unread, with a stream that was not read to its end."""
    steps: tuple[tuple[str, Callable[[AgentJob], None]], ...] = (
        ("right after begin", lambda _job: None),
        ("after a page", lambda job: _pages(job, 1)),
        ("after all pages, nothing read", lambda job: _pages(job, 1 << 30)),
        ("in the middle of a stream", _half_a_stream),
        ("after END", _all),
    )
    for outcome in (Outcome.FAILED, Outcome.CANCELLED):
        for _, step in steps:
            with room.agent() as (agent, _):
                with room.begun(agent, room.why()) as job:
                    step(job)
                    job.end(outcome)
                whole = room.saved_by(agent, room.why())  # the instance is as good as new
                del whole
    room.note(
        f"ended FAILED and CANCELLED {', '.join(what for what, _ in steps)}; each time the instance could begin again"
    )


def canceled(room: Room) -> None:
    """The cancel word and `cancel`, while listing and while reading: the call comes back, and the Job is closed in order."""
    for where in ("next_entries", "read"):
        room.status_page.halves[0] = Cancel.NO
        with room.agent() as (agent, _):
            seconds = _canceled_in(room, agent, where)
        room.status_page.halves[0] = Cancel.NO
        if seconds > ANSWER_S:
            room.failed(f"a cancel during {where} was answered after {seconds:.1f} s; a second is allowed", where)
    if not room.library.api.cancel:
        room.note("it has no cancel call: the cancel word alone has to do")


def _canceled_in(room: Room, agent: Agent, where: str) -> float:
    job = agent.begin(room.why())
    done = threading.Event()
    asked: list[float] = []

    def cancel() -> None:
        until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until and not done.is_set():
            current = room.status_page.current()
            if current is not None and current.call == where:
                break
            done.wait(_POLL_S)
        room.status_page.ask_cancel(Cancel.ASKED)
        asked.append(time.monotonic())
        job.cancel()

    thread = threading.Thread(target=cancel, name="cancel")
    thread.start()
    try:
        for _ in walk(job, Reading(cap=lambda: MIN_READ_BYTES)):
            pass
    except JobCanceled:
        pass
    except FiledError as error:
        if not room.status_page.cancel:
            done.set()
            thread.join()
            job.abandon(error)
            raise
    answered = time.monotonic()
    done.set()
    thread.join()
    if job.stream_open:
        job.close_stream(Status.E_CANCELLED)
    job.end(Outcome.CANCELLED)
    return max(0.0, answered - asked[0]) if asked else 0.0


def _pages(job: AgentJob, most: int) -> None:
    for _ in range(most):
        if job.next_page() is None:
            return


def _all(job: AgentJob) -> None:
    for _ in walk(job):
        pass


def _half_a_stream(job: AgentJob) -> None:
    memory = GuardedMemory(MIN_READ_BYTES)
    for cookie in _data(job):
        try:
            job.open_stream(cookie, AgentStream.DATA)
            job.read(memory.address, memory.size)
        except ItemError:
            if job.stream_open:
                job.close_stream(Status.E_IO)
            continue
        job.close_stream(Status.E_FAIL)
        return


def _data(job: AgentJob) -> Iterator[int]:
    """Cookies of entries with data, page by page."""
    while job.kind == Kind.BACKUP and (page := job.next_page()) is not None:
        for entry, _ in page:
            if entry.type != EntryType.REGULAR or not entry.streams & AgentStream.DATA.bit:
                continue
            if not entry.inline_off and not entry.flags & EntryFlag.FAILED:  # what came along is not opened again
                yield entry.cookie
