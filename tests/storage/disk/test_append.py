from __future__ import annotations

import errno
import os
import resource
import signal
import stat
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.errors import VolumeError
from filed.storage import JobTotals
from filed.volume import open_volume, parse_session_label
from tests.storage.jobs import NOW, Plain, block_begun, files, fill, job, load, opened, save, state

BLOCK = 64512


def test_a_job_comes_back_as_it_went(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    session, media = save(directory, files(30))
    assert load(directory, session, media) == files(30)
    assert [(part.volume, part.first_index, part.last_index) for part in media] == [("Vol-0001", 1, 30)]
    assert media[0].end == (directory.path / "Vol-0001").stat().st_size - 1


def test_the_labels_say_who_and_how_much(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    session, media = save(directory, files(3))
    with open_volume(directory.path / "Vol-0001") as reader:
        label = reader.label()
        records = list(reader.records())
    assert (label.name, label.pool, label.media_type, label.host, label.program) == (
        "Vol-0001", "Default", "File", "tests", "filed",
    )  # fmt: skip
    assert label.written == int(NOW * 1_000_000)
    assert records[0].session == session
    start = parse_session_label(records[1].data, ended=False)
    end = parse_session_label(records[-1].data, ended=True)
    assert (start.job_id, start.job, start.client, start.file_set, start.level) == (1, job().job, "client", "All", "F")
    assert end.end is not None
    assert (end.end.files, end.end.status, end.end.start, end.end.errors) == (3, "T", media[0].start, 0)
    with open_volume(directory.path / "Vol-0001") as reader:
        assert [block.offset for block in reader.walk.blocks()][-1] == end.end.end
    assert records[-1].stream == 1


def test_a_second_job_goes_behind_the_first(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    first_session, first = save(directory, files(5))
    second_session, second = save(directory, files(5, seed=2), number=2)
    assert first_session != second_session
    assert second[0].volume == "Vol-0001"
    assert second[0].start == first[0].end + 1
    assert load(directory, first_session, first) == files(5)
    assert load(directory, second_session, second) == files(5, seed=2)
    with open_volume(directory.path / "Vol-0001") as reader:
        numbers = {offset: header.number for offset, header in reader.walk.headers()}
    assert (numbers[0], numbers[first[0].start], numbers[second[0].start]) == (0, 1, 0)


def test_a_job_without_a_record_is_a_job(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    session, media = save(directory, [])
    assert (media[0].first_index, media[0].last_index) == (0, 0)
    assert load(directory, session, media) == []


def test_a_job_over_many_volumes_comes_back_whole(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    session, media = save(directory, files(40), limit=300_000)
    assert len(media) > 5
    assert directory.volumes() == [part.volume for part in media]
    assert load(directory, session, media) == files(40)
    assert all((directory.path / part.volume).stat().st_size <= 300_000 for part in media)
    for before, after in pairwise(media):
        assert before.last_index in (after.first_index, after.first_index - 1)
    with open_volume(directory.path / "Vol-0003") as reader:
        label, record = reader.label(), next(reader.records())
    assert (label.previous, record.stream) == ("Vol-0002", 3)


def test_block_numbers_go_on_in_the_next_volume(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    save(directory, files(20), limit=300_000)
    numbers = []
    for name in directory.volumes():
        with open_volume(directory.path / name) as reader:
            found = [header.number for _, header in reader.walk.headers()]
        assert found[0] == 0
        numbers += found[1:]
    assert numbers == list(range(1, len(numbers) + 1))


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 70_000)), max_size=25),
    st.integers(0, 200_000),
)
def test_any_job_over_volumes_of_any_size(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[tuple[int, int]], limit: int
) -> None:
    directory = opened(tmp_path_factory.mktemp("any"))
    records: list[Plain] = []
    index = 0
    for step, size in sizes:
        index = max(1, index + min(step, 1))
        records.append((index, 2, os.urandom(size)))
    session, media = save(directory, records, limit=limit)
    assert load(directory, session, media) == records
    for part in media:
        with open_volume(directory.path / part.volume) as reader:
            present = {one.file_index for one in reader.select(session, None, part.start, part.end + 1)}
        assert all(part.first_index <= one <= part.last_index for one in present)
    (found,) = directory.scan()
    assert list(found.media) == media
    assert found.is_complete
    second_session, second = save(directory, records[:3], number=2, limit=limit)
    assert load(directory, second_session, second) == records[:3]
    assert load(directory, session, media) == records


@pytest.mark.parametrize("left", range(60))
def test_the_end_label_knows_its_block_whatever_room_is_left(tmp_path: Path, left: int) -> None:
    directory = opened(tmp_path)
    target = directory.append_session(job(), 165 + BLOCK + 40 + left)
    target.write(1, 2, bytes(BLOCK - block_begun(job()) - 12 - left * 4))
    media = target.finish(JobTotals(1, 1))
    (found,) = directory.scan()
    assert found.ended is not None
    assert found.ended.end is not None
    last = media[-1]
    with open_volume(directory.path / last.volume) as reader:
        blocks = [block.offset for block in reader.walk.blocks()]
    assert found.ended.end.end == blocks[-1]
    assert found.media == tuple(media)


def test_an_abandoned_job_leaves_the_volumes_as_they_were(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    save(directory, files(5), limit=1_000_000)
    before = state(directory)
    target = directory.append_session(job(2), 1_000_000)
    fill(target, files(90, seed=3))
    assert len(directory.volumes()) > 3
    target.abandon()
    target.abandon()
    assert state(directory) == before
    session, media = save(directory, files(2), number=3)
    assert media[0].volume == "Vol-0001"
    assert load(directory, session, media) == files(2)


def test_an_abandoned_first_job_leaves_nothing(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    target = directory.append_session(job())
    fill(target, files(50))
    target.abandon()
    assert directory.volumes() == []
    _, media = save(directory, files(2))
    assert media[0].volume == "Vol-0002"  # a number is never given twice


def test_abandon_after_finish_takes_nothing_back(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    target = directory.append_session(job())
    fill(target, files(5))
    media = target.finish(JobTotals(5, 5))
    target.abandon()
    assert load(directory, target.session, media) == files(5)


def failing_after(calls: int, code: int = errno.ENOSPC) -> Callable[[int, bytes, int], int]:
    """An `os.pwrite` that writes a part and then fails."""
    real = os.pwrite
    left = [calls]

    def pwrite(fd: int, data: bytes, offset: int) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(code, os.strerror(code))
        if not left[0]:
            return real(fd, data[: len(data) // 2], offset)
        return real(fd, data, offset)

    return pwrite


@pytest.mark.parametrize("calls", range(1, 8))
@pytest.mark.parametrize("limit", [0, 700_000])
def test_a_full_disk_at_any_write_costs_the_job_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: int, limit: int
) -> None:
    directory = opened(tmp_path)
    session, media = save(directory, files(3))
    before = state(directory)
    target = directory.append_session(job(2), limit)
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", failing_after(calls))
        with pytest.raises(VolumeError, match=r"No space left on device; free some space or prune"):
            fill(target, files(160, seed=2))
        with pytest.raises(VolumeError, match="No space left"):
            target.finish(JobTotals(1, 1))
        target.abandon()
    assert state(directory) == before
    assert load(directory, session, media) == files(3)
    second_session, second = save(directory, files(4, seed=9), number=3)
    assert load(directory, second_session, second) == files(4, seed=9)


def test_an_error_of_fsync_is_not_a_finished_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = opened(tmp_path)
    target = directory.append_session(job())
    fill(target, files(3))

    def fail(_fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(VolumeError, match="check the disk"):
            target.finish(JobTotals(3, 3))
    target.abandon()
    assert directory.volumes() == []


def test_a_limit_on_file_sizes_is_explained(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    pid = os.fork()
    if not pid:  # the limit is the process's own
        status = 1
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            target = directory.append_session(job())
            try:
                fill(target, files(100))
            except VolumeError as error:
                target.abandon()
                status = 0 if "set a smaller Maximum Volume Bytes" in str(error) else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert directory.volumes() == []


def test_what_cannot_be_taken_back_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = opened(tmp_path)
    save(directory, files(2))
    told: list[str] = []
    target = directory.append_session(job(2), report=told.append)
    fill(target, files(60))

    def fail(_fd: int, _length: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr(os, "ftruncate", fail)
        target.abandon()
    assert "could not be taken back" in told[0]
    session, media = save(directory, files(4), number=3, report=told.append)
    assert "never ended" in told[-1]
    assert load(directory, session, media) == files(4)


def test_a_full_volume_that_another_job_has_taken_meanwhile_is_left(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    target = directory.append_session(job(), 300_000)
    fill(target, files(40))
    made = directory.volumes()
    session, media = save(directory, files(1, seed=5), number=2)  # no limit: the newest one that is free
    assert media[0].volume in made[1:-1]
    target.abandon()
    assert directory.volumes() == [media[0].volume]
    assert load(directory, session, media) == files(1, seed=5)


def test_the_volumes_of_a_job_that_goes_on_are_not_cut(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    target = directory.append_session(job(), 300_000)
    fill(target, files(40))
    save(directory, files(1, seed=5), number=2)
    media = target.finish(JobTotals(40, 40))
    assert load(directory, target.session, media) == files(40)


def test_finished_means_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every byte written and every name made comes before an fsync of its file or directory."""
    directory = opened(tmp_path)
    dirty: set[str] = set()
    real_write, real_sync, real_open = os.pwrite, os.fsync, os.open

    def name_of(fd: int) -> str:
        return os.readlink(f"/proc/self/fd/{fd}")

    def pwrite(fd: int, data: bytes, offset: int) -> int:
        dirty.add(name_of(fd))
        return real_write(fd, data, offset)

    def fsync(fd: int) -> None:
        dirty.discard(name_of(fd))
        real_sync(fd)

    def opening(path: str, flags: int, mode: int = 0o777, **more: int) -> int:
        fd = real_open(path, flags, mode, **more)
        if flags & os.O_CREAT and stat.S_ISREG(os.fstat(fd).st_mode) and flags & os.O_EXCL:
            dirty.update((str(directory.path), name_of(fd)))
        return fd

    monkeypatch.setattr(os, "pwrite", pwrite)
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "open", opening)
    target = directory.append_session(job(), 300_000)
    fill(target, files(60))
    assert dirty
    target.finish(JobTotals(60, 60))
    assert dirty == set()
