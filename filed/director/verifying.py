"""A verify that a Director asks for."""

from __future__ import annotations

from filed.director.conversation import Conversation
from filed.wire import director as said
from filed.wire import reply


def verify(visit: Conversation, command: said.VerifyCommand) -> bool:
    why = f"level {command.word} is not served by this File Daemon"
    return visit.refuse(f"verify: {why}", reply.bad_verify(why))
