from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from filed.errors import VolumeError
from filed.storage.disk.sequence import FILE_NAME, Sequence
from filed.volume import Session


def test_sessions_of_one_second_are_counted(tmp_path: Path) -> None:
    sequence = Sequence(tmp_path)
    assert [sequence.next_session(5.9) for _ in range(3)] == [Session(1, 5), Session(2, 5), Session(3, 5)]
    assert sequence.next_session(6.0) == Session(1, 6)


def test_a_clock_set_back_gives_no_pair_twice(tmp_path: Path) -> None:
    sequence = Sequence(tmp_path)
    assert sequence.next_session(100) == Session(1, 100)
    assert sequence.next_session(50) == Session(2, 100)
    assert sequence.next_session(101) == Session(1, 101)


def test_volume_numbers_only_rise(tmp_path: Path) -> None:
    sequence = Sequence(tmp_path)
    assert [sequence.next_volume(highest) for highest in (0, 0, 7, 3)] == [1, 2, 8, 9]


def test_the_numbers_survive_the_process(tmp_path: Path) -> None:
    Sequence(tmp_path).next_volume(41)
    assert Sequence(tmp_path).next_volume(0) == 43
    assert (tmp_path / FILE_NAME).read_bytes() == b"filed 1 volume 0000000043 session 0000000000 0000000000\n"


@pytest.mark.parametrize("content", [b"", b"filed 1 vol", b"rubbish\n" * 9])
def test_a_damaged_file_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    sequence = Sequence(tmp_path)
    assert sequence.next_volume(6) == 7
    assert sequence.next_session(9) == Session(1, 9)


def test_an_error_of_the_disk_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match=r"\.sequence"):
        Sequence(tmp_path / "missing").next_volume(0)


def test_a_clock_of_the_far_future_is_questioned(tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match="is the clock right"):
        Sequence(tmp_path).next_session(2.0**33)


def take(path: str) -> list[tuple[int, int]]:
    return [tuple(Sequence(Path(path)).next_session(1000)) for _ in range(25)]


def test_no_two_threads_or_processes_get_the_same_session(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as threads, multiprocessing.get_context("spawn").Pool(2) as processes:
        inside = threads.map(take, [str(tmp_path)] * 2)
        outside = processes.map(take, [str(tmp_path)] * 2)
        pairs = [pair for taken in (*inside, *outside) for pair in taken]
    assert len(set(pairs)) == len(pairs) == 100
