"""Which Selection a Director's Job has: by what it sent, if anything."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from filed.job.accurate import base_list
from filed.job.description import Changes
from filed.job.selection import ChangedAfter, DiffersFrom, Everything, Selection


def selection_of(changes: Changes, work: Path, stack: ExitStack) -> Selection:
    """Everything for a Full; by the accurate list when there is one; else by time. Raises JobError for a list of nonsense."""
    if changes.accurate is not None:
        return DiffersFrom(stack.enter_context(base_list(changes.accurate, work)), changes.since)
    if changes.since:
        return ChangedAfter(changes.since)
    return Everything()
