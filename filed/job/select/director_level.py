"""From the level of a Director's Job to what it compares with: what the Director sent."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path

from filed.job.description import Changes, ListMeaning
from filed.job.select.accurate import DiffersFrom, NotSentBefore
from filed.job.select.accurate_list import base_list
from filed.job.select.base_job import UponBase
from filed.job.select.changed_since import ChangedAfter
from filed.job.select.selection import Everything, Selection


def selection_by_director(changes: Changes, work: Path, stack: ExitStack) -> Selection:
    """Everything for a Full; by the list when there is one; else by time. Raises JobError for a list of nonsense.

    The list of an incomplete Full has what its Base Jobs hold among what was sent, and nobody can tell the two apart; taken for sent, the
    files of the Base would be missing. Then it is longer than what was sent, and everything is sent again.
    """
    if changes.accurate is None:
        return ChangedAfter(changes.since) if changes.since else Everything()
    listed = stack.enter_context(closing(base_list(changes.accurate, work)))
    match changes.meaning:
        case ListMeaning.BASE:
            return UponBase(listed, changes.since)
        case ListMeaning.SENT:
            return NotSentBefore(listed, changes.since) if len(listed) <= changes.sent else Everything()
        case ListMeaning.TREE:
            return DiffersFrom(listed, changes.since, attribute_updates=changes.attribute_updates)
