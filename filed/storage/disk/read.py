"""A Job's records out of its Volumes, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TypeAlias, cast

from filed.catalog import JobMedia
from filed.errors import VolumeError
from filed.volume import (
    Assembly,
    Damage,
    FileIndexes,
    OnDamage,
    Record,
    Run,
    Session,
    VolumeKeys,
    VolumeReader,
    open_volume,
)


class VolumeReadSession:
    """A ReadSession on Volume files. read: `read_records`, told how to select."""

    def __init__(self, read: Callable[[Select], Iterator[Record | Run]]) -> None:
        self._read = read

    def records(self) -> Iterator[Record]:
        return cast("Iterator[Record]", self._read(VolumeReader.select))

    def runs(self) -> Iterator[Record | Run]:
        return self._read(VolumeReader.runs)

    def finish(self) -> None:
        """Nobody else took part."""

    def interrupt(self) -> None:
        """A disk is not waited for."""

    def abandon(self) -> None:
        """Nothing is held but what `records` has open."""


Select: TypeAlias = Callable[..., Iterator[Record | Run]]
"""VolumeReader.select, or its runs."""


def read_records(
    select: Select,
    directory: Path,
    media: Iterable[JobMedia],
    session: Session,
    selection: FileIndexes | None,
    *,
    on_damage: OnDamage | None,
    keys: VolumeKeys,
) -> Iterator[Record | Run]:
    """See VolumeDirectory.read."""
    assembly = Assembly()
    volume = ""
    for volume, parts in groupby(media, key=attrgetter("volume")):
        stretches = _stretches(parts, selection)
        if not stretches:
            continue
        try:
            reader = _open(directory, volume, on_damage, keys)
        except VolumeError as error:
            if on_damage is None:
                raise
            on_damage(Damage(volume, stretches[0][0], stretches[-1][1] - stretches[0][0], str(error), session))
            continue
        with reader:
            for start, stop in stretches:
                yield from select(reader, session, selection, start, stop, assembly)
    lost = assembly.drop(session)
    if lost is not None and lost.wanted:
        text = f"the last record of FileIndex {lost.file_index} is not complete; it would go on in a Volume that is not listed"
        if on_damage is None:
            raise VolumeError(f"Volume {volume}: {text}")
        on_damage(Damage(volume, 0, 0, text, session, lost.file_index))


def _stretches(parts: Iterable[JobMedia], selection: FileIndexes | None) -> list[tuple[int, int]]:
    """Where to read in one Volume: (first byte, behind the last one). Those that touch are one; those with labels only are left out."""
    found: list[tuple[int, int]] = []
    for part in parts:
        if part.last_index and (selection is None or selection.overlaps(part.first_index, part.last_index)):
            start, stop = part.start, part.end + 1
            if found and found[-1][1] == start:
                start = found.pop()[0]
            found.append((start, stop))
    return found


def check_volume_name(name: str) -> None:
    """A Volume name is a file name in the directory and nothing else: it comes from catalogs and labels. Raises VolumeError."""
    if not name or name in {".", ".."} or "/" in name or "\0" in name:
        raise VolumeError(f"{name!r} cannot be the name of a Volume")


def _open(directory: Path, volume: str, on_damage: OnDamage | None, keys: VolumeKeys) -> VolumeReader:
    check_volume_name(volume)
    reader = open_volume(directory / volume, key=keys.of(volume), on_damage=on_damage)
    try:
        _check_label(reader, volume)
    except VolumeError as error:
        if on_damage is None:
            reader.close()
            raise
        on_damage(Damage(volume, 0, 0, str(error)))
    return reader


def _check_label(reader: VolumeReader, volume: str) -> None:
    name = reader.label().name
    if name != volume:
        raise VolumeError(f"the file of Volume {volume} holds the Volume {name}; put the right one there")
