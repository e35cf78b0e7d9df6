"""What an agent was given to write is looked for where it belongs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from filed.job.decode.written import SAMPLES, Written

PIECES = [(0, b"a" * 1000), (5000, b"b" * 1000), (6000, b"c" * 1000)]  # a hole between the first two


def written(dest: Path, place: Callable[[int], int] = lambda offset: offset, cut: int = 0) -> Written:
    """A file as some agent makes it. place: where that puts what is for an offset."""
    found = Written(os.fsencode(dest))
    with dest.open("wb") as file:
        for offset, content in PIECES:
            found.add(memoryview(content), offset)
            file.seek(place(offset))
            file.write(content)
        if cut:
            file.truncate(cut)
    return found


def test_what_stands_where_it_belongs_is_no_news(tmp_path: Path) -> None:
    assert written(tmp_path / "f").missing() == ""


@pytest.mark.parametrize(
    ("place", "cut", "told"),
    [
        (lambda offset: offset, 6500, "7,000 bytes were written, and the file has 6,500"),
        (lambda offset: {0: 0, 5000: 1000, 6000: 2000}[offset], 0, "7,000 bytes were written, and the file has 3,000"),
        (lambda offset: {0: 0, 5000: 1000, 6000: 6000}[offset], 0, "what was written at byte 5,000 is not there"),
        (lambda offset: {0: 0, 5000: 6000, 6000: 5000}[offset], 0, "what was written at byte 5,000 is not there"),
    ],
)
def test_what_stands_elsewhere_is_told(tmp_path: Path, place: Callable[[int], int], cut: int, told: str) -> None:
    assert written(tmp_path / "f", place, cut).missing() == told


def test_nothing_is_said_of_what_cannot_be_seen(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("kept")
    for name in ("none", "directory", "fifo", "link"):
        found = Written(os.fsencode(tmp_path / name))
        found.add(b"content", 0)
        assert found.missing() == ""


def test_a_file_of_any_length_has_so_many_samples(tmp_path: Path) -> None:
    """Reading back what is in place says nothing however many pieces there were; the last quarter is still looked at."""
    found = Written(os.fsencode(tmp_path / "f"))
    with (tmp_path / "f").open("wb") as file:
        for number in range(SAMPLES * 20):
            content = b"%08d" % number
            found.add(content, number * 8)
            file.write(content)
    assert found.missing() == ""
    with (tmp_path / "f").open("r+b") as file:
        file.seek(SAMPLES * 15 * 8)
        file.write(b"x" * SAMPLES * 5 * 8)
    assert "is not there" in found.missing()
