from __future__ import annotations

import os
from pathlib import Path

import pytest

from filed.errors import VolumeError
from filed.volume.source import WINDOW_BYTES, VolumeSource
from tests.volume.failing import bad_sectors


def test_a_window_has_what_is_needed_or_all_there_is(tmp_path: Path) -> None:
    content = os.urandom(3 * WINDOW_BYTES + 17)
    (tmp_path / "Vol").write_bytes(content)
    with VolumeSource(tmp_path / "Vol") as source:
        assert source.size() == len(content)
        for offset, need in [(0, 1), (100, 64512), (WINDOW_BYTES - 5, 10), (2 * WINDOW_BYTES, 2), (5, 5)]:
            data, index = source.at(offset, need)
            assert data[index : index + need] == content[offset : offset + need]
        data, index = source.at(len(content) - 7, 100)
        assert data[index:] == content[-7:]
        data, index = source.at(len(content) + 7, 100)
        assert data[index:] == b""


def test_a_small_look_reads_little(tmp_path: Path) -> None:
    (tmp_path / "Vol").write_bytes(bytes(1000))
    with VolumeSource(tmp_path / "Vol") as source:
        assert len(source.at(10, 44, ahead=44)[0]) == 44


def test_a_missing_file_names_itself(tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match=r"Vol-0009 cannot be opened .*No such file"):
        VolumeSource(tmp_path / "Vol-0009")


def test_a_fifo_is_refused_and_nobody_waits(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "Vol-0001")
    with pytest.raises(VolumeError, match="not a plain file"):
        VolumeSource(tmp_path / "Vol-0001")


def test_a_bad_sector_is_an_error_when_strict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Vol").write_bytes(bytes(20_000))
    monkeypatch.setattr(os, "pread", bad_sectors({2}))
    with VolumeSource(tmp_path / "Vol") as source, pytest.raises(VolumeError, match="cannot be read here"):
        source.at(0, 1)


def test_a_bad_sector_is_zeros_when_forgiving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = os.urandom(20_000)
    (tmp_path / "Vol").write_bytes(content)
    monkeypatch.setattr(os, "pread", bad_sectors({2}))
    with VolumeSource(tmp_path / "Vol", forgiving=True) as source:
        data, index = source.at(100, 19_000)
        assert data[index:] == content[100:8192] + bytes(4096) + content[12288:]
