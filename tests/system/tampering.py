"""What somebody who can write a Volume does to it: every block is made anew, with right checksums."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path

from filed.volume import BlockWriter, Record, Session, open_volume

Entry = list[Record]
Change = Callable[[Entry], Iterable[Record]]


def tamper(volume: Path, change: Change) -> None:
    """Give each entry's records, which share a FileIndex, to `change`, and write what it returns in their place."""
    with open_volume(volume) as reader:
        label = reader.walk.block(0).stop
        records = [record for record in reader.records() if record.file_index >= 0 or record.file_index < -3]
    out = bytearray(volume.read_bytes()[:label])
    for number, (session, of_session) in enumerate(groupby(records, lambda record: record.session)):
        writer = BlockWriter(out.extend, session, 0 if number else 1)
        for file_index, together in groupby(of_session, lambda record: record.file_index):
            entry = list(together)
            for record in change(entry) if file_index > 0 else entry:
                put = writer.write if file_index > 0 else writer.write_whole
                put(record.file_index, record.stream, bytes(record.data))
        writer.flush()
    volume.write_bytes(out)


def record(session: Session, file_index: int, stream: int, data: bytes) -> Record:
    return Record(session, file_index, stream, data)
