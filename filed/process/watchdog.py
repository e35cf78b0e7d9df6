"""When has an agent been silent for too long?"""

from __future__ import annotations

from collections.abc import Mapping

from filed.process.status_page import Progress, StatusPage


class Watchdog:
    """Watches one Job's status page from its parent. Only time inside one agent call counts.

    The parent calls `expired(now)` every second or so, `now` from one monotonic clock. Progress is a heartbeat, a
    callback or a return; `defer` grants its seconds from when it is seen. timeouts_s: of agents, by id, that have their own.
    """

    def __init__(
        self, status_page: StatusPage, timeout_s: float, now: float, timeouts_s: Mapping[str, float] | None = None
    ) -> None:
        self._status_page, self._timeout_s, self._timeouts_s = status_page, timeout_s, timeouts_s or {}
        self._last: Progress = status_page.progress
        self._since = now
        self._deferred, _ = status_page.deferred
        self._deferred_until = now

    def silent_s(self, now: float) -> float:
        """Seconds since the agent last showed progress; 0 while none of its calls is in progress."""
        progress = self._status_page.progress
        if not progress.calling or progress != self._last:
            self._last, self._since = progress, now
        asked, seconds = self._status_page.deferred
        if asked != self._deferred:
            self._deferred, self._deferred_until = asked, now + seconds
        return now - self._since

    def expired(self, now: float) -> bool:
        return self.silent_s(now) > self._allowed_s() and now > self._deferred_until

    def _allowed_s(self) -> float:
        current = self._status_page.current() if self._timeouts_s else None
        agent = current.agent.partition(" ")[0] if current else ""
        return self._timeouts_s.get(agent, self._timeout_s)
