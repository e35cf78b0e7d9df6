"""What a Job has chosen of one instance's page, and the small contents of it that are compressed ahead."""

from __future__ import annotations

from dataclasses import dataclass

from filed.agents import AgentJob, Entry, Page
from filed.agents.abi import AgentStream, EntryFlag
from filed.fileset.match import Matcher
from filed.job.encode.options_plan import OptionsPlan
from filed.job.select.changed_since import BaseRow, Doubt
from filed.pipeline.workers import Slot
from filed.wire.stream import Buffer

# Plain ints: an IntFlag in `&` costs a microsecond an entry.
FAILED, SELECTED = int(EntryFlag.FAILED), int(EntryFlag.SELECTED)
DATA_BIT = 1 << AgentStream.DATA


@dataclass(slots=True)
class Lister:
    """One agent's instance as this room sees it.

    command: the text of its plugin-name records, b"" for plain files.  prefixes: all its names are at or below these.
    unsaved: the first entry that it chose by its own numbers and that could not be saved; b"": there is none.
    """

    job: AgentJob
    matcher: Matcher
    command: bytes
    prefixes: tuple[bytes, ...]
    unsaved: bytes = b""

    def not_saved(self, listed: Entry, path: bytes) -> None:
        """An entry, as its page had it, failed."""
        if listed.flags & SELECTED and not self.unsaved:
            self.unsaved = path


@dataclass(slots=True)
class Chosen:
    """An entry that is to be sent, with its stored path. doubt: only if its content is another one than that of the base's row."""

    entry: Entry
    path: bytes
    options_plan: OptionsPlan
    row: BaseRow | None = None
    doubt: Doubt | None = None


class Batch:
    """Entries as fetched, whose small contents a worker may be compressing."""

    def __init__(self, lister: Lister, page: Page, chosen: list[Chosen]) -> None:
        self.lister, self.page, self.chosen = lister, page, chosen
        self._ahead: list[tuple[list[int], Slot[list[Buffer]]]] = []
        self.needs_agent = any(
            entry.streams & DATA_BIT and not entry.inline_off for entry in page.entries if not entry.flags & FAILED
        )

    def pack_ahead(self) -> None:
        """Hand the small contents to a worker, those of each Keeping in one task."""
        places: dict[int, list[int]] = {}
        for place, (entry, item) in enumerate(zip(self.page.entries, self.chosen, strict=True)):
            small = 0 < entry.inline_len <= item.options_plan.encoder.plan.chunk_bytes
            if small and entry.nlink <= 1:  # another name of an inode may need no data
                places.setdefault(id(item.options_plan), []).append(place)
        for those in places.values():
            contents = [self.page.inline(self.page.entries[place]) for place in those]
            slot = self.chosen[those[0]].options_plan.encoder.ahead(
                [content for content in contents if content is not None]
            )
            if slot is not None:
                self._ahead.append((those, slot))

    def packed(self) -> list[Buffer | None]:
        """The compressed content of each entry, None where it is not done ahead. Waits for the workers."""
        found: list[Buffer | None] = [None] * len(self.chosen)
        for places, slot in self._ahead:
            for place, content in zip(places, slot.wait(), strict=True):
                found[place] = content
        return found
