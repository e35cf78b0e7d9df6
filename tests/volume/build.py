"""Small Volumes made for one test."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

from filed.volume import BlockWriter, LabelType, Record, Session, VolumeLabel, pack_volume_label, single_record_block

SESSION = Session(7, 1_795_431_175)
OTHER = Session(8, 1_795_431_175)

Plain = tuple[int, int, bytes]


def label_block(name: str, session: Session = SESSION) -> bytes:
    return single_record_block(session, 0, LabelType.VOLUME, 0, pack_volume_label(VolumeLabel(name, program="filed")))


def blocks(records: Iterable[Plain], session: Session = SESSION, block_bytes: int = 64_512, number: int = 1) -> bytes:
    """The blocks of a session with these records, and nothing else."""
    out = bytearray()
    writer = BlockWriter(out.extend, session, number, block_bytes)
    for record in records:
        writer.write(*record)
    writer.flush()
    return bytes(out)


def volume(path: Path, *parts: bytes) -> Path:
    path.write_bytes(label_block(path.name) + b"".join(parts))
    return path


def files(count: int, size: int = 3000, seed: int = 1) -> list[Plain]:
    """Attributes, some data, a digest: `count` times."""
    chance = random.Random(seed)
    out: list[Plain] = []
    for index in range(1, count + 1):
        out += [
            (index, 1, b"%d 3 /some/where/file%d" % (index, index)),
            (index, 2, chance.randbytes(chance.randrange(size))),
            (index, 3, chance.randbytes(16)),
        ]
    return out


def plain(records: Iterable[Record]) -> list[Plain]:
    return [(one.file_index, one.stream, bytes(one.data)) for one in records]
