"""Checks of Incrementals: with the agent's own state, without it, and with one that it never wrote."""

from __future__ import annotations

from dataclasses import dataclass

from filed.agents import Agent, EntryFlag, Level, Outcome, StateWhy, Status
from filed.conformance.room import Room, Skipped
from filed.conformance.walk import NOT_READ, Reading, Seen, differences, walk
from filed.errors import AgentError

State = tuple[bytes, int]


@dataclass(frozen=True, slots=True)
class Taken:
    """What an Incremental brought. complete: the list ended with COMPLETE."""

    seen: dict[bytes, Seen]
    complete: bool


_FOREIGN = b"\xff\0not a state of yours\n" * 8


def incremental(room: Room) -> None:
    """A Full, then its Job is confirmed, then an Incremental on it."""
    whole, state, job = _full(room)
    with room.agent() as (agent, _):
        for _ in range(2):  # it may come twice
            agent.confirmed(job, *(state or (b"", 0)))
        agent.confirmed("Check.Older", b"", 0)
        why = StateWhy.FOUND if state else StateWhy.FIRST
        taken = _taken(room, agent, why, state, job)
    if taken is None:
        room.failed("it cannot continue from the state that it has just put", "begin")
        return
    if state is None:
        _nothing_missing(room, whole, taken.seen, "it keeps no state, and an Incremental has left out an entry")
        room.note("it keeps no state: the host compares times and names")
    else:
        count = len(taken.seen)
        room.note(f"a state of {len(state[0]):,} bytes; {count:,} of {len(whole):,} entries in the Incremental")
    if taken.complete:
        text = "COMPLETE after a list that lacks an entry of the Full: a Job would mark it deleted"
        _nothing_missing(room, whole, taken.seen, text)


def failed_entry(room: Room) -> None:
    """A Full in which one entry could not be read, then an Incremental on what a Job seals: the entry comes again.

    A Job keeps the base's state, here none, when an entry flagged SELECTED could not be saved.
    """
    once = iter((True,))
    why = room.why()
    with room.agent(quiet=True) as (agent, witness):
        whole = room.saved_by(agent, why, Reading(fails=lambda: next(once, False)))
    if not witness.states:
        raise Skipped("it keeps no state")
    failed = next((name for name, one in whole.items() if one.error == NOT_READ), None)
    if failed is None:
        raise Skipped("what it lists comes along in the pages: no stream can fail")
    kept = bool(whole[failed].entry.flags & EntryFlag.SELECTED)
    with room.agent(quiet=True) as (agent, _):
        if kept:
            taken = _taken(room, agent, StateWhy.FIRST, None, why.job)
        else:
            taken = _taken(room, agent, StateWhy.FOUND, witness.states[-1], why.job)
    if taken is not None and failed not in taken.seen:
        text = "it could not be read in the Full, whose state says that it was: no Incremental lists it again"
        room.warn(text, "put_state", failed)


def without_state(room: Room) -> None:
    """An Incremental whose state is lost, or never was: everything, whatever the reason."""
    whole, state, job = _full(room)
    if state is None:
        raise Skipped("it keeps no state")
    for why in (
        StateWhy.FIRST,
        StateWhy.LOST,
        StateWhy.RESTORED,
        StateWhy.FILESET_CHANGED,
        StateWhy.UNNAMED,
        StateWhy.GAP,
    ):
        base = "" if why == StateWhy.UNNAMED else job
        with room.agent() as (agent, _):
            taken = _taken(room, agent, why, None, base)
        if taken is None:
            room.failed(f"BP_E_BASE though no state is given ({why.name}): nothing is left to begin from", "begin")
        else:
            text = f"without a state ({why.name}) an entry is left out"
            _nothing_missing(room, whole, taken.seen, text)


def foreign_state(room: Room) -> None:
    """A state in another format, cut short, and one that it never wrote: BP_E_BASE, or everything."""
    whole, state, job = _full(room)
    if state is None:
        raise Skipped("it keeps no state")
    blob, number = state
    for what, given in (
        ("of a later format", (blob, number + 1000)),
        ("that it never wrote", (_FOREIGN, number)),
        ("of 512 KiB", (b"\0" * (512 << 10), number)),
    ):
        with room.agent(quiet=True) as (agent, _):
            taken = _taken(room, agent, StateWhy.FOUND, given, job)
        if taken is not None:
            missing = [name for name in whole if name not in taken.seen]
            if missing:
                text = f"with a state {what} it lists fewer than without a state: a hole that nobody sees"
                room.failed(text, "begin", missing[0])


def _full(room: Room) -> tuple[dict[bytes, Seen], State | None, str]:
    why = room.why()
    with room.agent(quiet=True) as (agent, witness):
        whole = room.saved_by(agent, why)
    return whole, witness.states[-1] if witness.states else None, why.job


def _taken(room: Room, agent: Agent, why: StateWhy, state: State | None, base_job: str) -> Taken | None:
    """What an Incremental brings; None when the agent says BP_E_BASE."""
    begin = room.why(level=Level.INCREMENTAL, state_why=why, state=state, base_job=base_job)
    try:
        with room.begun(agent, begin) as job:
            seen = {one.name: one for one in walk(job)}
            taken = Taken(seen, job.complete)
            job.commit()
            job.end(Outcome.DONE)
    except AgentError as error:
        if error.code == Status.E_BASE:
            return None
        raise
    return taken


def _nothing_missing(room: Room, whole: dict[bytes, Seen], seen: dict[bytes, Seen], text: str) -> None:
    gone = [name for name, how in differences(whole, seen) if "no more" in how]
    if gone:
        moving = set(gone) - set(room.saved())
        for name in gone:
            if name not in moving:
                room.failed(text, "next_entries", name)
