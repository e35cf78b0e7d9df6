"""Writing one Job into a directory of Volumes.

A full Volume is closed at a block's end, and the Job goes on behind the label of a new one; a record may start in one and
end in the other. Nobody else can append to a Volume that a Job in progress may have to take back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from filed.catalog import JobMedia
from filed.errors import VolumeError
from filed.storage.disk.volume_file import VolumeFile
from filed.storage.interface import JobIdentity, JobTotals
from filed.volume import (
    BlockWriter,
    Buffer,
    LabelType,
    Session,
    SessionEnd,
    SessionLabel,
    block_length,
    first_file_index,
    last_file_index,
    open_volume,
    pack_session_label,
)
from filed.volume.block import BLOCK_HEADER_BYTES
from filed.volume.record import RECORD_HEADER_BYTES
from filed.volume.survey import STRETCH_BYTES

NextVolume = Callable[[Session, str, int], VolumeFile]
"""Makes a new Volume, labelled and locked, its offset behind the label: (session, name of the previous, how many now)."""


class VolumeAppendSession:
    """An AppendSession on Volume files.

    volume: locked, its offset where the session begins.
    unused: it holds no Job yet. created: it was made for this Job.
    max_volume_bytes: 0 for no limit. A Volume gets at least one block, whatever the limit.
    """

    def __init__(
        self,
        volume: VolumeFile,
        session: Session,
        job: JobIdentity,
        *,
        unused: bool,
        created: bool,
        max_volume_bytes: int,
        next_volume: NextVolume,
        clock: Callable[[], float],
        report: Callable[[str], None],
    ) -> None:
        self._volume = volume
        self._session = session
        self._label = SessionLabel(
            job.job_id, job.job, job.name, job.client, job.file_set, job.type, job.level, job.file_set_digest
        )
        self._limit = max_volume_bytes
        self._next_volume = next_volume
        self._clock = clock
        self._report = report
        self._first = volume  # stays locked: it may hold other Jobs, and is cut if this one fails
        self._first_offset = self._start = self._stretch = volume.offset
        self._first_created = created
        self._made: list[tuple[Path, int]] = []  # Volumes made and full: path and size
        self._volumes = 1
        self._media: list[JobMedia] = []
        self._first_index = 1  # in the stretch of now, which begins at `_stretch`
        self._last_block = 0  # offset of the last block in the Volume of now
        self._done = False
        self._broken: VolumeError | None = None
        self._writer = BlockWriter(self._put, session, number=1 if unused else 0)
        self.write = self._writer.write  # the hot path has no layer in between
        self._write_label(LabelType.START_OF_SESSION, self._label)

    @property
    def session(self) -> Session:
        return self._session

    def write_all(self, file_index: int, records: Sequence[tuple[int, Buffer]]) -> None:
        for stream, data in records:
            self.write(file_index, stream, data)

    def finish(self, totals: JobTotals) -> list[JobMedia]:
        writer = self._writer
        end = SessionEnd(totals.files, totals.bytes, totals.errors, totals.status, self._first_offset, 0)
        label = replace(self._label, end=end)
        size = len(pack_session_label(label))
        # The label tells the offset of its own block, so where that will be has to be settled first.
        writer.make_room(size)
        writer.flush_closed()
        length = (writer.open_bytes or BLOCK_HEADER_BYTES) + RECORD_HEADER_BYTES + size
        if self._is_full(self._volume.offset, length):
            self._switch(writer.open_index)
        last_index = max(writer.last_index, 0)
        self._write_label(LabelType.END_OF_SESSION, replace(label, end=replace(end, end=self._volume.offset)))
        writer.flush()
        self._volume.sync()
        self._end_stretch(self._volume.offset, last_index, next_index=0)
        self._done = True
        self._volume.close()
        self._first.close()
        return self._media

    def abandon(self) -> None:
        if self._done:
            return
        self._done = True
        for path, size in reversed(self._made):
            self._attempt(lambda path=path, size=size: self._remove_unless_used(path, size))  # type: ignore[misc]
        if self._volume is not self._first:
            self._attempt(self._volume.remove)
        if self._first_created:
            self._attempt(self._first.remove)
        else:
            self._attempt(lambda: self._first.truncate(self._first_offset))
        self._first.close()

    def _write_label(self, kind: LabelType, label: SessionLabel) -> None:
        now = replace(label, written=int(self._clock() * 1_000_000))
        self._writer.write_whole(kind, label.job_id, pack_session_label(now))

    def _put(self, run: memoryview) -> None:
        """Sink of the writer: whole blocks into this Volume, and into the next ones when it is full."""
        if self._broken is not None:
            raise self._broken
        try:
            at = written = 0
            while at < len(run):
                length = block_length(run, at)
                offset = self._volume.offset + at - written
                if self._is_full(offset, length):
                    self._volume.write(run[written:at])
                    written = at
                    self._switch(first_file_index(run, at))
                elif offset - self._stretch >= STRETCH_BYTES and (index := first_file_index(run, at)) > 0:
                    self._end_stretch(offset, index, next_index=index)
                self._last_block = self._volume.offset + at - written
                at += length
            self._volume.write(run[written:])
        except VolumeError as error:
            self._broken = error
            raise

    def _is_full(self, offset: int, length: int) -> bool:
        return 0 < self._limit < offset + length and offset > self._start

    def _switch(self, first_index: int) -> None:
        """Go on in a new Volume, with a block whose first record has FileIndex `first_index`."""
        full = self._volume
        with open_volume(full.path) as reader:
            last_index = last_file_index(reader.walk.block(self._last_block))
        self._end_stretch(full.offset, last_index, next_index=max(first_index, 0))
        full.sync()
        self._volumes += 1
        self._volume = self._next_volume(self._session, full.name, self._volumes)
        if full is not self._first:
            self._made.append((full.path, full.offset))
            full.close()
        self._start = self._stretch = self._volume.offset

    def _end_stretch(self, end: int, last_index: int, *, next_index: int) -> None:
        """What lies up to `end` in the Volume of now is found by its FileIndexes. next_index: the first of what follows."""
        first_index = min(self._first_index, last_index)
        last_index = last_index if first_index else 0
        self._media.append(JobMedia(self._volume.name, first_index, last_index, self._stretch, end - 1))
        self._stretch, self._first_index = end, next_index

    def _remove_unless_used(self, path: Path, size: int) -> None:
        volume = VolumeFile.lock(path)
        if volume is not None:
            if volume.size() == size:
                volume.remove()
            else:
                volume.close()

    def _attempt(self, undo: Callable[[], None]) -> None:
        try:
            undo()
        except VolumeError as error:
            self._report(f"what the Job wrote could not be taken back: {error}")
