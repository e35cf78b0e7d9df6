"""Which records a restore reads: of each Job of the chain, those that are still the last word about their path.

A hard link's record names the FileIndex of the first name, which has the data. When that first name is not wanted itself (it was
deleted since, or lies outside the paths asked for), its record is read anyway and restored under the name of the
first link that is wanted.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from filed.catalog import METADATA_ONLY, Catalog, FileRow, Job, JobMedia
from filed.job.decode.known import KnownEntries
from filed.volume import Session
from filed.wire.attributes import Attributes, FileType, Stat, stat_field

_ALL = 0xFF
_SIZE, _LINK_FI = Stat._fields.index("size"), Stat._fields.index("link_fi")
_BLOCK_BYTES = 128
_BLOCK_SHIFT = (
    10  # FileIndexes in a block, as a power of two: small, since on a forged Volume each may be in one of its own
)


class IndexSet:
    """A set of FileIndexes, one bit each: ten million files take 3 MB, and one that is far beyond all others no more than a block."""

    def __init__(self) -> None:
        self._blocks: dict[int, bytearray] = {}
        self.count = 0

    def add(self, file_index: int) -> None:
        number, byte, bit = file_index >> _BLOCK_SHIFT, file_index >> 3 & _BLOCK_BYTES - 1, 1 << (file_index & 7)
        block = self._blocks.get(number)
        if block is None:
            block = self._blocks[number] = bytearray(_BLOCK_BYTES)
        if not block[byte] & bit:
            block[byte] |= bit
            self.count += 1

    def discard(self, file_index: int) -> None:
        if file_index in self:
            self._blocks[file_index >> _BLOCK_SHIFT][file_index >> 3 & _BLOCK_BYTES - 1] &= ~(1 << (file_index & 7))
            self.count -= 1

    def __contains__(self, file_index: int) -> bool:
        block = self._blocks.get(file_index >> _BLOCK_SHIFT)
        return block is not None and bool(block[file_index >> 3 & _BLOCK_BYTES - 1] >> (file_index & 7) & 1)

    def ranges(self) -> Iterator[tuple[int, int]]:
        """(first, last) of each run, in order."""
        first = last = -1
        for number in sorted(self._blocks):
            begin = number << _BLOCK_SHIFT
            for byte, bits in enumerate(self._blocks[number]):
                at = begin + byte * 8
                if bits == _ALL and first >= 0 and last == at - 1:
                    last = at + 7
                    continue
                for index in range(at, at + 8) if bits else ():
                    if not bits >> (index & 7) & 1:
                        continue
                    if first >= 0 and last == index - 1:
                        last = index
                        continue
                    if first >= 0:
                        yield first, last
                    first = last = index
        if first >= 0:
            yield first, last


@dataclass(slots=True)
class Wanted:
    """What is read of one Job. data_bytes: the sizes of the files wanted, for the progress only."""

    job: Job
    session: Session
    media: Sequence[JobMedia]
    file_indexes: IndexSet = field(default_factory=IndexSet)
    known: KnownEntries = field(default_factory=KnownEntries)
    data_bytes: int = 0
    # FileIndex of a first name -> path of the link that takes its place
    new_path: dict[int, bytes] = field(default_factory=dict)
    new_target: dict[int, bytes] = field(default_factory=dict)  # FileIndex of a link -> path of that one
    _links: array[int] = field(default_factory=lambda: array("q"))  # FileIndex of link and of its first name, in turn

    def add(self, row: FileRow) -> None:
        self.file_indexes.add(row.file_index)
        self.known.add(row)
        if row.type == FileType.HARD_LINK:
            first = stat_field(row.lstat, _LINK_FI)
            if 0 < first < row.file_index:  # the first name came first, whatever a Volume says
                self._links.extend((row.file_index, first))
        else:
            self.data_bytes += max(stat_field(row.lstat, _SIZE), 0)

    def orphans(self) -> dict[int, int]:
        """Links whose first name is not wanted: FileIndex of the link -> that of the first name."""
        pairs = zip(self._links[::2], self._links[1::2], strict=True)
        return {link: first for link, first in pairs if first not in self.file_indexes}

    @property
    def renamed_indexes(self) -> set[int]:
        """See Part."""
        return {*self.new_path, *self.new_target}

    def renamed(self, attributes: Attributes) -> Attributes:
        """The record with the path, or the link target, that it gets in this restore."""
        heir = self.new_path.get(attributes.file_index)
        if heir is not None:
            return attributes._replace(path=heir)
        target = self.new_target.get(attributes.file_index)
        return attributes if target is None else attributes._replace(link=target)


def choose(catalog: Catalog, jobid: int, paths: Sequence[bytes]) -> list[Wanted]:
    """The parts to read, oldest Job first. Raises CatalogError when the Job, or one it needs, is not there."""
    parts: dict[int, Wanted] = {
        job.job_id: Wanted(job, Session(job.vol_session_id, job.vol_session_time), catalog.media(job.job_id))
        for job in catalog.chain(jobid)
    }
    older = list(reversed(parts))
    for row in catalog.tree(jobid, paths):
        parts[row.job_id].add(row)
        if row.extended == METADATA_ONLY:
            for job_id in older[older.index(row.job_id) + 1 :]:
                content = catalog.entry(job_id, row.path)
                if content is not None and content.type != FileType.DELETED:
                    parts[job_id].add(content)
                if content is not None and content.extended != METADATA_ONLY:
                    break
    _adopt_orphans(catalog, jobid, paths, parts)
    return [part for part in parts.values() if part.file_indexes.count]


def _adopt_orphans(catalog: Catalog, jobid: int, paths: Sequence[bytes], parts: dict[int, Wanted]) -> None:
    """Give each first name that is not wanted itself to the first of its links that is."""
    orphans = {number: part.orphans() for number, part in parts.items()}
    if not any(orphans.values()):
        return
    for row in catalog.tree(jobid, paths):
        first = orphans[row.job_id].get(row.file_index)
        if first is None:
            continue
        part = parts[row.job_id]
        heir = part.new_path.get(first)
        if heir is None:
            part.file_indexes.discard(row.file_index)
            part.file_indexes.add(first)
            part.new_path[first] = row.path
            content = catalog.entry(row.job_id, row.link)
            if content is not None and content.file_index == first:
                part.known.add(content)
        else:
            part.new_target[row.file_index] = heir
