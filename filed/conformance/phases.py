"""Checks of an agent that can be prepared: the order of a Job with several agents, and a release that comes from elsewhere."""

from __future__ import annotations

from filed.agents import Outcome, Release
from filed.conformance.room import Room, Skipped
from filed.conformance.walk import differences, walk


def phases(room: Room) -> None:
    """prepare, begin, release, then all is read; prepared and released without a Job; released by another instance."""
    before = room.saved()
    with room.agent() as (agent, witness):
        if agent.hold_s is None:
            raise Skipped("it has no phases")
        agent.prepare()
        with room.begun(agent, room.why()) as job:
            agent.release(Release.BEGUN)
            seen = {one.name: one for one in walk(job)}
            job.commit()
            job.end(Outcome.DONE)
        if witness.held:
            agent.release(Release.LEFT, witness.held)
    for name, how in differences(before, seen):
        room.failed(f"prepared, begun and released: an entry {how} than in an ordinary Full", "release", name)
    with room.agent() as (agent, _):
        agent.prepare()
        agent.release(Release.FAILED)
    with room.agent() as (agent, witness):
        agent.prepare()
        token = witness.held
    if not token:
        room.note("it holds nothing that outlives its process, or says nothing of it")
        return
    with room.agent() as (agent, _):
        for _again in range(2):
            agent.release(Release.LEFT, token)
        agent.prepare()
        agent.release(Release.FAILED)
