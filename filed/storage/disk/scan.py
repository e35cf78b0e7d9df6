"""Every session in a directory of Volumes: what a catalog is rebuilt from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from filed.catalog import JobMedia
from filed.errors import VolumeError
from filed.storage.interface import ScannedSession
from filed.volume import Damage, OnDamage, Session, SessionPart, VolumeKeys, open_volume, survey


def scan(directory: Path, volumes: Iterable[str], on_damage: OnDamage | None, keys: VolumeKeys) -> list[ScannedSession]:
    """The sessions of these Volumes, oldest first. Reads block headers, not data.

    on_damage: None is strict; else damaged places and unreadable Volumes are reported to it and skipped.
    """
    found: dict[Session, list[tuple[str, SessionPart]]] = {}
    for name in volumes:
        try:
            with open_volume(directory / name, key=keys.of(name), on_damage=on_damage) as reader:
                for part in survey(reader):
                    found.setdefault(part.session, []).append((name, part))
        except VolumeError as error:
            if on_damage is None:
                raise
            on_damage(Damage(name, 0, 0, str(error)))
    sessions = [_joined(session, parts) for session, parts in found.items()]
    return sorted(sessions, key=lambda one: (one.session.vol_session_time, one.session.vol_session_id))


def _joined(session: Session, parts: list[tuple[str, SessionPart]]) -> ScannedSession:
    # BlockNumbers go on from Volume to Volume; a start label, if there is one, comes first whatever its number.
    parts.sort(key=lambda named: (named[1].label is None, named[1].first_number))
    media = tuple(stretch for name, part in parts for stretch in _stretches(name, part))
    label = next((part.label for _, part in parts if part.label), None)
    ended = next((part.ended for _, part in parts if part.ended), None)
    return ScannedSession(session, label, ended, media)


def _stretches(volume: str, part: SessionPart) -> Iterator[JobMedia]:
    """A part, cut at its marks."""
    start, first = part.start, part.first_index
    for offset, index in part.marks:
        if first <= index <= part.last_index:
            yield JobMedia(volume, first, index, start, offset - 1)
            start, first = offset, index
    yield JobMedia(volume, first, part.last_index, start, part.end)
