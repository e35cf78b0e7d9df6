"""Sealed states of agents: where each instance of an agent stood when a Job had saved everything.

A state belongs to exactly one Job and is found again by that Job's unique name alone: never by time, never the nearest
one. An agent that gets a wrong state would leave a hole nobody sees before a restore; without one it saves too much.

A copy of each state goes out to the Volume as a restore object, so that a rebuild finds it, and a person too.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from filed.catalog.database import Database
from filed.catalog.job import Level
from filed.wire.attributes import FileType
from filed.wire.restore_object import MAX_PACKET_BYTES, RestoreObject, pack_restore_object

OBJECT_NAME: Final = b"filed-state"
"""Name of the restore objects that hold a state; not for the agent's own eyes."""

_HEAD: Final = b"filed-state 1\n"
NAMED_FULLS: Final = 2
"""A Director may fail a Job after it was sealed here, and go on naming the one before."""


class StateWhy(IntEnum):
    """What an agent is told about the state it gets; the numbers are those of the agents' header."""

    NONE = 0  # a Full: no base is wanted
    FOUND = 1
    FIRST = 2  # nothing was ever sealed for this instance
    LOST = 3  # others were, but not by the Job named; or what it sealed is damaged
    RESTORED = 4  # the service was restored since: what the state refers to is another past
    FILESET_CHANGED = 5
    UNNAMED = 6  # the Director did not say which Job is the base


@dataclass(frozen=True, slots=True)
class SealedState:
    """What an agent's instance put. instance: the `Plugin =` line, "" for `File =`; format: the agent's own number.

    watermark: how far back it reaches in the agent's own numbers; 0: it did not say.
    """

    agent: str
    instance: str
    format: int
    blob: bytes
    watermark: int = 0

    @property
    def digest(self) -> bytes:
        """Of the state and of whose it is: what is read again is what was sealed, or it is not given to anybody."""
        whose = json.dumps([self.agent, self.instance, self.format]).encode()
        return hashlib.sha256(whose + b"\0" + self.blob).digest()


@dataclass(frozen=True, slots=True)
class Seal:
    """What states are sealed with. director: "" for this catalog's own Jobs; job: unique name; sealed: epoch seconds."""

    director: str
    job: str
    name: str
    level: str
    fileset_digest: str
    sealed: int


@dataclass(frozen=True, slots=True)
class FoundState:
    """state is there if `why` is FOUND."""

    why: StateWhy
    state: SealedState | None = None
    confirmed: bool = False


def seal(connection: sqlite3.Connection, by: Seal, states: Iterable[SealedState]) -> None:
    """Write the states of a Job, in a transaction of the caller, and drop those no Job can ask for any more."""
    for state in states:
        connection.execute(
            "INSERT OR REPLACE INTO agent_state"
            " (director, job, name, agent, instance, fileset_digest, level, format, blob, digest, sealed, watermark)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                by.director,
                by.job,
                by.name,
                state.agent,
                state.instance,
                by.fileset_digest,
                by.level,
                state.format,
                state.blob,
                state.digest,
                by.sealed,
                state.watermark,
            ),
        )
        if by.director and by.level == Level.FULL:
            _drop_old(connection, by, state)


def _drop_old(connection: sqlite3.Connection, by: Seal, state: SealedState) -> None:
    # All from the second newest Full on are kept: a Director may fail a Job after it was sealed here, and go on
    # naming the one before. Our own Jobs take their states along when they are pruned.
    connection.execute(
        "DELETE FROM agent_state WHERE director = ?1 AND name = ?2 AND agent = ?3 AND instance = ?4 AND state_id <"
        " (SELECT state_id FROM agent_state WHERE director = ?1 AND name = ?2 AND agent = ?3 AND instance = ?4"
        " AND level = 'F' ORDER BY state_id DESC LIMIT 1 OFFSET 1)",
        (by.director, by.name, state.agent, state.instance),
    )


