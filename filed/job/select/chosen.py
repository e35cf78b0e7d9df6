"""An entry of an agent's page that a Job has selected."""

from __future__ import annotations

from dataclasses import dataclass

from filed.agents import Entry
from filed.agents.abi import EntryFlag, EntryType
from filed.catalog import BaseRow
from filed.fileset import Options
from filed.job.select.selection import ContentCheck

FAILED = int(EntryFlag.FAILED)  # a plain int: an IntFlag in `&` costs a microsecond an entry


@dataclass(slots=True)
class Chosen:
    """With its stored path, and the options that the FileSet has for it.

    check: it is sent only if its content is another one than that of the base's row; if it is wanted anyway, else without its content.
    """

    entry: Entry
    path: bytes
    options: Options
    row: BaseRow | None = None
    check: ContentCheck | None = None
    wanted: bool = True

    @property
    def without_content(self) -> bool:
        """Whether its attributes are sent alone, once it is checked."""
        return self.wanted and self.check is not None


def stored_path(name: bytes, kind: int) -> bytes:
    """The name as Volume and catalog have it: a directory ends in a slash."""
    return name + b"/" if kind == EntryType.DIRECTORY and not name.endswith(b"/") else name
