from __future__ import annotations

from pathlib import Path

import pytest

from filed.errors import VolumeError
from filed.storage import VolumeDirectory
from filed.volume import Damage
from tests.storage.jobs import files, killed_job, load, opened, save
from tests.volume.golden import SPANNING, golden


def test_every_job_of_every_volume_is_found_with_its_media(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    written = [save(directory, files(20, seed=number), number, limit=400_000) for number in (1, 2, 3)]
    found = directory.scan()
    assert [(one.session, list(one.media)) for one in found] == written
    assert [one.label.job_id for one in found if one.label] == [1, 2, 3]
    assert all(one.is_complete and one.ended and one.ended.end and one.ended.end.files == 20 for one in found)
    for number, one in enumerate(found, 1):
        assert load(directory, one.session, one.media) == files(20, seed=number)


def test_a_dead_job_is_found_and_can_be_read_as_far_as_it_came(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    killed_job(directory, files(60))
    (found,) = directory.scan()
    assert found.label is not None
    assert not found.is_complete
    told: list[Damage] = []
    got = list(directory.read(found.media, found.session, on_damage=told.append).records())
    assert got
    assert len(told) <= 1


def test_the_volumes_of_a_storage_daemon_are_scanned_too(tmp_path: Path) -> None:
    for name in [*SPANNING, "incr", "interleaved"]:
        golden(name).put(tmp_path)
    found = {one.session.vol_session_id: one for one in VolumeDirectory.open(tmp_path).scan()}
    assert sorted(found) == [30, 31, 32, 33, 34, 36]
    assert all(one.is_complete for one in found.values())
    assert [part.volume for part in found[31].media] == SPANNING
    records = list(VolumeDirectory.open(tmp_path).read(found[31].media, found[31].session).records())
    assert [len(one.data) for one in records] == [85, 65536, 65536, 28928, 16, 79]


def test_a_volume_that_cannot_be_read_does_not_hide_the_others(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    save(directory, files(20), limit=400_000)
    (directory.path / "Vol-0002").write_bytes(b"rubbish" * 1000)
    with pytest.raises(VolumeError, match="Vol-0002"):
        directory.scan()
    told: list[Damage] = []
    (found,) = directory.scan(told.append)
    assert "Vol-0002" not in [part.volume for part in found.media]
    assert told[0].volume == "Vol-0002"


def test_an_empty_directory_has_no_jobs(tmp_path: Path) -> None:
    assert opened(tmp_path).scan() == []
