"""Which sessions lie in a Volume, and where: what a catalog is rebuilt from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from filed.errors import VolumeError
from filed.volume.label import SessionLabel, parse_session_label
from filed.volume.reader import VolumeReader
from filed.volume.record import RECORD_HEADER, LabelType, Session
from filed.volume.walk import Block

MAX_SESSIONS = 100_000
"""More in one Volume are no Jobs."""
STRETCH_BYTES = 32 << 20
"""About so often it is noted which FileIndex a session has come to: one file is found by reading no more than that."""


@dataclass(frozen=True, slots=True)
class SessionPart:
    """What one Volume holds of one session. FileIndexes are 0 when it holds labels only."""

    session: Session
    start: int  # offset of its first block
    end: int  # offset of the last byte of its last block
    first_number: int  # BlockNumber of the first block: orders the Volumes of a Job
    first_index: int
    last_index: int
    label: SessionLabel | None  # the start-of-session label, when it is here
    ended: SessionLabel | None  # the end-of-session label, when it is here
    marks: tuple[tuple[int, int], ...] = ()  # here and there: offset of a block, and the FileIndex of its first record


def survey(reader: VolumeReader) -> list[SessionPart]:
    """The sessions of a Volume in the order in which they begin.

    Reads all block headers, but only the first and the last blocks of each session. A session whose first block is damaged is
    left out and told of, like all damage, to the reader's `on_damage`; a strict reader raises VolumeError.
    """
    places: dict[Session, _Place] = {}
    for offset, header in reader.walk.headers():
        if offset == 0:  # the Volume label, which bears the ids of the first Job
            continue
        place = places.get(header.session)
        if place is None:
            places[header.session] = _Place(offset, offset, offset, offset + header.length, offset)
            if len(places) > MAX_SESSIONS:
                raise VolumeError(f"Volume {reader.name} has blocks of more than {MAX_SESSIONS} sessions")
        else:
            place.before_last, place.last, place.stop = place.last, offset, offset + header.length
            if offset - place.marked >= STRETCH_BYTES:
                place.mark(reader, offset)
    parts = (_part(reader, session, place) for session, place in places.items())
    return [part for part in parts if part is not None]


def last_file_index(block: Block) -> int:
    """FileIndex of the last record of a block that is no label; 0 if there is none."""
    return max((file_index for file_index, _ in _records(block) if file_index > 0), default=0)


@dataclass(slots=True)
class _Place:
    first: int  # offsets of blocks
    before_last: int
    last: int
    stop: int  # where the last block ends
    marked: int  # offset of the last mark
    marks: list[tuple[int, int]] = field(default_factory=list)

    def mark(self, reader: VolumeReader, offset: int) -> None:
        """A block that cannot be read, or begins with a label, is no mark: one of the next may be."""
        block = _load(reader, offset)
        first = next((file_index for file_index, _ in _records(block)), 0) if block else 0
        if first > 0:
            self.marks.append((offset, first))
            self.marked = offset


def _part(reader: VolumeReader, session: Session, place: _Place) -> SessionPart | None:
    opening = _load(reader, place.first)
    if opening is None:
        return None
    closing = opening if place.last == place.first else _load(reader, place.last)
    label = ended = None
    first_index = last_index = 0
    for file_index, data in _records(opening):
        if file_index == LabelType.START_OF_SESSION:
            try:
                label = parse_session_label(data, ended=False)
            except VolumeError as error:
                reader.complain(opening, opening.start, str(error), session)
        elif file_index > 0:
            first_index = file_index
            break
    if closing is not None:
        last_index = last_file_index(closing)
        try:
            ended = end_of_session(closing)
        except VolumeError as error:
            reader.complain(closing, closing.start, str(error), session)
    if not last_index and place.before_last != place.last:
        before = _load(reader, place.before_last)
        last_index = last_file_index(before) if before else 0
    if last_index and not first_index:
        first_index = 1
    number = opening.header.number
    marks = tuple(place.marks)
    return SessionPart(session, place.first, place.stop - 1, number, first_index, last_index, label, ended, marks)


def end_of_session(block: Block) -> SessionLabel | None:
    """The end-of-session label, if the block closes its session. Raises VolumeError when that is not to be understood."""
    for file_index, data in _records(block):
        if file_index == LabelType.END_OF_SESSION:
            return parse_session_label(data, ended=True)
    return None


def _load(reader: VolumeReader, offset: int) -> Block | None:
    block = next(reader.walk.blocks(offset, offset + 1), None)
    return block if block is not None and block.offset == offset else None


def _records(block: Block) -> Iterator[tuple[int, memoryview]]:
    """FileIndex, and data as far as this block has it, of each record in a block."""
    view = memoryview(block.data)
    at = block.start
    while at + RECORD_HEADER.size <= block.stop:
        file_index, _, length = RECORD_HEADER.unpack_from(view, at)
        start = at + RECORD_HEADER.size
        at = start + length
        yield file_index, view[start : min(at, block.stop)]
