"""Where the entries of one Job go: the names by which an agent gets them."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Protocol

from filed.job.decode.known import KnownEntries
from filed.job.decode.wanted import IndexSet
from filed.wire.attributes import Attributes, FileType

HARD_LINK = int(FileType.HARD_LINK)


class Part(Protocol):
    """What is restored of one Job, or of all that a Storage Daemon sends."""

    @property
    def file_indexes(self) -> IndexSet:
        """Those that have not come yet, as far as known."""

    @property
    def known(self) -> KnownEntries:
        """What a catalog of ours knows of its entries."""

    @property
    def renamed_indexes(self) -> Collection[int] | None:
        """The only ones that `renamed` changes; None: it may be any."""

    def renamed(self, attributes: Attributes) -> Attributes:
        """The record with the names that it gets in this restore."""


class Names(NamedTuple):
    """name: as the agent listed it. link: as it is to be, for a hard link its first name's final path. dest: the final path."""

    name: bytes
    link: bytes
    dest: bytes


class Destination:
    """where: the directory that everything goes below, b"" for where it came from."""

    def __init__(self, where: bytes, part: Part) -> None:
        self.where = where.rstrip(b"/")
        self.part = part

    def names(self, attributes: Attributes) -> Names:
        """attributes: renamed already."""
        _, kind, path, _, link, _, _ = attributes
        name = path.rstrip(b"/") or b"/"
        return Names(name, self.where + link if kind == HARD_LINK else link, self.final(name))

    def final(self, name: bytes) -> bytes:
        """The final path; names of an agent's own making may have no slash in front."""
        return self.where + b"/" + name if self.where and not name.startswith(b"/") else self.where + name
