"""A verify that a Director asks for: it compares with its catalog what it is told, until the end of data."""

from __future__ import annotations

from filed.director.conversation import Conversation
from filed.job.description import NetworkVerify, VerifyLevel
from filed.wire import director as said
from filed.wire import reply
from filed.wire.frame import Signal


def verify(visit: Conversation, command: said.VerifyCommand) -> bool:
    asked = visit.known
    if command.word not in set(VerifyLevel):
        why = f"level {command.word} is not known; there are {', '.join(VerifyLevel)}"
        return visit.refuse(f"verify: {why}", reply.bad_verify(why))
    level = VerifyLevel(command.word)
    if level.reads_volumes and asked.storage is None:
        why = f"level {level} needs a Storage Daemon, which was not named"
        return visit.refuse(f"verify: {why}", reply.bad_verify(why))
    fileset = None if level.reads_volumes else visit.needed_fileset
    visit.note(type="V")
    visit.line.send(reply.OK_VERIFY)
    visit.do(
        NetworkVerify(
            visit.who,
            level,
            visit.facts.setup,
            fileset,
            asked.storage,
            visit.changes.accurate,
            visit.facts.keys,
        )
    )
    return visit.answer(Signal.EOD, goes_on=False)
