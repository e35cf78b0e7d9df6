from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from filed.errors import VolumeError
from filed.storage import JobMedia, VolumeDirectory
from filed.storage.disk.read import check_volume_name
from filed.volume import Damage, FileIndexes, Session
from tests.storage.jobs import Plain, files, load, opened, save

Saved = tuple[VolumeDirectory, Session, list[JobMedia]]


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    """One Job over some Volumes."""
    directory = opened(tmp_path)
    session, media = save(directory, files(40), limit=300_000)
    return directory, session, media


def salvaged(saved: Saved, selection: FileIndexes | None = None) -> tuple[list[Plain], list[Damage]]:
    directory, session, media = saved
    told: list[Damage] = []
    records = directory.read(media, session, selection, on_damage=told.append).records()
    return [(one.file_index, one.stream, bytes(one.data)) for one in records], told


def expected(selection: FileIndexes) -> list[Plain]:
    return [one for one in files(40) if one[0] in selection]


@pytest.mark.parametrize("wanted", [[1], [40], [7, 8, 9], [3, 17, 31], range(1, 41), [99]])
def test_a_selection_comes_whole(saved: Saved, wanted: list[int]) -> None:
    selection = FileIndexes.of(wanted)
    assert load(*saved, selection) == expected(selection)


def test_volumes_without_a_selected_record_are_not_opened(saved: Saved) -> None:
    directory, _, media = saved
    wanted = FileIndexes.of([media[2].first_index + 1])
    for number, part in enumerate(media):
        if number != 2:
            (directory.path / part.volume).unlink()
    assert load(*saved, wanted) == expected(wanted)


def test_a_missing_volume_is_named(saved: Saved) -> None:
    directory, _, media = saved
    (directory.path / media[1].volume).unlink()
    with pytest.raises(VolumeError, match=r"Vol-0002 cannot be opened .*No such file"):
        load(*saved)


def test_the_rest_of_a_missing_volume_comes_when_asked_for(saved: Saved) -> None:
    directory, _, media = saved
    (directory.path / media[1].volume).unlink()
    got, told = salvaged(saved)
    inside = FileIndexes([(media[1].first_index, media[1].last_index)])
    assert {one[0] for one in got} >= set(range(1, 41)) - {index for index in range(41) if index in inside}
    assert [one for one in files(40) if one in got] == got
    assert told[0].volume == "Vol-0002"


def test_another_volume_under_the_name_is_noticed(saved: Saved) -> None:
    directory, _, media = saved
    (directory.path / media[2].volume).replace(directory.path / media[1].volume)
    with pytest.raises(VolumeError, match="the file of Volume Vol-0002 holds the Volume Vol-0003"):
        load(*saved)
    _, told = salvaged(saved)
    assert "holds the Volume" in told[0].text


def test_a_truncated_volume_is_noticed_at_the_latest_at_its_end(saved: Saved) -> None:
    directory, _, media = saved
    path = directory.path / media[1].volume
    for lost in (1, 1000, 64512, 100_000):
        path.write_bytes(path.read_bytes()[:-lost])
        with pytest.raises(VolumeError, match="cut short"):
            load(*saved)
        got, told = salvaged(saved)
        assert told
        assert [one for one in files(40) if one in got] == got


def test_a_missing_end_of_the_list_is_noticed(saved: Saved) -> None:
    directory, session, media = saved
    with pytest.raises(VolumeError, match="not complete"):
        load(directory, session, media[:2])
    told: list[Damage] = []
    list(directory.read(media[:2], session, on_damage=told.append).records())
    assert told[-1].file_index == media[1].last_index


def test_a_record_may_begin_where_nobody_wants_it(saved: Saved) -> None:
    directory, session, media = saved
    wanted = FileIndexes.of([media[1].first_index + 2])
    assert load(directory, session, media[:2], wanted) == expected(wanted)


@pytest.mark.parametrize("name", ["", ".", "..", "../etc/passwd", "a/b", "/etc/passwd", "a\0b"])
def test_a_name_that_leaves_the_directory_is_no_volume(saved: Saved, name: str) -> None:
    directory, session, media = saved
    with pytest.raises(VolumeError, match="cannot be the name"):
        check_volume_name(name)
    with pytest.raises(VolumeError, match="cannot be the name"):
        load(directory, session, [replace(media[0], volume=name)])


def test_a_range_per_stretch_of_one_volume_is_read_as_one(tmp_path: Path) -> None:
    """A Storage Daemon's catalog may have several rows for one Volume."""
    directory = opened(tmp_path)
    session, (whole,) = save(directory, files(40))
    middle = whole.start + 10 * 64512
    parts = [replace(whole, end=middle - 1), replace(whole, start=middle)]
    assert load(directory, session, parts) == files(40)
