from __future__ import annotations

import fcntl
import multiprocessing
import os
import random
import signal
import stat
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from filed.errors import VolumeError
from filed.storage import JobIdentity, JobMedia, JobTotals, VolumeDirectory
from filed.volume import Session
from tests.storage.jobs import NOW, files, fill, job, killed_job, load, opened, save, state
from tests.volume.golden import golden

SPAWN = multiprocessing.get_context("spawn")


def test_a_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    directory = VolumeDirectory.open(tmp_path / "a" / "b", create=True)
    assert stat.S_IMODE(directory.path.stat().st_mode) == 0o700


def test_the_mode_of_an_existing_directory_is_the_users_business(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir(mode=0o755)
    VolumeDirectory.open(tmp_path / "there", create=True)
    assert stat.S_IMODE((tmp_path / "there").stat().st_mode) == 0o755


def test_a_directory_that_is_not_there_is_not_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match="not a directory of Volumes"):
        VolumeDirectory.open(tmp_path / "missing")
    (tmp_path / "file").touch()
    with pytest.raises(VolumeError, match="file"):
        VolumeDirectory.open(tmp_path / "file", create=True)
    with pytest.raises(VolumeError, match="cannot be used"):
        VolumeDirectory.open(tmp_path / "file" / "below", create=True)


