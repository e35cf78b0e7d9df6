from __future__ import annotations

import sys
from pathlib import Path

import pytest

from filed.errors import VolumeError
from filed.volume import Damage, Session, end_of_session, last_file_index, open_volume, survey
from tests.volume.build import OTHER, SESSION, blocks, files, volume
from tests.volume.golden import BB02, BB03, SPANNING, blocks_of, golden


@pytest.mark.parametrize("name", [name for name in BB02 + BB03 if name not in SPANNING])
def test_the_sessions_of_a_real_volume_are_found(tmp_path: Path, name: str) -> None:
    vector = golden(name)
    with open_volume(vector.put(tmp_path), key=vector.key) as reader:
        parts = survey(reader)
    expected = {row[:2] for row in vector.expected if row[2] in (-4, -5)}
    assert {part.session for part in parts} == expected
    for part in parts:
        indexes = [row[2] for row in vector.expected if row[:2] == part.session and row[2] > 0]
        assert (part.first_index, part.last_index) == (min(indexes), max(indexes))
        assert part.label is not None
        assert part.ended is not None
        assert part.ended.end is not None
        assert part.ended.end.files == len(set(indexes))


def test_a_session_over_three_volumes_has_its_labels_at_the_ends(tmp_path: Path) -> None:
    parts = []
    for name in SPANNING:
        with open_volume(golden(name).put(tmp_path)) as reader:
            parts += survey(reader)
    assert [(part.first_number, part.first_index, part.last_index) for part in parts] == [
        (1, 1, 1),
        (2, 1, 1),
        (3, 1, 2),
    ]
    assert [bool(part.label) for part in parts] == [True, False, False]
    assert [bool(part.ended) for part in parts] == [False, False, True]
    assert (parts[0].start, parts[0].end) == (211, 64722)


def test_an_unused_volume_has_no_sessions(tmp_path: Path) -> None:
    with open_volume(golden("unused").put(tmp_path)) as reader:
        assert survey(reader) == []


def test_a_dead_session_has_a_start_and_no_end(tmp_path: Path) -> None:
    label = next(one for one in _records(golden("incr").data) if one[0] == -4)
    with open_volume(volume(tmp_path / "Dead", blocks([label, *files(50)]))) as reader:
        (part,) = survey(reader)
    assert part.label is not None
    assert part.label.job_id == 30
    assert part.ended is None
    assert (part.first_index, part.last_index) == (1, 50)


def _records(data: bytes) -> list[tuple[int, int, bytes]]:
    out = []
    for block in blocks_of(data):
        at = 24
        while at + 12 <= len(block):
            head = [int.from_bytes(block[at + 4 * n : at + 4 * n + 4], "big", signed=n < 2) for n in range(3)]
            out.append((head[0], head[1], block[at + 12 : at + 12 + head[2]]))
            at += 12 + head[2]
    return out


def test_an_end_alone_in_its_block_does_not_hide_the_last_file(tmp_path: Path) -> None:
    end = next(one for one in _records(golden("incr").data) if one[0] == -5)
    parts = blocks(files(30)), blocks([end], number=9)
    with open_volume(volume(tmp_path / "End", *parts)) as reader:
        (part,) = survey(reader)
    assert (part.last_index, part.ended is not None) == (30, True)


def test_a_session_that_is_damaged_at_its_start_is_left_out_when_forgiving(tmp_path: Path) -> None:
    first, second = blocks(files(9)), blocks(files(5), OTHER)
    path = volume(tmp_path / "Vol", first, second)
    data = bytearray(path.read_bytes())
    data[len(data) - len(second) - len(first) + 60] ^= 4
    path.write_bytes(data)
    with open_volume(path) as reader, pytest.raises(VolumeError, match="checksum"):
        survey(reader)
    told: list[Damage] = []
    with open_volume(path, on_damage=told.append) as reader:
        assert [part.session for part in survey(reader)] == [OTHER]
    assert told


def test_damage_to_a_header_does_not_hide_the_sessions_behind_it(tmp_path: Path) -> None:
    path = volume(tmp_path / "Vol", blocks(files(200)), blocks(files(5), OTHER))
    data = bytearray(path.read_bytes())
    at = len(blocks_of(bytes(data))[0]) + len(blocks_of(bytes(data))[1])
    data[at + 12] ^= 4
    path.write_bytes(data)
    told: list[Damage] = []
    with open_volume(path, on_damage=told.append) as reader:
        assert {part.session for part in survey(reader)} == {SESSION, OTHER}
    assert told


def test_a_label_that_cannot_be_understood_is_an_error(tmp_path: Path) -> None:
    path = volume(tmp_path / "Vol", blocks([(-4, 1, b"nonsense")]))
    with open_volume(path) as reader, pytest.raises(VolumeError, match="session label"):
        survey(reader)
    told: list[Damage] = []
    with open_volume(path, on_damage=told.append) as reader:
        (part,) = survey(reader)
    assert part.label is None
    assert "session label" in told[0].text


def test_a_block_tells_its_last_file_and_whether_it_ends_a_session(tmp_path: Path) -> None:
    with open_volume(golden("md5").put(tmp_path)) as reader:
        label, data = list(reader.walk.blocks())
    assert (last_file_index(label), last_file_index(data)) == (0, 20)
    assert end_of_session(label) is None
    ended = end_of_session(data)
    assert ended is not None
    assert ended.job_id == 2


def test_too_many_sessions_are_no_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["filed.volume.survey"], "MAX_SESSIONS", 3)
    parts = [blocks([(1, 1, b"x")], Session(number, 1)) for number in range(5)]
    with (
        open_volume(volume(tmp_path / "Vol", *parts)) as reader,
        pytest.raises(VolumeError, match="more than 3 sessions"),
    ):
        survey(reader)
