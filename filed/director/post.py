"""Where a session's messages go beside what it answers, as the daemon around it has it."""

from __future__ import annotations

from typing import Protocol

from filed.director.scripts import Codes
from filed.wire.reply import MessageType


class Post(Protocol):
    """Of one session. codes: what is known of its Job."""

    def goes_to(self, director: str, kind: MessageType) -> bool:
        """Whether messages of this type go to the Director of that name."""

    def deliver(self, kind: MessageType, text: str, codes: Codes) -> None:
        """Hand one message to everybody else. Never raises."""

    def over(self, codes: Codes, *, good: bool) -> None:
        """The Job has ended, and its Director knows. May take its time."""


class ToTheDirector:
    """Everything, and nobody else."""

    def goes_to(self, director: str, kind: MessageType) -> bool:  # noqa: ARG002  the Protocol's signature
        return True

    def deliver(self, kind: MessageType, text: str, codes: Codes) -> None:
        """There is nobody else."""

    def over(self, codes: Codes, *, good: bool) -> None:
        """Nothing was kept."""
