"""The base of a backup out of the catalog: asked path by path as long as few are asked for, then copied into a list.

A Job with a change journal asks for the hundred names that changed; copying a million entries to answer took all of its time. One that
walks asks for all of them, and an answer out of a chain of thirty Jobs costs thirty searches: for that the list is made, once.
A running Job's chain is never pruned, so both are the same tree.
"""

# ruff: noqa: S608 - the statements are joined from constants

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Final, Self

from filed.catalog.base_list import PAGE_PATHS, BaseList, BaseRow
from filed.catalog.database import Database
from filed.catalog.job import Job
from filed.catalog.tree import FILE_COLUMNS, tree_below
from filed.wire.attributes import FileType

COPIED_BY_A_SEARCH: Final = 8
"""Entries that are copied in the time of one search for a path in one Job, generously: 5 us and 0.8 us."""

SEARCHES_LEAST: Final = PAGE_PATHS
FOUND_MOST: Final = 4_000
"""A list is a file: some milliseconds. Paths that were found are kept in memory beside it: with 20,000, a Job of a million had 20 % more."""

_OF_FILE: Final = ", ".join(f"file.{name}" for name in FILE_COLUMNS.split(", "))
_DELETED: Final = int(FileType.DELETED)


class BaseOfChain:
    """As a `BaseList` of this chain (the oldest Job first). Numbers of rows are negative as long as there is no list."""

    def __init__(self, database: Database, chain: Sequence[Job], searches: int | None = None) -> None:
        """searches: of how many paths, before the list is made; None is what pays."""
        self._database = database
        self._jobs = [job.job_id for job in chain]
        self._list: BaseList | None = None
        self._found: list[bytes] = []
        self._seen: set[bytes] = set()
        self._left = what_pays(chain) if searches is None else searches

    def lookup(self, paths: Sequence[bytes]) -> list[BaseRow | None]:
        """The entry of each path, in their order."""
        self._left -= len(paths)
        if self._left < 0:
            return self._whole().lookup(paths)
        found: list[BaseRow | None] = []
        for start in range(0, len(paths), PAGE_PATHS):
            found += self._search(paths[start : start + PAGE_PATHS])
        return found

    def _search(self, paths: Sequence[bytes]) -> list[BaseRow | None]:
        if not paths:
            return []
        found: list[BaseRow | None] = [None] * len(paths)
        places = ", ".join(f"({place}, ?)" for place in range(len(paths)))
        ages = ", ".join(f"({age}, {job_id})" for age, job_id in enumerate(self._jobs))
        for place, *row in self._database.rows(
            f"WITH wanted (place, path) AS (VALUES {places}), chain (age, job_id) AS (VALUES {ages})"
            f" SELECT wanted.place, {_OF_FILE} FROM wanted CROSS JOIN chain"
            " CROSS JOIN file ON file.job_id = chain.job_id AND file.path = wanted.path ORDER BY chain.age",
            paths,
        ):
            found[place] = self._row(row)  # the last is the newest
        return [None if row is None or row.type == _DELETED else row for row in found]

    def _row(self, row: Iterable[Any]) -> BaseRow:
        made = BaseRow(~len(self._found), *row)
        self._found.append(made.path)
        return made

    def mark_seen(self, number: int) -> None:
        """The walk has met this entry: it was not deleted."""
        if number >= 0:
            self._whole().mark_seen(number)
        elif self._list is None:
            self._seen.add(self._found[~number])
        else:
            _mark(self._list, [self._found[~number]])

    def unseen(self, failed: Iterable[bytes] = ()) -> Iterator[BaseRow]:
        """Entries the walk did not meet, in the order of paths. failed: as of `BaseList.unseen`."""
        return self._whole().unseen(failed)

    def below(self, path: bytes) -> Iterator[BaseRow]:
        """Entries below a directory that the walk did not meet, in the order of paths. path: ends in a slash."""
        if self._list is None:
            for row in tree_below(self._database, self._jobs, path):
                if row.path in self._seen:
                    continue
                if len(self._found) >= FOUND_MOST:
                    break
                yield self._row(row)
            else:
                return
        yield from self._whole().below(path)

    def command(self, row: BaseRow) -> bytes | None:
        """The text of the plugin-name record that an entry was saved under, b"" for plain files; None when it is not known."""
        if not row.plugin_id:
            return b""
        known = self._database.one("SELECT command FROM plugin WHERE plugin_id = ?", (row.plugin_id,))
        return bytes(known[0]) if known else None

    def _whole(self) -> BaseList:
        if self._list is None:
            self._list = BaseList.of_chain(self._database, self._jobs)
            _mark(self._list, sorted(self._seen))
            self._seen.clear()
            self._database.all("PRAGMA shrink_memory")  # the list has a cache of its own
        return self._list

    def close(self) -> None:
        if self._list is not None:
            self._list.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def what_pays(chain: Sequence[Job]) -> int:
    """How many paths can be searched for in an eighth of the time that the list takes."""
    most = sum(job.files for job in chain) // (COPIED_BY_A_SEARCH * len(chain) * 8)
    return max(SEARCHES_LEAST, min(most, FOUND_MOST))


def _mark(base: BaseList, paths: Sequence[bytes]) -> None:
    for row in base.lookup(paths):
        if row is not None:
            base.mark_seen(row.number)
