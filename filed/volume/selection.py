"""Which FileIndexes of a session are wanted."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

MAX_FILE_INDEX = 0x7FFF_FFFF


class FileIndexes:
    """A set of FileIndexes as disjoint ranges: small for a restore of everything, and quick to ask about a block.

    ranges: (first, last) pairs, both included, in any order; they may overlap or touch.
    """

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, ranges: Iterable[tuple[int, int]]) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in sorted((max(first, 1), last) for first, last in ranges):
            if last < first:
                continue
            if self._lasts and first <= self._lasts[-1] + 1:
                self._lasts[-1] = max(self._lasts[-1], last)
            else:
                self._firsts.append(first)
                self._lasts.append(last)

    @classmethod
    def of(cls, indexes: Iterable[int]) -> FileIndexes:
        return cls((index, index) for index in indexes)

    @classmethod
    def everything(cls) -> FileIndexes:
        return cls([(1, MAX_FILE_INDEX)])

    @property
    def ranges(self) -> list[tuple[int, int]]:
        return list(zip(self._firsts, self._lasts, strict=True))

    @property
    def last(self) -> int:
        return self._lasts[-1] if self._lasts else 0

    def __bool__(self) -> bool:
        return bool(self._firsts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FileIndexes) and self.ranges == other.ranges

    __hash__ = None  # type: ignore[assignment]

    def __contains__(self, file_index: int) -> bool:
        return self.overlaps(file_index, file_index)

    def overlaps(self, first: int, last: int) -> bool:
        """Is any FileIndex of first..last wanted?"""
        at = bisect_left(self._lasts, first)
        return at < len(self._firsts) and self._firsts[at] <= last

    def run(self, file_index: int) -> tuple[bool, int, int]:
        """(wanted, first, last): the range around `file_index` in which the answer stays the same."""
        at = bisect_right(self._firsts, file_index) - 1
        if at >= 0 and file_index <= self._lasts[at]:
            return True, self._firsts[at], self._lasts[at]
        first = self._lasts[at] + 1 if at >= 0 else -MAX_FILE_INDEX - 1
        last = self._firsts[at + 1] - 1 if at + 1 < len(self._firsts) else MAX_FILE_INDEX
        return False, first, last
