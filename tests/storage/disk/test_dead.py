from __future__ import annotations

from pathlib import Path

import pytest

from filed.storage import VolumeDirectory
from filed.volume import Session
from tests.storage.jobs import files, job, killed_job, load, opened, save, state

LIMIT = 500_000


def killed(directory: VolumeDirectory, number: int = 7) -> Session:
    """A Job of several Volumes that is no more."""
    return killed_job(directory, files(60, seed=number), number, LIMIT)


def test_a_killed_jobs_volumes_go_and_the_one_it_began_in_is_cut(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    kept = save(directory, files(4), limit=LIMIT)
    before = state(directory)
    session = killed(directory)
    assert len(directory.volumes()) > 3
    told: list[str] = []
    directory.take_back({session}, told.append)
    assert state(directory) == before
    assert len(told) > 2
    assert load(directory, *kept) == files(4)


def test_a_job_that_is_not_dead_keeps_all_it_has(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    kept = save(directory, files(40), limit=LIMIT)
    killed(directory)
    before = state(directory)
    directory.take_back(())
    assert state(directory) == before
    assert load(directory, *kept) == files(40)


def test_what_others_wrote_since_stays(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    session = killed(directory)
    kept = save(directory, files(2), 9)
    directory.take_back({session})
    assert load(directory, *kept) == files(2)
    assert len(directory.volumes()) <= 2


def test_a_volume_that_never_got_its_label_goes(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    kept = save(directory, files(2))
    (directory.path / "Vol-0007").touch()
    told: list[str] = []
    directory.take_back((), told.append)
    assert directory.volumes() == ["Vol-0001"]
    assert len(told) == 1
    assert load(directory, *kept) == files(2)


@pytest.mark.parametrize("step", range(1, 6))
def test_whoever_is_killed_while_he_takes_back_leaves_the_rest_to_the_next(tmp_path: Path, step: int) -> None:
    directory = opened(tmp_path)
    save(directory, files(4), limit=LIMIT)
    before = state(directory)
    session = killed(directory)
    steps = iter(range(1, step))

    class Killed(BaseException):
        pass

    def told(_text: str) -> None:
        if next(steps, None) is None:
            raise Killed

    with pytest.raises(Killed):
        directory.take_back({session}, told)
    assert state(directory) != before
    directory.take_back({session})
    assert state(directory) == before


def test_a_volume_in_use_and_one_that_is_no_volume_are_left_alone(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    target = directory.append_session(job(1))
    (directory.path / "Vol-0009").write_bytes(b"something else")
    before = state(directory)
    directory.take_back({target.session})
    assert state(directory) == before
    target.abandon()


@pytest.mark.parametrize("damage", [b"", b"\0" * 300])
def test_a_damaged_label_is_told_and_left(tmp_path: Path, damage: bytes) -> None:
    directory = opened(tmp_path)
    session = killed(directory)
    with (directory.path / "Vol-0001").open("r+b") as file:
        file.seek(40)
        file.write(damage or b"x")
    told: list[str] = []
    directory.take_back({session}, told.append)
    assert any("Vol-0001" in text for text in told)
    assert (directory.path / "Vol-0001").exists()
