"""A process of the daemon's own that is to be there as long as the daemon is: when it dies, it begins again after a pause that grows."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0  # who has lived so long begins with the first pause again

log = logging.getLogger("filed")


class Attendant:
    """name: as the log has it.  begin: makes the process and returns its pid, or raises OSError.  now: seconds that only rise."""

    def __init__(self, name: str, begin: Callable[[], int], now: Callable[[], float] = time.monotonic) -> None:
        self._name, self._begin, self._now = name, begin, now
        self.pid = 0  # while it is there
        self._began = self._due = now()
        self._pause_s = FIRST_PAUSE_S

    def tend(self) -> None:
        """Begin it, if it is not there and its pause is over."""
        if self.pid or self._now() < self._due:
            return
        self._began = self._now()
        try:
            self.pid = self._begin()
        except OSError as error:
            self.died(f"gets no process: {error.strerror}")

    def patience_s(self) -> float | None:
        """How long `tend` has nothing to do; None while the process is there."""
        return None if self.pid else max(self._due - self._now(), 0.0)

    def left(self) -> None:
        """It has done its part, or does something else now: another begins at once."""
        self.pid, self._pause_s, self._due = 0, FIRST_PAUSE_S, self._now()

    def died(self, how: str) -> None:
        self.pid = 0
        if self._now() - self._began >= LONGEST_PAUSE_S:
            self._pause_s = FIRST_PAUSE_S
        log.error("%s %s; it begins again in %g s", self._name, how, self._pause_s)
        self._due = self._now() + self._pause_s
        self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)
