"""A limit on bytes a second that may change at any moment, also while somebody waits because of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

BURST_S: Final = 0.1
"""What was not used for this long may be made up for; more would be a burst on a line that somebody wants free."""


class Bandwidth:
    """A token bucket. Bytes are told after they were moved, and a debt is waited for before the next ones.

    limit: asked each time; bytes a second, 0 for no limit. clock: monotonic seconds.
    """

    def __init__(self, limit: Callable[[], int], clock: Callable[[], float]) -> None:
        self._limit, self._clock = limit, clock
        self._tokens = 0.0
        self._then = clock()

    @property
    def limited(self) -> bool:
        """Is there a limit now?"""
        return self._limit() > 0

    def portion(self, most: int) -> int:
        """How many of `most` bytes to move in one go: those of about BURST_S, so that a limit does not come in lumps."""
        limit = self._limit()
        return most if limit <= 0 else min(most, max(int(limit * BURST_S), 512))

    def spend(self, count: int) -> None:
        """These bytes were moved."""
        if self._refill() > 0:
            self._tokens -= count

    def wait_s(self) -> float:
        """How long to wait from now before moving more, if the limit stays: 0 for not at all."""
        limit = self._refill()
        return -self._tokens / limit if limit > 0 and self._tokens < 0 else 0.0

    def _refill(self) -> int:
        """Returns the limit of now."""
        now, limit = self._clock(), self._limit()
        if limit <= 0:
            self._tokens = 0.0
        else:
            self._tokens = min(self._tokens + (now - self._then) * limit, limit * BURST_S)
        self._then = now
        return limit
