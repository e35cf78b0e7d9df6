"""What a Job asks about each entry that its FileSet takes: is it sent? A Full sends everything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from filed.agents import Page
from filed.agents.abi import Entry
from filed.catalog import BaseRow
from filed.fileset import Options


@dataclass(frozen=True, slots=True)
class ContentCheck:
    """Of an entry that is as the base has it but for its content, which has to be read: this is the digest that it had.

    stream: of the digest's record.  likely: whether its times or its size say that it is another one.
    """

    stream: int
    digest: bytes
    likely: bool


class Selection(Protocol):
    """What the entry filter asks about each entry that the FileSet takes."""

    def lookup(self, paths: Sequence[bytes]) -> Sequence[BaseRow | None]:
        """The base's row of each stored path of one page."""

    def wants(self, entry: Entry, row: BaseRow | None, options: Options) -> bool:
        """Whether the entry is to be sent. options: those that the FileSet has for it."""

    def content_check(self, entry: Entry, row: BaseRow | None, options: Options) -> ContentCheck | None:
        """Of an entry that is not wanted: whether its content may make it so."""

    def same_content(self, entry: Entry, row: BaseRow | None, options: Options) -> ContentCheck | None:
        """Of an entry that is wanted: if its content passes this check, its attributes are sent without it."""

    @property
    def sifts(self) -> bool:
        """Whether `sift` is worth a call."""

    def sift(self, page: Page, options: Options, candidates: bytes | None) -> bytes | None:
        """Of a page of our own walk: one byte for each entry, 1 where it is as the base has it by these options, and is seen. None: none is.

        Nothing more is to be asked about those. candidates: likewise, the entries that the FileSet keeps by these options; None: all.
        """

    def seen(self, row: BaseRow | None) -> None:
        """The path is still there."""

    def left_out(self, row: BaseRow | None) -> None:
        """The entry is not sent: it was not wanted."""

    def sent_after_all(self, path: bytes) -> None:
        """An entry that was left out is sent now, because another name of its inode is."""

    def failed(self, path: bytes) -> None:
        """The path could not be looked at: it, and all below it, count as still there."""

    def below(self, directory: bytes) -> Iterator[BaseRow]:
        """What the base has below a directory, its path with the slash at its end, and nobody saw so far."""

    def deleted(self) -> Iterator[BaseRow]:
        """What the base has and nobody saw, once every instance has listed all it has."""

    def gone(self, path: bytes) -> BaseRow | None:
        """What to mark deleted for a path that its agent says is gone, and `lookup` has nothing of."""

    def command(self, row: BaseRow) -> bytes | None:
        """Whose entry it is: the text of its plugin-name record, b"" for plain files; None when the base does not say."""

    def taken_over(self) -> Iterator[BaseRow]:
        """What the Job has without sending it: a Base Job keeps its data."""


class TakesNothingOver:
    """Of a Job that builds on no Base Job, and reads nothing twice."""

    @property
    def sifts(self) -> bool:
        return False

    def sift(self, page: Page, options: Options, candidates: bytes | None) -> bytes | None:
        """Entries are asked about one by one."""

    def content_check(self, entry: Entry, row: BaseRow | None, options: Options) -> ContentCheck | None:
        """What is not wanted is left out."""

    def same_content(self, entry: Entry, row: BaseRow | None, options: Options) -> ContentCheck | None:
        """What is wanted is sent whole."""

    def left_out(self, row: BaseRow | None) -> None:
        """Nobody asks later."""

    def sent_after_all(self, path: bytes) -> None:
        """Nobody asks later."""

    def taken_over(self) -> Iterator[BaseRow]:
        return iter(())

    def gone(self, path: bytes) -> BaseRow | None:  # noqa: ARG002  the Protocol's signature
        """What the base does not have need not be marked."""
        return None

    def command(self, row: BaseRow) -> bytes | None:  # noqa: ARG002  as above
        return None


class Everything(TakesNothingOver):
    """A Full."""

    def __init__(self) -> None:
        self._nothing: list[None] = []

    def lookup(self, paths: Sequence[bytes]) -> Sequence[BaseRow | None]:
        if len(self._nothing) != len(paths):
            self._nothing = [None] * len(paths)
        return self._nothing

    def wants(self, entry: Entry, row: BaseRow | None, options: Options) -> bool:  # noqa: ARG002  the Protocol's signature
        return True

    def seen(self, row: BaseRow | None) -> None:
        """Nothing is compared."""

    def failed(self, path: bytes) -> None:
        """Nothing is deleted."""

    def below(self, directory: bytes) -> Iterator[BaseRow]:  # noqa: ARG002  as above
        return iter(())

    def deleted(self) -> Iterator[BaseRow]:
        return iter(())
