"""How long to wait for an agent that has "nothing yet, ask again"."""

from __future__ import annotations

from collections.abc import Callable

from filed.errors import JobCanceled
from filed.process.status_page import StatusPage
from filed.process.system import readable

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.01, 0.5


class Patience:
    """One agent's empty pages in a row. Heartbeats, callbacks and `defer` extend it, as for the watchdog."""

    def __init__(
        self, status_page: StatusPage, timeout_s: float, cancel_pipe: int | None, clock: Callable[[], float]
    ) -> None:
        self._status_page, self._timeout_s, self._clock = status_page, timeout_s, clock
        self._cancel_pipe = () if cancel_pipe is None else (cancel_pipe,)
        self._pause_s = 0.0

    def renew(self) -> None:
        """The agent gave an entry."""
        self._pause_s = 0.0

    def wait(self, callbacks_made: int) -> bool:
        """Pauses before the next question; False when the agent's time is up. Raises JobCanceled when the cancel pipe rings.

        callbacks_made: a number that grows with each callback of the agent.
        """
        now = self._clock()
        asked, seconds = self._status_page.deferred
        sign = (self._status_page.progress.heartbeat, callbacks_made, asked)
        if not self._pause_s:
            self._sign, self._until, self._pause_s = sign, now + self._timeout_s, _FIRST_PAUSE_S
        elif sign != self._sign:
            extra = seconds if asked != self._sign[2] else 0
            self._sign, self._until = sign, max(self._until, now + self._timeout_s, now + extra)
        if now > self._until:
            return False
        if readable(*self._cancel_pipe, timeout_s=self._pause_s) or self._status_page.cancel:
            raise JobCanceled("canceled while an agent had nothing to list")
        self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)
        return True
