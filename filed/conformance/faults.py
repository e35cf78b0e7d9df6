"""A host whose callbacks fail, one after the other: the agent gives up in that call, and is ended in order."""

from __future__ import annotations

from filed.agents import Agent, Status
from filed.conformance.room import Room, Skipped
from filed.conformance.witness import NO_VERDICT, Injected
from filed.errors import AgentError, FiledError

_BINDING = {"match", "put_state", NO_VERDICT}  # their answers decide what is saved; the others may be ignored
_GIVEN_UP = {Status.E_HOST, Status.E_CANCELLED}  # the cancel word is set with the fault


def faulty(room: Room, callback: str) -> None:
    """`callback` fails with BP_E_HOST from its first call on; or, for NO_VERDICT, says OK and no verdict."""
    witness = room.witness(callback)
    made: list[Agent] = []
    error: FiledError | None = None
    try:
        with room.agent(witness=witness, quiet=True) as (agent, _):
            made.append(agent)
            room.saved_by(agent, room.why())
    except AgentError as raised:
        error = raised
    name = "match" if callback == NO_VERDICT else callback
    if not witness.failed_in:
        if error is not None:
            raise error
        raise Skipped(f"it does not call {name} in a backup")
    answer = _answer(made, error, callback)
    what = "match that gave no verdict" if callback == NO_VERDICT else f"{name} that answered BP_E_HOST"
    call = witness.failed_in
    if callback in _BINDING and answer >= 0:
        room.failed(f"it went on after a {what}: {call} returned {answer}", call)
    elif callback in _BINDING and answer not in _GIVEN_UP:
        room.warn(f"after a {what} {call} returned {answer}, not BP_E_HOST: the message will blame the agent", call)
    elif callback != NO_VERDICT and (error is None or not isinstance(error.__cause__, Injected)):
        raise error or AssertionError("the host lost its own fault")
    room.note(
        f"{witness.calls[name]} calls of {name}, the first in {call}, which returned {answer}; then it was ended in order"
    )


def _answer(made: list[Agent], error: FiledError | None, callback: str) -> int:
    """What the agent's call returned in which the fault was made."""
    if callback == NO_VERDICT:
        return error.code if isinstance(error, AgentError) else Status.OK
    answer = made[0].answer_to_fault if made else None
    return Status.E_HOST if answer is None else answer
