"""The catalog made again from the Volumes alone: what storage reads, as the events that the catalog wants."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from filed.catalog import CATALOG_FILE
from filed.catalog.rebuild import (
    WANTED_STREAMS,
    MediaSeen,
    RebuildReport,
    SessionBegan,
    SessionEnded,
    SessionRecord,
    VolumeSeen,
    rebuild,
)
from filed.catalog.rebuild import Event as CatalogEvent
from filed.errors import VolumeError
from filed.storage import Repository, ScannedSession, VolumeDirectory
from filed.volume import Damage, VolumeReader, read_volume_keys
from filed.wire.stream import stream_type

MICROSECONDS = 1_000_000


def rebuild_catalog(path: Path, report: Callable[[str], None], volume_keys: tuple[Path, ...] = ()) -> RebuildReport:
    """Make `path`/catalog.sqlite anew. The old one stays until the new one is whole.

    report: told of damage in the Volumes, which is left out.  volume_keys: of encrypted Volumes. Raises VolumeError, CatalogError, ConfigError.
    """
    directory = VolumeDirectory.open(path, keys=read_volume_keys(volume_keys))

    def damaged(damage: Damage) -> None:
        report(f"{damage}; what lies there is left out")

    return rebuild(path / CATALOG_FILE, _events(directory, damaged, report), time.time())


def _events(
    repository: Repository, damaged: Callable[[Damage], None], report: Callable[[str], None]
) -> Iterator[CatalogEvent]:
    for name in repository.volumes():
        try:
            with VolumeReader(repository.volume(name)) as reader:
                yield VolumeSeen(name, reader.label().labelled // MICROSECONDS)
        except VolumeError as error:
            damaged(Damage(name, 0, 0, str(error)))
    for scanned in repository.scan(damaged):
        yield from _session(repository, scanned, damaged, report)


def _session(
    repository: Repository,
    scanned: ScannedSession,
    damaged: Callable[[Damage], None],
    report: Callable[[str], None],
) -> Iterator[CatalogEvent]:
    label = scanned.label
    if label is None:
        for name in dict.fromkeys(part.volume for part in scanned.media):
            lost = "is the end of a Job whose first Volume is missing, so that nothing says which one; it is left out"
            report(f"Volume {name}: session {scanned.session} {lost}")
        return
    key = scanned.session
    yield SessionBegan(
        session=key,
        vol_session_id=key.vol_session_id,
        vol_session_time=key.vol_session_time,
        job_id=label.job_id,
        job=label.job,
        name=label.name,
        client=label.client,
        fileset_name=label.file_set,
        fileset_digest=label.file_set_digest,
        level=label.level,
        time=label.written // MICROSECONDS,
        type=label.type,
    )
    for part in scanned.media:
        yield MediaSeen(key, part)
    for record in repository.read(scanned.media, key, on_damage=damaged).records():
        if stream_type(record.stream) in WANTED_STREAMS:
            yield SessionRecord(key, record.file_index, record.stream, record.data)
    ended = scanned.ended
    if ended is not None and ended.end is not None:
        end = ended.end
        yield SessionEnded(key, end.status, end.files, end.bytes, end.errors, ended.written // MICROSECONDS)
