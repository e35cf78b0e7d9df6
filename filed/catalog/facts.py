"""What a Job's session labels have no room for, as a restore object on its Volume.

With it a rebuilt catalog knows each Job's base, FileSet and times as the lost one did; without it the base is chosen
again by the rules for new Jobs, and the FileSet's text is empty.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Final

from filed.wire.attributes import FileType
from filed.wire.restore_object import RestoreObject

OBJECT_NAME: Final = b"filed-job"
_COMMAND: Final = b"filed:job"
_TEXTS: Final = frozenset({"base", "fileset_text", "fileset_digest"})


@dataclass(frozen=True, slots=True)
class JobFacts:
    """start, since: epoch seconds. base: the unique name of the Job it builds on, "" for a Full.

    fileset_digest: "" when the session label has it.
    """

    start: int
    since: int
    base: str
    fileset_text: str
    read_bytes: int = 0
    fileset_digest: str = ""
    encrypted: int = 0


def facts_object(file_index: int, facts: JobFacts) -> RestoreObject:
    """The last item of a Job, so that it can say `read_bytes`."""
    content = json.dumps(asdict(facts), ensure_ascii=True).encode()
    return RestoreObject(file_index, FileType.RESTORE_FIRST, 0, _COMMAND, OBJECT_NAME, content)


def facts_of(item: RestoreObject) -> JobFacts | None:
    """The inverse of `facts_object`; None for any other restore object, and for one that is damaged."""
    if item.name != OBJECT_NAME or item.command != _COMMAND:
        return None
    try:
        known = json.loads(item.content)
        values = {field.name: known[field.name] for field in fields(JobFacts) if field.name in known}
    except (ValueError, TypeError):
        return None
    if not all(isinstance(value, str if name in _TEXTS else int) for name, value in values.items()):
        return None
    try:
        return JobFacts(**values)
    except TypeError:  # one is missing
        return None
