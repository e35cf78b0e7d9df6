"""Where a Volume may be appended to: after its last whole block, or before a dead Job's blocks.

A Job that was killed leaves blocks without an end-of-session label, the last of them torn perhaps. They are harmless to
readers, but space: they are cut off when nobody can miss them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from filed.errors import VolumeError
from filed.storage.disk.volume_file import VolumeFile
from filed.volume import Session, VolumeReader, end_of_session, open_volume, parse_header

LABEL_PROGRAM = "filed"
"""LabelProg of the Volumes we may append to. Others are known to a Storage Daemon's catalog byte by byte."""

_TORN_LABEL_BYTES = 4096  # a label block has some 250
_LAST_BYTES = 1 << 17  # the last block of a Volume of ours is within
_MAGIC = b"BB02"
_MAGIC_OFFSET = 12
_HEADER_BYTES = 24


@dataclass(frozen=True, slots=True)
class Tail:
    """end: where to append, and cut if the file is longer; 0 when not even the label was written."""

    end: int
    unused: bool  # no Job is in it
    cut: str = ""  # why the file is cut at `end`, for a person


def examine(volume: VolumeFile, keep: Callable[[Session], bool]) -> Tail | None:
    """Find the end of a locked Volume. None: it is another program's. Raises VolumeError when it is damaged or misnamed.

    keep: asked about a session without end in this Volume: can it be that somebody still wants it? (It may go on in another.)
    """
    size = volume.size()
    with open_volume(volume.path) as reader:
        try:
            label = reader.label()
        except VolumeError:
            if _is_torn_label(volume, reader, size):
                return Tail(0, unused=True, cut="its label was never finished" if size else "")
            raise
        if label.name != volume.name:
            raise VolumeError(f"the file {volume.path} holds the Volume {label.name}; rename it")
        if label.program != LABEL_PROGRAM:
            return None
        data_start = reader.walk.block(0).header.length
        if size == data_start or _ends_well(volume, reader, size):
            return Tail(size, unused=size == data_start)
        return _walked(volume, reader, data_start, size, keep)


def _is_torn_label(volume: VolumeFile, reader: VolumeReader, size: int) -> bool:
    """Did a crash leave this file before any Job could use it?"""
    if size > _TORN_LABEL_BYTES or reader.walk.next_valid(0) is not None:
        return False
    data = volume.read(0, size)
    if not any(data):
        return True
    try:
        return parse_header(data).length >= size
    except VolumeError:
        return size < _HEADER_BYTES


def _ends_well(volume: VolumeFile, reader: VolumeReader, size: int) -> bool:
    """Quickly: is the last thing in the file the end of a session, written there and nowhere else?"""
    start = max(0, size - _LAST_BYTES)
    data = volume.read(start, size - start)
    at = len(data)
    while (at := data.rfind(_MAGIC, 0, at)) >= _MAGIC_OFFSET:
        offset = start + at - _MAGIC_OFFSET
        try:
            if parse_header(data, at - _MAGIC_OFFSET).length != size - offset:
                continue
            label = end_of_session(reader.walk.block(offset))
        except VolumeError:
            continue
        # A saved Volume inside a torn block ends like one, too, but it says another address.
        if label and label.end and label.end.end == offset:
            return True
    return False


def _walked(
    volume: VolumeFile, reader: VolumeReader, data_start: int, size: int, keep: Callable[[Session], bool]
) -> Tail:
    """The same by way of all block headers."""
    last: dict[Session, int] = {}
    end, broken = data_start, None
    try:
        for offset, header in reader.walk.headers(data_start):
            last[header.session] = offset
            end = offset + header.length
    except VolumeError as error:
        broken = error
    finished = data_start
    for offset in sorted(last.values()):
        try:
            block = reader.walk.block(offset)
        except VolumeError as error:
            if _was_never_written(volume, offset, end):
                continue
            raise VolumeError(f"Volume {volume.name} is damaged, and is left as it is: {error}") from error
        if end_of_session(block):
            finished = max(finished, offset + block.header.length)
    if broken and reader.walk.next_valid(end) is not None:
        raise VolumeError(f"Volume {volume.name} is damaged, and is left as it is: {broken}") from broken
    dead = {session for session, offset in last.items() if offset >= finished}
    if not any(keep(session) for session in dead):
        cut = "" if finished == size else "it holds the start of a Job that never ended"
        return Tail(finished, unused=finished == data_start, cut=cut)
    if broken:
        raise VolumeError(f"Volume {volume.name} is damaged, and is left as it is: {broken}") from broken
    return Tail(end, unused=False)


def _was_never_written(volume: VolumeFile, offset: int, end: int) -> bool:
    """Is the block at `offset` the last one, and ends in zeros, as after a power failure?

    No finished session does: its last bytes tell a status.
    """
    length = 16
    return offset + parse_header(volume.read(offset, _HEADER_BYTES)).length == end and not any(
        volume.read(end - length, length)
    )
