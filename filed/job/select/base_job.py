"""A Full on Base Jobs of a Director: what is as in their list is not sent, but taken over into the Director's catalog."""

from __future__ import annotations

from collections.abc import Iterator

from filed.agents.abi import Entry, EntryType
from filed.catalog import BaseRow
from filed.fileset import Options
from filed.fileset.model import DEFAULT_ACCURATE, DEFAULT_BASEJOB
from filed.job.select.accurate import DiffersFrom


class UponBase(DiffersFrom):
    """A Full on Base Jobs: what is as in their list, by the letters for that, is not sent; its catalog rows come from the list."""

    def _letters(self, entry: Entry, options: Options) -> str:
        """What has no digest is small: directories and links are sent for a new time as well, to come back as they are."""
        letters = options.basejob or DEFAULT_BASEJOB
        return letters if entry.type == EntryType.REGULAR else letters + DEFAULT_ACCURATE

    @property
    def sifts(self) -> bool:
        return False

    def seen(self, row: BaseRow | None) -> None:
        """What counts is whether it is left out."""

    def left_out(self, row: BaseRow | None) -> None:
        super().seen(row)

    def below(self, directory: bytes) -> Iterator[BaseRow]:  # noqa: ARG002  as above
        return iter(())

    def sent_after_all(self, path: bytes) -> None:
        (row,) = self.lookup([path])
        if row is not None:
            self._base.unmark(row.number)

    def deleted(self) -> Iterator[BaseRow]:
        return iter(())

    def taken_over(self) -> Iterator[BaseRow]:
        return self._base.seen()
