"""From block to block through a Volume, past damage if the caller wants the rest.

Strict (no `on_damage`): the first thing that is wrong raises VolumeError with Volume, offset and reason. Forgiving: it is
told to `on_damage`, and the walk goes on at the next block that proves itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from filed.errors import VolumeError
from filed.volume.block import (
    BB03_HEADER_BYTES,
    MAGIC_OFFSET,
    BlockHeader,
    decrypt,
    parse_header,
    verify,
)
from filed.volume.record import RECORD_HEADER, LabelType, Session
from filed.volume.selection import MAX_FILE_INDEX, FileIndexes
from filed.volume.source import WINDOW_BYTES, VolumeSource

TO_THE_END = 1 << 63
SEARCH_COST = 16
"""How many bytes may be checked for each byte that is searched for a block."""
_PEEK_BYTES = BB03_HEADER_BYTES + RECORD_HEADER.size
_MAGIC_START = b"BB0"


@dataclass(frozen=True, slots=True)
class Damage:
    """Something of a Volume that could not be used. Told in order, between the records before and after it.

    Anyone who restores an entry when this comes has to take it for incomplete, up to its next attributes record.
    """

    volume: str
    offset: int
    length: int  # bytes skipped; 0 when only the meaning was wrong
    text: str
    session: Session | None = None  # when known
    file_index: int = 0  # of a record that was dropped; 0 when unknown

    def __str__(self) -> str:
        passed = f" ({self.length} bytes left out)" if self.length else ""
        return f"Volume {self.volume}, offset {self.offset}: {self.text}{passed}"


OnDamage = Callable[[Damage], None]


class Block(NamedTuple):
    """A verified block; its records are data[start:stop]."""

    offset: int  # of the block, in the Volume
    header: BlockHeader
    data: bytes
    start: int
    stop: int


class Walk:
    """The blocks of one Volume. Errors within are without place; the one that leaves names Volume and offset."""

    def __init__(self, source: VolumeSource, key: bytes | None = None, on_damage: OnDamage | None = None) -> None:
        self._source = source
        self._key = key
        self._on_damage = on_damage
        self._usual = 0  # length of the longest block so far: most are as long as that
        self._last: BlockHeader | None = None

    def blocks(self, start: int = 0, end: int = TO_THE_END) -> Iterator[Block]:
        """Every block from offset `start`, each verified. `end`: the offset behind the last byte wanted."""
        offset = start
        while not self._ends_at(offset, end, WINDOW_BYTES):
            try:
                block = self._load(offset)
            except VolumeError as error:
                offset = self._pass_over(offset, end, error)
                continue
            yield block
            offset += block.header.length

    def wanted(
        self, session: Session, selection: FileIndexes, start: int = 0, end: int = TO_THE_END
    ) -> Iterator[Block]:
        """The blocks of `session` which can hold part of a selected record, and perhaps a few more.

        The FileIndexes of a session rise, so the first record header of the blocks before and behind a block tell whether it
        matters: what lies before the first wanted record costs a read of 44 bytes a block. Such a block is not verified. One
        damaged FileIndex cannot hide a wanted record: the block that has it is itself read for one of its neighbours, and
        fails. Blocks of other sessions are verified, since the session id may be what is damaged.
        """
        offset, ahead = start, WINDOW_BYTES
        before = 0  # first FileIndex of the block before `held`
        held, held_first = -1, 0  # a block whose fate its successor decides
        number = -1  # of the block before `offset`
        skipped = -1  # the block before `held` or `offset`, if it was skipped
        while not self._ends_at(offset, end, ahead):
            failed, error = -1, None
            try:
                header, first = self._peek(offset, ahead)
                if header.session != session:
                    self._load(offset)
            except VolumeError as broken:
                failed, error = offset, broken
            else:
                if header.session != session:
                    offset += header.length
                    continue
            if held >= 0:
                if (
                    error is None
                    and header.number == number + 1  # else the length of `held` may have led past some blocks
                    and before <= held_first <= first
                    and not selection.overlaps(before, first)
                ):
                    skipped, ahead = held, _PEEK_BYTES
                else:
                    try:
                        block = self._load(held)
                    except VolumeError as broken:
                        failed, error = held, broken
                    else:
                        yield block
                        if held_first > selection.last:
                            return
                        skipped, ahead = -1, WINDOW_BYTES
                before, held = held_first, -1
            if error is None:
                if first < 0 or first in selection:
                    try:
                        block = self._load(offset)
                    except VolumeError as broken:
                        failed, error = offset, broken
                    else:
                        yield block
                        before, skipped, ahead = max(first, 0), -1, WINDOW_BYTES
                else:
                    held, held_first = offset, first
            if error is None:
                number = header.number
                offset += header.length
                continue
            if skipped >= 0 and self._on_damage is not None:
                # It was the damaged block that told us to skip its predecessor.
                yield from self._all_of(session, skipped, failed)
            skipped, ahead = -1, WINDOW_BYTES
            offset = self._pass_over(failed, end, error)
        if held >= 0:
            yield from self._all_of(session, held, end)

    def headers(self, start: int = 0) -> Iterator[tuple[int, BlockHeader]]:
        """Offset and header of each block, nothing verified; 44 bytes are read of each."""
        offset = start
        while not self._ends_at(offset, TO_THE_END, _PEEK_BYTES):
            try:
                header, _ = self._peek(offset, _PEEK_BYTES)
                left = self._source.size() - offset
                if header.length > left:
                    raise VolumeError(_torn(header, left))  # noqa: TRY301 - caught to add the place, or to pass over
            except VolumeError as error:
                offset = self._pass_over(offset, TO_THE_END, error)
                continue
            yield offset, header
            offset += header.length

    def block(self, offset: int) -> Block:
        """The block at `offset`, verified. Raises VolumeError."""
        try:
            return self._load(offset)
        except VolumeError as error:
            raise self._placed(offset, error) from error

    def next_valid(self, damaged: int, end: int = TO_THE_END) -> int | None:
        """Offset of the first block behind the damaged one at `damaged` that proves itself, or None."""
        stop = min(end, self._source.size())
        # A saved file may be a Volume: inside a damaged block its blocks look real. So the end of a block of the usual length is
        # tried first, if no block would be skipped.
        guess = damaged + self._usual
        if damaged < guess < stop and self._proves_itself(guess, at_most=2):
            return guess
        patience = SEARCH_COST * (stop - damaged)
        for place in self._places(damaged + 1, stop):
            if self._proves_itself(place):
                return place
            patience -= self._length_at(place)
            if patience < 0:
                return None  # made to waste time: the checksum of every byte was taken many times
        return None

    def _length_at(self, offset: int) -> int:
        try:
            return self._peek(offset, WINDOW_BYTES)[0].length
        except VolumeError:
            return 0

    def _proves_itself(self, offset: int, at_most: int = 1 << 32) -> bool:
        """Is there a valid block that may follow the last one read, at most so many blocks behind it?

        Blocks of the same session in a saved Volume would have to come from a copy of this Volume: they are older.
        """
        try:
            header = self._load(offset, remember=False).header
        except VolumeError:
            return False
        last = self._last
        return last is None or header.session != last.session or 0 < header.number - last.number <= at_most

    def _all_of(self, session: Session, start: int, end: int) -> Iterator[Block]:
        return (block for block in self.blocks(start, end) if block.header.session == session)

    def _ends_at(self, offset: int, end: int, ahead: int) -> bool:
        """Is there nothing more at `offset`? Complains when a known `end` is not reached."""
        if offset >= end:
            return True
        try:
            data, index = self._source.at(offset, 1, ahead)
        except VolumeError as error:
            raise self._placed(offset, error) from error
        if index < len(data):
            return False
        if end != TO_THE_END:
            text = f"the Volume ends here, {end - offset} bytes of the Job are missing; it was cut short"
            if self._on_damage is None:
                raise self._placed(offset, text)
            self._on_damage(Damage(self._source.name, offset, 0, text))
        return True

    def _peek(self, offset: int, ahead: int) -> tuple[BlockHeader, int]:
        """Header and first FileIndex of the block at `offset`, not verified.

        Labels sort before (0) and behind (the largest) all entries. -1: only the whole block can tell.
        """
        data, index = self._source.at(offset, _PEEK_BYTES, ahead)
        header = parse_header(data, index)
        body = index + header.body
        if (
            header.encrypted
            or header.length < header.body + RECORD_HEADER.size
            or len(data) < body + RECORD_HEADER.size
        ):
            return header, -1
        first = RECORD_HEADER.unpack_from(data, body)[0]
        if first > 0:
            return header, first
        return header, MAX_FILE_INDEX if first == LabelType.END_OF_SESSION else 0

    def _load(self, offset: int, *, remember: bool = True) -> Block:
        data, index = self._source.at(offset, BB03_HEADER_BYTES)
        header = parse_header(data, index)
        length = header.length
        if index + length > len(data):
            left = self._source.size() - offset
            if length > left:
                raise VolumeError(_torn(header, left))
            data, index = self._source.at(offset, length)
        raw = memoryview(data)[index : index + length]
        if len(raw) < length:
            raise VolumeError(_torn(header, len(raw)))
        start, stop = index + header.body, index + length
        body: memoryview | bytes = raw[header.body :]
        if header.encrypted:
            data = body = decrypt(header, raw, self._key)
            start, stop = 0, len(body)
        try:
            verify(header, raw, body)
        except VolumeError as error:
            if header.encrypted:
                raise VolumeError(f"{error}: damaged, or encrypted with another key than the one given") from error
            raise
        if remember:
            self._last = header
            self._usual = max(self._usual, length)
        return Block(offset, header, data, start, stop)

    def _pass_over(self, damaged: int, end: int, error: VolumeError) -> int:
        """Tell of a block that cannot be used and say where to go on; strict: raise `error` with its place."""
        if self._on_damage is None:
            raise self._placed(damaged, error) from error
        stop = min(end, self._source.size())
        goal = self._follower(damaged, stop)
        if goal is None:
            goal = self.next_valid(damaged, stop)
        if goal is None:
            goal = max(stop, damaged + 1)
        self._on_damage(Damage(self._source.name, damaged, goal - damaged, str(error)))
        return goal

    def _follower(self, damaged: int, stop: int) -> int | None:
        """Where the damaged block's own header leads, unless its length may be what is damaged."""
        try:
            header, _ = self._peek(damaged, WINDOW_BYTES)
            goal = damaged + header.length
            if goal == stop:
                return goal if header.length <= self._usual else None
            follower, _ = self._peek(goal, WINDOW_BYTES)
        except VolumeError:
            return None
        if follower.session == header.session:
            return goal if follower.number == header.number + 1 else None
        return goal if header.length <= self._usual else None

    def _places(self, offset: int, stop: int) -> Iterator[int]:
        """Where the mark of a block header says that a block might start."""
        while offset < stop:
            try:
                data, index = self._source.at(offset, min(WINDOW_BYTES, stop - offset))
            except VolumeError:
                return
            end = min(len(data), index + stop - offset)
            at = index + MAGIC_OFFSET
            while (at := data.find(_MAGIC_START, at, end)) >= 0:
                yield offset + at - MAGIC_OFFSET - index
                at += 1
            read = end - index
            if read <= MAGIC_OFFSET + len(_MAGIC_START):
                return
            offset += read - MAGIC_OFFSET - len(_MAGIC_START) + 1

    def _placed(self, offset: int, error: VolumeError | str) -> VolumeError:
        return VolumeError(f"Volume {self._source.name}, offset {offset}: {error}")


def _torn(header: BlockHeader, left: int) -> str:
    return f"block {header.number} has {header.length} bytes and {left} are there; the Volume was cut short"
