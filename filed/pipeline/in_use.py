"""Which digests the files of one Job have: a record says it only behind the content, and then they are to be calculated."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from filed.pipeline.digest import Digest

UNKNOWN_FILES: Final = 8
"""Files without any digest after which a Job is taken to have none."""


class DigestsInUse:
    """known: what whoever saved the Job says, None for nothing. It may be wrong: what a record has counts from then on."""

    def __init__(self, known: Collection[Digest] | None = None) -> None:
        self._known = known
        self._all = set(known or ())
        self._needed: set[Digest] = set()
        self._contents = 0
        self.known_wrong = False
        """A record had another digest than the known ones."""

    def expected(self) -> tuple[Digest, ...]:
        """Those to calculate of the next content: all there are, while nothing is known and none was seen."""
        if self._all or self._known is not None:
            return tuple(self._all | self._needed)
        return tuple(Digest) if self._contents < UNKNOWN_FILES else tuple(self._needed)

    def need(self, digests: Iterable[Digest]) -> None:
        """Some contents will have these, as a catalog says; others may come, of signatures."""
        self._needed.update(digests)

    def saw(self, digests: Iterable[Digest]) -> None:
        new = set(digests) - self._all
        if new:
            self._all |= new
            self.known_wrong = self._known is not None

    def count_content(self, files: int = 1) -> None:
        """Content passed; whether a digest will follow is not known."""
        self._contents += files
