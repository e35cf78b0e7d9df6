"""Checks of the library itself: what it says about itself, whom it refuses, and instances without a Job."""

from __future__ import annotations

import ctypes

from filed.agents import Agent, Feature, ProcessState, Status
from filed.agents.abi import HOST_MAX, HOST_MIN, OptionFlag, QueryFn, version, version_text
from filed.agents.load import query_function
from filed.conformance.room import Room
from filed.errors import AgentError
from filed.process.status_page import Call

_UNKNOWN = b"no.such.table/1"


def load(room: Room) -> None:
    """The query is pure, and refuses hosts that it cannot work with."""
    before = ProcessState.now()
    library = room.library
    changed = before.difference(ProcessState.now())
    if changed:
        room.failed(f"loading it changed {changed} of the process", "load")
    about = library.descriptor
    query = QueryFn(query_function(about.id, library.path, library.handle))
    first = query(HOST_MIN, HOST_MAX)
    if query(HOST_MIN, HOST_MAX) != first:
        room.failed("the query answers two equal questions with two descriptors: it has to be pure", "query")
    for low, high in ((0, about.min_version - 1), (about.max_version + 1, version(99, 0))):
        if query(low, high):
            hosts = f"{version_text(low)} to {version_text(high)}"
            room.failed(f"it does not refuse a host that speaks versions {hosts}", "query")
    for low, high in ((HOST_MIN, version(1, 999)), (0, about.min_version), (about.max_version, version(99, 0))):
        if not query(low, high):
            hosts = f"{version_text(low)} to {version_text(high)}"
            room.failed(f"it refuses a host that speaks versions {hosts}, its own among them", "query")
    if about.header > HOST_MAX and about.min_version > HOST_MIN:
        room.note(f"it does not run on hosts of {version_text(HOST_MIN)}: BP_TARGET_VERSION may help")
    if Feature.PLAIN_FILES in about.features and about.can_restore and about.id != "filesystem":
        room.warn(
            "it has BP_FEATURE_PLAIN_FILES and restore calls, which are never made: the agent filesystem restores its entries",
            "query",
        )
    for spec in about.options:
        if not spec.help:
            room.warn(f"its option {spec.key} has no help", "query")
        if spec.flags & OptionFlag.SECRET and spec.initial:
            room.failed(f"its secret option {spec.key} has an initial value, which everybody can read", "query")
    room.note(str(library))


def instance(room: Room) -> None:
    """create, option, ready, destroy, three times over; and a table that no agent has."""
    for _ in range(3):
        with room.agent() as (agent, _witness):
            said = unknown_extension(agent)
            if said:
                room.failed(said, "extension")
    if not room.library.api.extension:
        room.note("it has no extension call")


def unknown_extension(agent: Agent) -> str:
    """Asks for a table that no agent has. What is wrong with the answer; "" for nothing."""
    function = agent.library.api.extension
    if not function:
        return ""
    memory = ctypes.create_string_buffer(8)
    out = ctypes.c_void_p(ctypes.addressof(memory))  # an address that is no answer
    before = out.value
    try:
        agent.caller.call(Call.extension, function, agent.address, _UNKNOWN, ctypes.addressof(out))
    except AgentError as error:
        if error.code != Status.E_UNSUPPORTED:
            raise
    if out.value == before:
        return "*out was left alone: NULL has to be written for a table that it does not have"
    return "it gave a table for a name that nobody has" if out.value else ""
