"""Which messages of a Job go to its Director: what the conf's Messages resource says."""

from __future__ import annotations

from filed.config import FileDaemonConf
from filed.config.messages import Messages, Target
from filed.wire.reply import MessageType


def goes_to(conf: FileDaemonConf, director: str, kind: MessageType) -> bool:
    """Whether a type of message goes to the Director of that name. Without a Messages resource every type does.

    The Director decides by them whether a Job was good, so that errors always go.
    """
    messages = _messages(conf)
    if messages is None or kind in (MessageType.FATAL, MessageType.ERROR):
        return True
    return any(
        kind.value in destination.types
        for destination in messages.destinations
        if destination.target is Target.DIRECTOR and director in destination.where
    )


def _messages(conf: FileDaemonConf) -> Messages | None:
    """The one that the FileDaemon names, else the first."""
    for each in conf.messages:
        if not conf.file_daemon.messages or each.name == conf.file_daemon.messages:
            return each
    return None