def test_volumes_are_known_by_name_or_by_content(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    for name in ("Vol-10000", "Vol-9999", "Vol-0001"):
        (directory.path / name).touch()
    golden("md5").put(directory.path)
    (directory.path / "catalog.sqlite").write_bytes(b"SQLite format 3\0" * 10)
    (directory.path / "Vol-0002").mkdir()
    (directory.path / ".hidden").write_bytes(golden("md5").data)
    assert directory.volumes() == ["Vol-0001", "Vol-9999", "Vol-10000", "md5"]


def test_a_job_of_many_volumes_lists_the_directory_no_more_often_than_one_of_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each new Volume changed the directory, and had all others looked at."""
    directory = opened(tmp_path)
    listings: list[object] = []
    for name in ("scandir", "listdir"):
        monkeypatch.setattr(os, name, partial(_counted, listings, getattr(os, name)))
    own = directory.own_files()
    counts = []
    for number, volumes in ((1, 5), (2, 40)):
        target = directory.append_session(job(number), 130_000, begin_volume=True)
        own()
        before = len(listings)
        for record in files(volumes * 2, seed=number):
            target.write(*record)
            made = own()
        counts.append(len(listings) - before)
        assert made == {(one.stat().st_dev, one.stat().st_ino) for one in directory.path.iterdir()}
        target.finish(JobTotals(1, 1))
    assert counts[1] <= counts[0] + 1
    assert len(directory.volumes()) > 30
    made = own()
    (directory.path / "Vol-9999").touch()
    os.utime(directory.path, ns=(1, 1))  # whatever the clock of the file system ticks in
    assert len(own()) == len(made) + 1


def _counted(calls: list[object], listing: Callable[..., object], *arguments: object) -> object:
    calls.append(arguments)
    return listing(*arguments)


def test_without_dead_sessions_no_volume_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = opened(tmp_path)
    save(directory, files(40), limit=200_000)
    assert len(directory.volumes()) > 5
    read: list[object] = []
    monkeypatch.setattr(os, "read", partial(_counted, read, os.read))
    directory.take_back(())
    assert read == []
    directory.take_back({Session(1, 2)})
    assert len(read) == len(directory.volumes())


def test_a_link_is_no_volume(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    golden("md5").put(tmp_path)
    for name in ("Vol-0001", "md6"):
        (directory.path / name).symlink_to(tmp_path / "md5")
    assert directory.volumes() == []
    with pytest.raises(VolumeError, match="Vol-0001 is a symbolic link, and none is followed"):
        directory.volume("Vol-0001")


def test_only_a_volume_of_that_name_is_removed(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    golden("md5").put(directory.path)
    (directory.path / "md5").rename(directory.path / "Vol-0002")
    (directory.path / "Vol-0001").write_text("the only copy of something")
    for name, why in (("Vol-0001", "it has no Volume label"), ("Vol-0002", "it holds the Volume md5")):
        with pytest.raises(VolumeError, match=f"{name} is not removed: {why}"):
            directory.remove_volume(name)
        assert (directory.path / name).exists()
    (directory.path / "Vol-0002").rename(directory.path / "md5")
    directory.remove_volume("md5")
    assert not (directory.path / "md5").exists()


def test_private_files_of_the_dead_go_after_an_hour(tmp_path: Path) -> None:
    for name, age_s in (
        (".filed-base-old", 3700),
        (".filed-links-young", 60),
        ("filed-mine", 9999),
        (".sequence", 9999),
    ):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (NOW - age_s, NOW - age_s))
    VolumeDirectory.open(tmp_path, clock=lambda: NOW).remove_stale()
    assert {path.name for path in tmp_path.iterdir()} == {".filed-links-young", "filed-mine", ".sequence"}


def test_a_directory_that_went_away_is_an_error(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    directory.path.rmdir()
    with pytest.raises(VolumeError, match="cannot be read"):
        directory.volumes()


def test_two_jobs_at_once_write_to_two_volumes(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    save(directory, files(1))
    first, second = directory.append_session(job(2)), directory.append_session(job(3))
    fill(first, files(20, seed=2))
    fill(second, files(20, seed=3))
    media = first.finish(JobTotals(20, 0)), second.finish(JobTotals(20, 0))
    assert [part.volume for parts in media for part in parts] == ["Vol-0001", "Vol-0002"]
    assert first.session != second.session
    assert load(directory, first.session, media[0]) == files(20, seed=2)
    assert load(directory, second.session, media[1]) == files(20, seed=3)


def work(path: str, seed: int) -> tuple[Session, list[JobMedia]]:
    directory = VolumeDirectory.open(path, clock=lambda: NOW)
    return save(directory, files(30, seed=seed), seed, limit=700_000)


def test_processes_that_write_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    with SPAWN.Pool(3) as pool:
        written = pool.starmap(work, [(str(directory.path), seed) for seed in range(1, 7)])
    assert len({session for session, _ in written}) == 6
    for seed, (session, media) in enumerate(written, 1):
        assert load(directory, session, media) == files(30, seed=seed)
    assert [(one.session, list(one.media)) for one in directory.scan()] == sorted(written)


def test_a_full_volume_is_left_for_a_new_one(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    _, first = save(directory, files(5), limit=500_000)
    size = first[-1].end + 1
    _, second = save(directory, files(1), number=2, limit=size + 64511)
    assert second[0].volume == "Vol-0002"
    _, third = save(directory, files(1), number=3, limit=size + 3 * 64512)
    assert third[0].volume == "Vol-0002"


def test_a_volume_that_was_never_labelled_is_labelled_and_used(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    for size in (0, 1, 30, 164):
        target = directory.path / "Vol-0001"
        save(directory, files(1)) if not target.exists() else None
        data = target.read_bytes()
        target.write_bytes(data[:size])
        session, media = save(directory, files(3), number=2)
        assert media[0].volume == "Vol-0001"
        assert load(directory, session, media) == files(3)


def test_a_damaged_volume_is_reported_and_left_alone(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    save(directory, files(5))
    path = directory.path / "Vol-0001"
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    told: list[str] = []
    _, media = save(directory, files(1), number=2, report=told.append)
    assert media[0].volume == "Vol-0002"
    assert "Vol-0001" in told[0]
    assert path.read_bytes() == data


def test_volumes_of_a_storage_daemon_are_left_alone(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    theirs = golden("md5").data
    (directory.path / "Vol-0001").write_bytes(theirs)
    told: list[str] = []
    _, media = save(directory, files(1), report=told.append)
    assert media[0].volume == "Vol-0002"
    assert (directory.path / "Vol-0001").read_bytes() == theirs


def test_numbers_are_not_given_twice_even_when_volumes_are_removed(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    save(directory, files(1))
    directory.remove_volume("Vol-0001")
    assert directory.volumes() == []
    _, media = save(directory, files(1), number=2)
    assert media[0].volume == "Vol-0002"


def test_a_volume_in_use_is_not_removed(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    target = directory.append_session(job())
    with pytest.raises(VolumeError, match="in use by a running Job"):
        directory.remove_volume("Vol-0001")
    target.finish(JobTotals(0, 0))
    directory.remove_volume("Vol-0001")
    with pytest.raises(VolumeError, match="there is no Volume Vol-0001"):
        directory.remove_volume("Vol-0001")
    with pytest.raises(VolumeError, match="cannot be the name"):
        directory.remove_volume("../catalog.sqlite")


def test_a_job_whose_name_fits_no_label_is_refused_at_once(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    with pytest.raises(VolumeError, match="Client"):
        directory.append_session(JobIdentity(1, "Job.1", "Job", "x" * 200, "All"))
    assert directory.volumes() == []


def test_a_new_volume_that_cannot_be_labelled_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = opened(tmp_path)
    save(directory, files(1))
    directory.remove_volume("Vol-0001")
    real = os.pwrite

    def pwrite(fd: int, data: bytes, offset: int) -> int:
        if os.readlink(f"/proc/self/fd/{fd}").endswith("Vol-0002"):
            raise OSError(28, "No space left on device")
        return real(fd, data, offset)

    monkeypatch.setattr(os, "pwrite", pwrite)
    with pytest.raises(VolumeError, match="free some space"):
        directory.append_session(job())
    assert directory.volumes() == []


# A killed writer


def write_forever(path: str, seed: int, limit: int) -> None:
    directory = VolumeDirectory.open(path, clock=lambda: NOW)
    target = directory.append_session(job(9), limit)
    data = random.Random(seed).randbytes(65536)
    index = 0
    while True:
        index += 1
        target.write(index, 1, b"%d 3 /endless" % index)
        target.write(index, 2, data)


@pytest.mark.parametrize("seed", range(6))
def test_a_killed_job_costs_only_itself(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    limit = chance.choice([0, 3_000_000])
    directory = opened(tmp_path)
    kept = [save(directory, files(4, seed=seed), 1, limit=limit)]
    before = directory.path / "Vol-0001"
    size = before.stat().st_size
    process = SPAWN.Process(target=write_forever, args=(str(directory.path), seed, limit))
    process.start()
    while sum((directory.path / name).stat().st_size for name in directory.volumes()) < size + chance.randrange(
        8 << 20
    ):
        assert process.is_alive()
        time.sleep(0.001)  # until the disk has seen that much of it
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    for number in (2, 3):
        told: list[str] = []
        kept.append(save(directory, files(4, seed=seed + number), number, limit=limit, report=told.append))
    for number, (session, media) in enumerate(kept):
        assert load(directory, session, media) == files(4, seed=seed + (0, 2, 3)[number])
    if not limit:
        assert [part.volume for _, media in kept for part in media] == ["Vol-0001"] * 3
        assert kept[1][1][0].start == size
    whole = [one for one in directory.scan(lambda _damage: None) if one.is_complete]
    assert [(one.session, list(one.media)) for one in whole] == sorted(kept)


def test_the_catalog_may_know_better_than_a_volume(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    session = killed_job(directory, files(60))
    size = (directory.path / "Vol-0001").stat().st_size
    target = directory.append_session(job(2), finished=lambda asked: asked == session)
    assert (directory.path / "Vol-0001").stat().st_size == size
    target.abandon()
    target = directory.append_session(job(3), finished=lambda _asked: False)
    assert (directory.path / "Vol-0001").stat().st_size == 168  # the label
    target.abandon()


def test_nothing_is_cut_where_another_program_has_its_volumes(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    killed_job(directory, files(60))
    before = state(directory)
    golden("md5").put(directory.path)
    _, media = save(directory, files(1), number=2)
    after = (directory.path / "Vol-0001").read_bytes()
    assert after.startswith(before["Vol-0001"])
    assert media[0].start == len(before["Vol-0001"])


def _lock_is_free(path: Path) -> bool:
    with path.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


@pytest.mark.parametrize("name", ["catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm", "filed-states.sqlite"])
def test_looking_for_volumes_takes_no_lock_from_a_catalog(tmp_path: Path, name: str) -> None:
    """It did: a running Job lost its locks, and the next one cut the catalog's index from under it (SIGBUS)."""
    directory = VolumeDirectory.open(tmp_path / "v", create=True)
    path = directory.path / name
    path.touch()
    with path.open("r+b") as file, SPAWN.Pool(1) as other:
        fcntl.lockf(file, fcntl.LOCK_EX)
        assert directory.volumes() == []
        assert other.apply(_lock_is_free, (path,)) is False