def find_state(
    database: Database, base_job: str, agent: str, instance: str, fileset_digest: str, *, director: str = ""
) -> FoundState:
    """What `agent` gets when a new Job builds on `base_job` (its unique name, "" when nobody named one)."""
    if base_job:
        row = database.one(
            "SELECT fileset_digest, restored, confirmed, format, blob, digest, watermark FROM agent_state"
            " WHERE director = ? AND job = ? AND agent = ? AND instance = ?",
            (director, base_job, agent, instance),
        )
        if row is not None:
            fileset, restored, confirmed, number, blob, digest, watermark = row
            if restored:
                return FoundState(StateWhy.RESTORED)
            if fileset != fileset_digest:
                return FoundState(StateWhy.FILESET_CHANGED)
            state = SealedState(agent, instance, number, blob, watermark)
            if digest and digest != state.digest:  # without one it was sealed before there were any
                return FoundState(StateWhy.LOST)
            return FoundState(StateWhy.FOUND, state, bool(confirmed))
    any_row = database.one(
        "SELECT 1 FROM agent_state WHERE director = ? AND agent = ? AND instance = ? LIMIT 1",
        (director, agent, instance),
    )
    if any_row is None:
        return FoundState(StateWhy.FIRST)
    return FoundState(StateWhy.LOST if base_job else StateWhy.UNNAMED)


def keep_from(database: Database, agent: str, instance: str, *, director: str = "") -> int:
    """The lowest watermark of the states that a Job may still name: those from the second newest Full on. 0: one has none."""
    rows = database.connection.execute(
        "SELECT name, level, watermark FROM agent_state WHERE director = ? AND agent = ? AND instance = ? AND restored = 0"
        " ORDER BY state_id DESC",
        (director, agent, instance),
    )
    fulls: Counter[str] = Counter()
    lowest: int | None = None
    for name, level, watermark in rows:
        if fulls[name] == NAMED_FULLS:
            continue
        fulls[name] += level == Level.FULL
        lowest = watermark if lowest is None else min(lowest, watermark)
    return lowest or 0


def mark_restored(database: Database, agent: str, instance: str | None = None, *, director: str = "") -> int:
    """After a restore: no state sealed so far is good for this instance (None: all of the agent's). Returns how many."""
    which = "" if instance is None else " AND instance = ?"
    parameters = (director, agent) if instance is None else (director, agent, instance)
    with database.durable() as connection:
        return connection.execute(
            f"UPDATE agent_state SET restored = 1 WHERE director = ? AND agent = ?{which} AND restored = 0",  # noqa: S608 - a constant
            parameters,
        ).rowcount


def mark_confirmed(database: Database, job: str, agent: str, instance: str, *, director: str = "") -> None:
    """The agent was told that `job` is in the Director's catalog."""
    with database.durable() as connection:
        connection.execute(
            "UPDATE agent_state SET confirmed = 1 WHERE director = ? AND job = ? AND agent = ? AND instance = ?",
            (director, job, agent, instance),
        )


def state_object(file_index: int, state: SealedState) -> RestoreObject:
    """The copy for the Volume: a line of JSON that says whose it is, then the blob as it is."""
    about: dict[str, str | int] = {"agent": state.agent, "instance": state.instance, "format": state.format}
    if state.watermark:
        about["watermark"] = state.watermark
    head = json.dumps(about)
    content = _HEAD + head.encode() + b"\n" + state.blob
    command = state.agent.encode(errors="surrogateescape") + b":" + OBJECT_NAME
    return RestoreObject(file_index, FileType.RESTORE_FIRST, 0, command, OBJECT_NAME, content)


def fits(state: SealedState) -> bool:
    """Can it be sealed: has the copy for the Volume room in a packet of the network, compressed?"""
    if len(state.blob) < MAX_PACKET_BYTES // 2:
        return True
    return len(pack_restore_object(state_object(1, state))) <= MAX_PACKET_BYTES


def state_of(item: RestoreObject) -> SealedState | None:
    """The inverse of `state_object`; None for any other restore object."""
    if item.name != OBJECT_NAME or not item.content.startswith(_HEAD):
        return None
    head, end, blob = item.content[len(_HEAD) :].partition(b"\n")
    try:
        known = json.loads(head)
        if not end or not isinstance(known, dict):
            return None
        agent, instance = str(known["agent"]), str(known["instance"])
        return SealedState(agent, instance, int(known["format"]), blob, int(known.get("watermark", 0)))
    except (ValueError, TypeError, KeyError, OverflowError):
        return None
