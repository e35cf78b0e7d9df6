"""The loop over what agents list: page by page, the entries that a Job selects go to who takes them.

    page of entries -> EntryFilter -> content checks -> Taker

A backup and the verify of a disk encode them, an estimate counts them. A page is asked for only when the last one is done with.
"""

from __future__ import annotations

from typing import Protocol

from filed.agents import Page
from filed.catalog import BaseRow
from filed.job.agents.instance import Lister
from filed.job.context import Cancellation, Counters
from filed.job.select.chosen import Chosen
from filed.job.select.entry_filter import EntryFilter


class Taker(Protocol):
    """What becomes of the entries that a Job selects."""

    def deleted(self, row: BaseRow) -> None:
        """The base has it, and it is gone."""

    def passed_over(self, item: Chosen) -> None:
        """An unchanged name of an inode: it is sent after all when another name of the inode is."""

    def unchanged(self, lister: Lister, chosen: list[Chosen]) -> set[int]:
        """The cookies of those whose content passes its check, and is that of the base."""

    def take(self, lister: Lister, page: Page, chosen: list[Chosen]) -> None:
        """The entries of one page that are wanted."""

    def finish(self) -> None:
        """The instance has listed all."""


class Listing:
    """What the instances of one Job list, one after the other."""

    def __init__(self, entry_filter: EntryFilter, taker: Taker, counters: Counters, cancellation: Cancellation) -> None:
        self._filter, self._taker = entry_filter, taker
        self._counters, self._cancellation = counters, cancellation

    def instance(self, lister: Lister) -> None:
        taker, entry_filter = self._taker, self._filter
        named = 0
        while (page := lister.job.next_page()) is not None:
            named += len(page)
            choice = entry_filter.page(lister, page)
            for row in choice.deleted:
                taker.deleted(row)
            for item in choice.passed_over:
                taker.passed_over(item)
            if to_check := entry_filter.to_check(choice.chosen):
                choice = entry_filter.checked(choice.chosen, taker.unchanged(lister, to_check))
                for item in choice.passed_over:
                    taker.passed_over(item)
            if choice.chosen:
                taker.take(lister, page, choice.chosen)
            self._counters.show()
            self._cancellation.check()
        taker.finish()
        entry_filter.listed(lister, named)

    def deletions(self) -> None:
        """After the last instance: what the base has and nobody saw."""
        for row in self._filter.deletions():
            self._taker.deleted(row)
