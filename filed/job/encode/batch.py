"""Entries as fetched, whose small contents a worker may be compressing."""

from __future__ import annotations

from filed.agents import Page
from filed.job.agents.instance import Lister
from filed.job.encode.options_plan import DATA_BIT, OptionsPlan
from filed.job.select.chosen import FAILED, Chosen
from filed.pipeline.workers import Slot
from filed.wire.stream import Buffer


class Batch:
    """plans: of the options of each entry."""

    def __init__(self, lister: Lister, page: Page, chosen: list[Chosen], plans: list[OptionsPlan]) -> None:
        self.lister, self.page, self.chosen, self.plans = lister, page, chosen, plans
        self._ahead: list[tuple[list[int], Slot[list[Buffer]]]] = []
        self.needs_agent = any(
            entry.streams & DATA_BIT and not entry.inline_off for entry in page.entries if not entry.flags & FAILED
        )

    def pack_ahead(self) -> None:
        """Hand the small contents to a worker, those of each plan in one task."""
        places: dict[int, list[int]] = {}
        for place, (entry, plan) in enumerate(zip(self.page.entries, self.plans, strict=True)):
            small = 0 < entry.inline_len <= plan.encoder.plan.chunk_bytes
            if small and entry.nlink <= 1:  # another name of an inode may need no data
                places.setdefault(id(plan), []).append(place)
        for those in places.values():
            contents = [self.page.inline(self.page.entries[place]) for place in those]
            slot = self.plans[those[0]].encoder.ahead([content for content in contents if content is not None])
            if slot is not None:
                self._ahead.append((those, slot))

    def packed(self) -> list[Buffer | None]:
        """The compressed content of each entry, None where it is not done ahead. Waits for the workers."""
        found: list[Buffer | None] = [None] * len(self.chosen)
        for places, slot in self._ahead:
            for place, content in zip(places, slot.wait(), strict=True):
                found[place] = content
        return found
