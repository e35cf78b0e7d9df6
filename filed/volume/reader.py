"""Reading a Volume: blocks taken apart, split records put together again."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from types import TracebackType
from typing import Self, cast

from filed.errors import VolumeError
from filed.volume.label import VolumeLabel, parse_volume_label
from filed.volume.record import MAX_RECORD_BYTES, RECORD_HEADER, LabelType, Record, Run, Session
from filed.volume.run import COPIED_BYTES, Cut, native_cut
from filed.volume.selection import MAX_FILE_INDEX, FileIndexes
from filed.volume.source import FileRanges, RangeReader, VolumeSource
from filed.volume.walk import TO_THE_END, Block, Damage, OnDamage, Walk

MAX_OPEN_BYTES = 64 << 20
"""Bytes of unfinished records of all sessions together. Real Volumes have a few sessions of some 65,536 bytes."""
MAX_SESSIONS = 100_000

_HEADER = RECORD_HEADER.size
_VOLUME_LABELS = (LabelType.VOLUME, LabelType.PRE_LABEL)


class _Open:
    """A record whose rest is in a later block of its session."""

    __slots__ = ("data", "file_index", "missing", "stream", "volume", "wanted")

    def __init__(
        self, file_index: int, stream: int, data: bytearray, missing: int, volume: str, *, wanted: bool
    ) -> None:
        self.file_index, self.stream, self.data, self.missing = file_index, stream, data, missing
        self.volume, self.wanted = volume, wanted


class Assembly:
    """The records that are open at the end of a Volume; hand it on to the reader of the next one."""

    def __init__(self) -> None:
        self._open: dict[Session, _Open] = {}
        self._bytes = 0
        self.seen: set[Session] = set()
        """Sessions of which a whole record header was met: from then on nothing may be missing."""

    def __len__(self) -> int:
        return len(self._open)

    def start(self, session: Session, record: _Open) -> bool:
        """False: too much is open already."""
        self._bytes += len(record.data)
        self._open[session] = record
        return self._bytes <= MAX_OPEN_BYTES

    def extend(self, record: _Open, part: memoryview) -> bool:
        """False: too much is open already."""
        self._bytes += len(part)
        record.data += part
        return self._bytes <= MAX_OPEN_BYTES

    def note(self, session: Session) -> None:
        if len(self.seen) >= MAX_SESSIONS:
            self.seen.clear()  # a hostile Volume; what is lost is a complaint
        self.seen.add(session)

    def of(self, session: Session) -> _Open | None:
        return self._open.get(session)

    def drop(self, session: Session) -> _Open | None:
        """Forget the open record of `session`; it is returned."""
        record = self._open.pop(session, None)
        if record is not None:
            self._bytes -= len(record.data)
        return record

    def sessions(self) -> list[Session]:
        return list(self._open)


class VolumeReader:
    """One Volume: its label and its records.

    ranges: ours from now on.
    key: 32 or 64 bytes, for a Volume with encrypted blocks.
    on_damage: None is strict, damage raises VolumeError. Else it is called for each damage, in order with the records, and
        all that can be read is read: only the records that the damage hit are missing.
    """

    def __init__(
        self,
        ranges: RangeReader,
        *,
        key: bytes | None = None,
        on_damage: OnDamage | None = None,
    ) -> None:
        self._source = VolumeSource(ranges, forgiving=on_damage is not None)
        self._on_damage = on_damage
        self.name = self._source.name
        self.walk = Walk(self._source, key, on_damage)

    def label(self) -> VolumeLabel:
        """The Volume's label. Raises VolumeError, forgiving or not."""
        block = self.walk.block(0)
        size = block.stop - block.start
        if size >= _HEADER:
            file_index, _, length = RECORD_HEADER.unpack_from(block.data, block.start)
            if file_index in _VOLUME_LABELS and length <= size - _HEADER:
                start = block.start + _HEADER
                return parse_volume_label(block.data[start : start + length])
        raise VolumeError(f"Volume {self.name}: its first block holds no Volume label")

    def size(self) -> int:
        return self._source.size()

    def records(self, start: int = 0, end: int = TO_THE_END, assembly: Assembly | None = None) -> Iterator[Record]:
        """All records, labels included, in the order in which they end; those of several sessions are mixed."""
        blocks = self.walk.blocks(start, end)
        return cast("Iterator[Record]", self._records(blocks, None, Assembly() if assembly is None else assembly, None))

    def select(
        self,
        session: Session,
        selection: FileIndexes | None = None,
        start: int = 0,
        end: int = TO_THE_END,
        assembly: Assembly | None = None,
    ) -> Iterator[Record]:
        """The records of one session, without its labels; with a selection, those of the selected FileIndexes only.

        start, end: addresses from the catalog, `end` behind the last byte. Without them the whole Volume is walked.
        """
        return cast("Iterator[Record]", self._selected(session, selection, start, end, assembly, None))

    def runs(
        self,
        session: Session,
        selection: FileIndexes | None = None,
        start: int = 0,
        end: int = TO_THE_END,
        assembly: Assembly | None = None,
    ) -> Iterator[Record | Run]:
        """What `select` gives, together where records follow each other in a block."""
        return self._selected(session, selection, start, end, assembly, native_cut())

    def close(self) -> None:
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _selected(  # noqa: PLR0917  those of `select`
        self,
        session: Session,
        selection: FileIndexes | None,
        start: int,
        end: int,
        assembly: Assembly | None,
        cut: Cut | None,
    ) -> Iterator[Record | Run]:
        chosen = FileIndexes.everything() if selection is None else selection
        blocks = self.walk.wanted(session, chosen, start, end)
        return self._records(blocks, chosen, Assembly() if assembly is None else assembly, cut)

    def _records(
        self, blocks: Iterator[Block], chosen: FileIndexes | None, assembly: Assembly, cut: Cut | None
    ) -> Iterator[Record | Run]:
        unpack = RECORD_HEADER.unpack_from
        make = tuple.__new__
        # Within [low, high] the answer to "is this FileIndex selected" is `wanted`.
        wanted, low, high = (True, -MAX_FILE_INDEX - 1, MAX_FILE_INDEX) if chosen is None else chosen.run(0)
        for block in blocks:
            _, header, data, at, stop = block
            session = header.session
            view = memoryview(data)
            if session not in assembly.seen:
                at = self._enter(block, assembly)
            elif (record := assembly.of(session)) is not None:
                at = yield from self._continue(block, view, record, assembly)
            last_header = stop - _HEADER
            while at <= last_header:
                file_index, stream, length = unpack(data, at)
                if cut is not None and wanted and stream >= 0 and low <= file_index <= high:
                    behind = cut(data, at, stop, low, high)
                    if behind > at:
                        yield make(Run, (session, data, at, behind))
                        at = behind
                        continue
                start = at + _HEADER
                at = start + length
                if not low <= file_index <= high:
                    assert chosen is not None
                    wanted, low, high = chosen.run(file_index)
                if stream < 0:
                    if wanted:  # else its start was in a block that was not worth reading
                        self.complain(block, start - _HEADER, "the start of a record is missing", session, file_index)
                    continue
                if at <= stop:
                    if wanted:
                        part = data[start:at] if length <= COPIED_BYTES else view[start:at]
                        yield make(Record, (session, file_index, stream, part))
                    continue
                if length >= MAX_RECORD_BYTES:
                    text = f"a record of {length} bytes is not possible; the rest of the block is left out"
                    self.complain(block, start - _HEADER, text, session, file_index)
                    break
                kept = bytearray(view[start:stop]) if wanted else bytearray()
                opened = _Open(file_index, stream, kept, at - stop, self.name, wanted=wanted)
                if not assembly.start(session, opened):
                    self._too_much(block, assembly)

    def _continue(
        self, block: Block, view: memoryview, record: _Open, assembly: Assembly
    ) -> Generator[Record, None, int]:
        """Go on with the open record at the start of a block of its session. Returns where the next header is."""
        session, at = block.header.session, block.start
        if block.stop - at < _HEADER:
            return at
        header: tuple[int, int, int] = RECORD_HEADER.unpack_from(block.data, at)
        file_index, stream, length = header
        if file_index in _VOLUME_LABELS:  # of the next Volume of this very Job
            return at
        start = at + _HEADER
        if header != (record.file_index, -record.stream, record.missing):
            assembly.drop(session)
            if record.wanted:
                text = f"a record of FileIndex {record.file_index} goes on nowhere, {record.missing} of its bytes are missing"
                self.complain(block, at, text, session, record.file_index)
            return min(start + length, block.stop) if stream < 0 else at
        end = min(start + length, block.stop)
        record.missing -= end - start
        if record.wanted and not assembly.extend(record, view[start:end]):
            self._too_much(block, assembly)
        elif not record.missing:
            assembly.drop(session)
            if record.wanted:
                yield Record(session, file_index, record.stream, memoryview(record.data))
        return end

    def _enter(self, block: Block, assembly: Assembly) -> int:
        """Where the first whole record of a session is: reading may have started in the midst of one."""
        if block.stop - block.start < _HEADER:
            return block.stop
        header: tuple[int, int, int] = RECORD_HEADER.unpack_from(block.data, block.start)
        file_index, stream, length = header
        at = min(block.start + _HEADER + length, block.stop) if stream < 0 else block.start
        if at < block.stop and file_index not in _VOLUME_LABELS:
            assembly.note(block.header.session)
        return at

    def _too_much(self, block: Block, assembly: Assembly) -> None:
        for session in assembly.sessions():
            record = assembly.drop(session)
            assert record is not None
            text = f"more than {MAX_OPEN_BYTES} bytes of unfinished records; no real Volume has that"
            self.complain(block, block.start, text, session, record.file_index)

    def complain(self, block: Block, at: int, text: str, session: Session, file_index: int = 0) -> None:
        """Something at block.data[at:] makes no sense: an error, or told to `on_damage`."""
        offset = block.offset + block.header.body + at - block.start
        if self._on_damage is None:
            entry = f" (FileIndex {file_index})" if file_index else ""
            raise VolumeError(f"Volume {self.name}, offset {offset}: {text}{entry}")
        self._on_damage(Damage(self.name, offset, 0, text, session, file_index))


def open_volume(
    path: str | os.PathLike[str], *, name: str = "", key: bytes | None = None, on_damage: OnDamage | None = None
) -> VolumeReader:
    """A Volume that is a file. name: if it is not the file's."""
    return VolumeReader(FileRanges(path, name), key=key, on_damage=on_damage)
