"""Small Jobs written into a directory of Volumes, and read back."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable
from pathlib import Path

from filed.storage import AppendSession, JobIdentity, JobMedia, JobTotals, VolumeDirectory
from filed.volume import FileIndexes, Session, SessionLabel, pack_session_label
from filed.volume.block import BLOCK_HEADER_BYTES
from filed.volume.record import RECORD_HEADER_BYTES

Plain = tuple[int, int, bytes]

NOW = 1_795_431_175.0


def job(number: int = 1) -> JobIdentity:
    return JobIdentity(
        number, f"Save.2026-11-23_10.25.18_{number:02}", "Save", "client", "All", file_set_digest="x" * 22
    )


def opened(path: Path, now: float = NOW) -> VolumeDirectory:
    return VolumeDirectory.open(path / "volumes", create=True, host="tests", clock=lambda: now)


def files(count: int, size: int = 100_000, seed: int = 1) -> list[Plain]:
    """Attributes and some data in chunks, `count` times."""
    chance = random.Random(seed)
    out: list[Plain] = []
    for index in range(1, count + 1):
        out.append((index, 1, b"%d 3 /some/where/file%d" % (index, index)))
        left = chance.randrange(size)
        while left:
            part = min(left, 65536)
            out.append((index, 2, chance.randbytes(part)))
            left -= part
    return out


def block_begun(by: JobIdentity) -> int:
    """How many bytes the start label of a session takes of its first block, with the headers before it."""
    label = SessionLabel(by.job_id, by.job, by.name, by.client, by.file_set, by.type, by.level, by.file_set_digest)
    return BLOCK_HEADER_BYTES + RECORD_HEADER_BYTES + len(pack_session_label(label))


def fill(target: AppendSession, records: Iterable[Plain]) -> None:
    for record in records:
        target.write(*record)


def save(
    directory: VolumeDirectory,
    records: Iterable[Plain],
    number: int = 1,
    limit: int = 0,
    report: Callable[[str], None] = lambda _text: None,
) -> tuple[Session, list[JobMedia]]:
    """One whole Job."""
    target = directory.append_session(job(number), limit, report=report)
    indexes = set()
    size = 0
    for file_index, stream, data in records:
        target.write(file_index, stream, data)
        indexes.add(file_index)
        size += len(data)
    return target.session, target.finish(JobTotals(len(indexes), size))


def killed_job(directory: VolumeDirectory, records: Iterable[Plain], number: int = 7, limit: int = 0) -> Session:
    """A Job whose process ends without a word. What its writer still holds, a megabyte or less, is lost with it."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            target = directory.append_session(job(number), limit)
            os.write(writer, b"%d %d" % target.session)
            fill(target, records)
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with open(reader, "rb") as told:
        return Session(*map(int, told.read().split()))


def load(
    directory: VolumeDirectory, session: Session, media: Iterable[JobMedia], selection: FileIndexes | None = None
) -> list[Plain]:
    return [
        (one.file_index, one.stream, bytes(one.data)) for one in directory.read(media, session, selection).records()
    ]


def state(directory: VolumeDirectory) -> dict[str, bytes]:
    """Every Volume and its bytes."""
    return {name: (directory.path / name).read_bytes() for name in directory.volumes()}
