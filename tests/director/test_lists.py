from __future__ import annotations

from pathlib import Path

import pytest

from filed.director.lists import AccurateFile, remove_lists
from filed.errors import JobError
from filed.job.select.accurate_list import packets
from filed.wire.frame import pack_packet
from tests.full_disk import no_file_above


def test_a_list_is_kept_as_it_came_and_nobody_else_reads_it(tmp_path: Path) -> None:
    with AccurateFile.create(tmp_path) as listed:
        listed.append(pack_packet(b"/a\0stat"))
        listed.append(memoryview(pack_packet(b"/b") + pack_packet(b"")))
    with listed.path.open("rb") as file:
        assert list(packets(file)) == [b"/a\0stat", b"/b", b""]
    assert listed.path.stat().st_mode & 0o777 == 0o600
    listed.remove()
    listed.remove()
    assert list(tmp_path.iterdir()) == []


def test_where_there_is_no_room_the_job_fails(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="cannot be kept"):
        AccurateFile.create(tmp_path / "nowhere")


def test_a_disk_that_is_full_when_the_list_ends_fails_the_job(tmp_path: Path) -> None:
    """What is short waits in memory until then."""
    listed = AccurateFile.create(tmp_path)
    with no_file_above(4096), pytest.raises(JobError, match=f"cannot be kept in {tmp_path}: File too large"), listed:
        listed.append(b"x" * 10_000)


def test_the_list_of_a_process_that_was_killed_goes_and_no_other(tmp_path: Path) -> None:
    with AccurateFile.create(tmp_path) as mine:
        mine.append(b"/a\0stat")
    for name in (".filed-accurate-99-abc", ".filed-accurate-", ".filed-accurate-x-1"):
        (tmp_path / name).touch()
    remove_lists(tmp_path, lambda pid: pid == 99)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {mine.path.name, ".filed-accurate-", ".filed-accurate-x-1"}
