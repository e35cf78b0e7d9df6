"""Waiting for a cancel pipe, alone or beside something else."""

from __future__ import annotations

import select


def readable(*descriptors: int, timeout_s: float | None = None) -> set[int]:
    """Which of them hold something, or are at their end. timeout_s: None for ever.

    By poll, since select takes no descriptor above 1023: a daemon of many Jobs has them.
    """
    waiting = select.poll()
    for descriptor in descriptors:
        waiting.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in waiting.poll(None if timeout_s is None else timeout_s * 1000)}
