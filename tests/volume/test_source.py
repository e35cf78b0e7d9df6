from __future__ import annotations

import os
from pathlib import Path

import pytest

from filed.errors import VolumeError
from filed.volume import FileRanges, VolumeReader
from filed.volume.source import SECTOR_BYTES, WINDOW_BYTES, VolumeSource
from tests.volume.failing import InMemory


def test_a_window_has_what_is_needed_or_all_there_is() -> None:
    content = os.urandom(3 * WINDOW_BYTES + 17)
    with VolumeSource(InMemory(content)) as source:
        assert source.size() == len(content)
        for offset, need in [(0, 1), (100, 64512), (WINDOW_BYTES - 5, 10), (2 * WINDOW_BYTES, 2), (5, 5)]:
            data, index = source.at(offset, need)
            assert data[index : index + need] == content[offset : offset + need]
        data, index = source.at(len(content) - 7, 100)
        assert data[index:] == content[-7:]
        data, index = source.at(len(content) + 7, 100)
        assert data[index:] == b""


def test_a_small_look_reads_little() -> None:
    with VolumeSource(InMemory(bytes(1000))) as source:
        assert len(source.at(10, 44, ahead=44)[0]) == 44


def test_a_file_is_read_as_what_is_in_it(tmp_path: Path) -> None:
    content = os.urandom(3000)
    (tmp_path / "Vol").write_bytes(content)
    with VolumeSource(FileRanges(tmp_path / "Vol")) as source:
        assert (source.name, source.size()) == ("Vol", 3000)
        data, index = source.at(100, 2000)
        assert data[index : index + 2000] == content[100:2100]


def test_a_volume_need_not_be_a_file() -> None:
    with VolumeReader(InMemory(bytes(100))) as reader, pytest.raises(VolumeError, match="Vol-0001"):
        reader.label()


def test_a_missing_file_names_itself(tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match=r"Vol-0009 cannot be opened .*No such file"):
        VolumeSource(FileRanges(tmp_path / "Vol-0009"))


def test_a_fifo_is_refused_and_nobody_waits(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "Vol-0001")
    with pytest.raises(VolumeError, match="not a plain file"):
        VolumeSource(FileRanges(tmp_path / "Vol-0001"))


def test_a_bad_sector_is_an_error_when_strict() -> None:
    ranges = InMemory(bytes(20_000), bad={2})
    with VolumeSource(ranges) as source, pytest.raises(VolumeError, match="cannot be read here"):
        source.at(0, 1)


def test_a_bad_sector_is_zeros_when_forgiving() -> None:
    content = os.urandom(20_000)
    with VolumeSource(InMemory(content, bad={2}), forgiving=True) as source:
        data, index = source.at(100, 19_000)
        first, end = 2 * SECTOR_BYTES, 3 * SECTOR_BYTES
        assert data[index:] == content[100:first] + bytes(SECTOR_BYTES) + content[end:]
