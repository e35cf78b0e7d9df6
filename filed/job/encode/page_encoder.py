"""Selected entries, page by page: fetched from their agent, and encoded while the next ones are.

selected entries of a page -> fetch -> EntryEncoder
"""

from __future__ import annotations

from filed.agents import Page, Want
from filed.job.agents.instance import Lister
from filed.job.encode.batch import Batch
from filed.job.encode.content_digest import ContentDigests
from filed.job.encode.entry_encoder import EntryEncoder
from filed.job.encode.options_plan import OptionsPlan, OptionsPlans
from filed.job.select.chosen import Chosen
from filed.job.select.hard_links import HardLinks, shared_inode


class PageEncoder:
    """A Taker of a listing. entries: makes the records of what was fetched."""

    def __init__(self, entries: EntryEncoder, plans: OptionsPlans, links: HardLinks, digests: ContentDigests) -> None:
        self._entries, self._plans, self._links, self._digests = entries, plans, links, digests
        self.deleted, self.passed_over = entries.deleted, entries.passed_over
        self._batch: Batch | None = None

    @property
    def sent(self) -> int:
        """How many entries have gone out, or will."""
        return self._entries.sent + (len(self._batch.chosen) if self._batch is not None else 0)

    def unchanged(self, lister: Lister, chosen: list[Chosen]) -> set[int]:
        self.finish()  # its streams must be read before the agent is asked for more
        return self._digests.same(lister, chosen)

    def take(self, lister: Lister, page: Page, chosen: list[Chosen]) -> None:
        plans = [self._plans.of(item.options) for item in chosen]
        if not lister.job.fetches:
            entries = ((item.entry, item, plan) for item, plan in zip(chosen, plans, strict=True))
            self._entries.ahead(lister, page, entries)
            for item, plan in zip(chosen, plans, strict=True):
                self._entries.item(lister, page, item.entry, item, plan, None)
            self._entries.ahead_done()
            return
        wants = [
            Want(item.entry.cookie, self._streams(item, plan), plan.want_options)
            for item, plan in zip(chosen, plans, strict=True)
        ]
        done = 0
        while done < len(chosen):
            fetched = lister.job.fetch(wants[done:])
            end = done + len(fetched)
            batch = Batch(lister, fetched, chosen[done:end], plans[done:end])
            done = end
            batch.pack_ahead()
            self.finish()
            self._batch = batch
        if self._batch is not None and self._batch.needs_agent:
            self.finish()  # its streams must be read before the agent is asked for more

    def finish(self) -> None:
        """Send the entries fetched last. One batch lags behind: it is compressed while the next is fetched."""
        batch, self._batch = self._batch, None
        if batch is None:
            return
        self._entries.ahead(batch.lister, batch.page, zip(batch.page.entries, batch.chosen, batch.plans, strict=True))
        for entry, item, plan, content in zip(
            batch.page.entries, batch.chosen, batch.plans, batch.packed(), strict=True
        ):
            self._entries.item(batch.lister, batch.page, entry, item, plan, content)
        self._entries.ahead_done()

    def _streams(self, chosen: Chosen, plan: OptionsPlan) -> int:
        """What is wanted of an entry; nothing of a further name of an inode that this Job has saved, or of new attributes alone."""
        if chosen.without_content:
            return 0
        entry = chosen.entry
        inode = shared_inode(entry, chosen.options) if entry.nlink > 1 else None
        if inode is not None and self._links.first(inode) is not None:
            return 0
        return plan.streams(entry)
