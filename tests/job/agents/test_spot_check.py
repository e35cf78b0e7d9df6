"""Files that an agent says it has restored, looked at."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from filed.job.agents.spot_check import SpotCheck
from filed.wire.attributes import FileType

TIME = 1_700_000_000


@pytest.fixture
def checked(tmp_path: Path) -> SpotCheck:
    """Three files that are as they should be."""
    made = SpotCheck()
    for number in range(3):
        restored(made, tmp_path / str(number))
    return made


def restored(spot_check: SpotCheck, path: Path, time: int = TIME) -> None:
    path.touch()
    os.utime(path, (time, time))
    spot_check.note(os.fsencode(path), FileType.REGULAR, TIME)


def test_what_is_there_is_not_talked_about(checked: SpotCheck) -> None:
    assert checked.warnings("mail 1.0") == []


def test_what_is_not_there_or_another_is_told(checked: SpotCheck, tmp_path: Path) -> None:
    checked.note(os.fsencode(tmp_path / "gone"), FileType.REGULAR, TIME)
    restored(checked, tmp_path / "late", time=TIME + 60)
    looked_at = "of 5 files that agent mail 1.0 says it has restored"
    assert checked.warnings("mail 1.0") == [
        f"{looked_at}, 1 are not there; the first is {tmp_path}/gone",
        f"{looked_at}, 1 have another time; the first is {tmp_path}/late",
    ]


def test_an_agent_that_restores_to_elsewhere_is_not_looked_at(tmp_path: Path) -> None:
    spot_check = SpotCheck()
    spot_check.note(os.fsencode(tmp_path / "elsewhere"), FileType.REGULAR, TIME)
    assert spot_check.warnings("mail 1.0") == []
    (tmp_path / "folder").mkdir()
    spot_check.note(
        os.fsencode(tmp_path / "folder"), FileType.DIRECTORY, TIME
    )  # it makes folders here, and no files in them
    assert len(spot_check.warnings("mail 1.0")) == 1
