"""A long Job is noted in stretches, so that one file is found without reading what lies before it."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import pytest

from filed.storage import JobMedia, VolumeDirectory
from filed.volume import FileIndexes, Session
from filed.volume.survey import STRETCH_BYTES
from tests.storage.jobs import Plain, load, opened, save

MIB = 1 << 20
SIZES = [3 * MIB, 5, 70 * MIB, 0, *[2 * MIB] * 20, 17]
"""Of the files of a Job of 115 MB; one is longer than a stretch."""


def records_of(sizes: list[int]) -> list[Plain]:
    chance = random.Random(1)
    found: list[Plain] = []
    for index, size in enumerate(sizes, 1):
        data = chance.randbytes(size)
        found.append((index, 1, b"%d" % index))
        found += [(index, 2, data[at : at + 65536]) for at in range(0, size, 65536)]
    return found


RECORDS = records_of(SIZES)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[VolumeDirectory, Session, list[JobMedia]]:
    directory = opened(tmp_path_factory.mktemp("stretches"))
    save(directory, RECORDS[:2], number=1)  # on the same Volume, before it
    session, media = save(directory, RECORDS, number=2)
    return directory, session, media


def of(*indexes: int) -> list[Plain]:
    return [record for record in RECORDS if record[0] in indexes]


def test_stretches_touch_and_hold_all(saved: tuple[VolumeDirectory, Session, list[JobMedia]]) -> None:
    directory, session, media = saved
    assert {part.volume for part in media} == {"Vol-0001"}
    assert all(before.end + 1 == after.start for before, after in pairwise(media))
    assert all(before.last_index <= after.first_index for before, after in pairwise(media))
    assert all(part.end + 1 - part.start <= STRETCH_BYTES + MIB for part in media)
    assert len(media) == 115 * MIB // STRETCH_BYTES + 1
    assert load(directory, session, media) == RECORDS


@pytest.mark.parametrize("wanted", [{1}, {2, 4}, {3}, {5, 24}, {13}, {25}, {1, 25}])
def test_one_file_is_read_from_its_own_stretches_alone(
    saved: tuple[VolumeDirectory, Session, list[JobMedia]], tmp_path: Path, wanted: set[int]
) -> None:
    """All else of the Volume is gone here, but for its label: a strict reading would fail on it."""
    directory, session, media = saved
    needed = [part for part in media if any(part.first_index <= index <= part.last_index for index in wanted)]
    (tmp_path / "volumes").mkdir()
    with (directory.path / "Vol-0001").open("rb") as whole, (tmp_path / "volumes" / "Vol-0001").open("wb") as rest:
        rest.write(whole.read(1000))
        rest.truncate(media[-1].end + 1)
        for part in needed:
            whole.seek(part.start)
            rest.seek(part.start)
            rest.write(whole.read(part.end + 1 - part.start))
    lossy = opened(tmp_path)
    selection = FileIndexes((index, index) for index in sorted(wanted))
    assert load(lossy, session, media, selection) == of(*wanted)


def test_a_scan_finds_the_same_stretches(saved: tuple[VolumeDirectory, Session, list[JobMedia]]) -> None:
    directory, session, media = saved
    found = next(one for one in directory.scan() if one.session == session)
    assert list(found.media) == media


def test_a_job_noted_as_one_stretch_is_read_as_well(saved: tuple[VolumeDirectory, Session, list[JobMedia]]) -> None:
    """As catalogs before this have it."""
    directory, session, media = saved
    whole = JobMedia("Vol-0001", 1, media[-1].last_index, media[0].start, media[-1].end)
    assert load(directory, session, [whole], FileIndexes([(24, 25)])) == of(24, 25)
