from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from filed.errors import VolumeError
from filed.storage.disk.tail import Tail, examine
from filed.storage.disk.volume_file import VolumeFile
from filed.volume import Session, VolumeLabel, open_volume, pack_volume_label, single_record_block
from tests.storage.jobs import files, killed_job, opened, save
from tests.volume.golden import golden


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A Volume with two whole Jobs."""
    directory = opened(tmp_path)
    save(directory, files(6))
    save(directory, files(6, seed=2), number=2)
    return directory.path / "Vol-0001"


def nobody(_session: Session) -> bool:
    return False


def examined(path: Path, keep: Callable[[Session], bool] = nobody) -> Tail | None:
    volume = VolumeFile.lock(path)
    assert volume is not None
    try:
        return examine(volume, keep)
    finally:
        volume.close()


def with_a_dead_job(path: Path) -> int:
    """Append a Job that never ends; returns where it begins."""
    start = path.stat().st_size
    killed_job(opened(path.parents[1]), files(80, seed=3), 3)
    return start


def test_a_sound_volume_ends_where_it_ends(path: Path) -> None:
    assert examined(path) == Tail(path.stat().st_size, unused=False)


def test_a_sound_end_is_found_without_reading_the_volume(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("filed.storage.disk.tail._walked", None)
    assert examined(path) == Tail(path.stat().st_size, unused=False)


def test_a_volume_with_nothing_but_a_label_is_unused(tmp_path: Path) -> None:
    block = single_record_block(Session(1, 2), 0, -2, 0, pack_volume_label(VolumeLabel("Vol-0007", program="filed")))
    (tmp_path / "Vol-0007").write_bytes(block)
    assert examined(tmp_path / "Vol-0007") == Tail(len(block), unused=True)
    for size in range(len(block)):
        (tmp_path / "Vol-0007").write_bytes(block[:size])
        found = examined(tmp_path / "Vol-0007")
        assert found is not None
        assert (found.end, found.unused, bool(found.cut)) == (0, True, bool(size))
    for size in (1, 100, len(block), 4096):
        (tmp_path / "Vol-0007").write_bytes(bytes(size))
        found = examined(tmp_path / "Vol-0007")
        assert found is not None
        assert found.end == 0
    half_written = bytearray(block)
    half_written[100:] = bytes(len(block) - 100)
    (tmp_path / "Vol-0007").write_bytes(half_written)
    found = examined(tmp_path / "Vol-0007")
    assert found is not None
    assert found.end == 0


def test_a_small_volume_with_a_damaged_label_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    save(directory, [(1, 1, b"precious")])
    path = directory.path / "Vol-0001"
    data = bytearray(path.read_bytes())
    data[50] ^= 1
    path.write_bytes(data)
    with pytest.raises(VolumeError, match="checksum"):
        examined(path)


def test_a_dead_job_is_cut_off(path: Path) -> None:
    start = with_a_dead_job(path)
    assert path.stat().st_size > start
    assert examined(path) == Tail(start, unused=False, cut="it holds the start of a Job that never ended")


def test_a_dead_job_that_somebody_may_want_stays(path: Path) -> None:
    with_a_dead_job(path)
    asked: list[Session] = []
    found = examined(path, lambda session: asked.append(session) or True)  # type: ignore[func-returns-value]
    assert found == Tail(path.stat().st_size, unused=False)
    assert len(asked) == 1


def test_a_torn_tail_is_cut_wherever_it_is_torn(path: Path) -> None:
    whole = path.read_bytes()
    start = with_a_dead_job(path)
    data = path.read_bytes()
    for size in [*range(start + 1, start + 50), start + 64511, start + 64512, start + 64513, start + 100_000]:
        path.write_bytes(data[:size])
        found = examined(path)
        assert found is not None
        assert found.end == start
        assert path.read_bytes()[:start] == whole


def test_a_torn_job_that_somebody_may_want_is_not_appended_to(path: Path) -> None:
    start = with_a_dead_job(path)
    path.write_bytes(path.read_bytes()[: start + 100_000])
    with pytest.raises(VolumeError, match="damaged, and is left as it is"):
        examined(path, lambda _session: True)


def test_a_tail_that_the_power_failure_left_as_zeros_is_cut(path: Path) -> None:
    start = with_a_dead_job(path)
    data = path.read_bytes()
    for kept in (10, 64512, 64512 + 30, 70_000, 129_000, 129_024):
        path.write_bytes(data[: start + kept] + bytes(200_000))
        found = examined(path)
        assert found is not None
        assert found.end == start
    path.write_bytes(data[: start + 40_000] + bytes(24_512))  # the zeros end with the block
    found = examined(path)
    assert found is not None
    assert found.end == start


def test_a_cut_end_label_of_a_whole_job_costs_that_job_only(path: Path) -> None:
    data = path.read_bytes()
    first = next(one for one in opened(path.parents[1]).scan() if one.label and one.label.job_id == 1)
    path.write_bytes(data[:-5])
    found = examined(path)
    assert found is not None
    assert found.end == first.media[0].end + 1


@pytest.mark.parametrize("field", [4, 5, 6, 12, 15])
@pytest.mark.parametrize("block", [1, 3])
def test_a_damaged_header_in_the_middle_does_not_cost_what_is_behind_it(path: Path, block: int, field: int) -> None:
    start = with_a_dead_job(path)
    with open_volume(path) as reader:
        offsets = [offset for offset, _ in reader.walk.headers()]
    assert offsets[block] < start
    damaged = bytearray(path.read_bytes())
    damaged[offsets[block] + field] ^= 0x40
    path.write_bytes(damaged)
    with pytest.raises(VolumeError, match="damaged, and is left as it is"):
        examined(path)


def test_damaged_content_in_the_middle_is_no_reason_not_to_append(path: Path) -> None:
    start = with_a_dead_job(path)
    damaged = bytearray(path.read_bytes())
    damaged[1000] ^= 0x40
    path.write_bytes(damaged)
    found = examined(path)
    assert found is not None
    assert found.end == start


def test_a_damaged_end_of_a_job_is_not_taken_for_a_dead_one(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-30] ^= 1
    path.write_bytes(data)
    with pytest.raises(VolumeError, match="damaged, and is left as it is"):
        examined(path)


def test_a_saved_volume_in_a_torn_block_is_not_taken_for_the_end(tmp_path: Path) -> None:
    directory = opened(tmp_path)
    save(directory, files(2))
    path = directory.path / "Vol-0001"
    inner = path.read_bytes()  # the directory of Volumes is itself saved
    start = len(inner)
    killed_job(directory, [(1, 2, inner), (2, 2, bytes(2 << 20))], 2)
    found = examined(path)
    assert found is not None
    assert found.end == start
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(inner[-100:]) + 100])
    with pytest.raises(VolumeError, match="is left as it is"):  # nobody can tell it from damage in the midst
        examined(path)


def test_volumes_of_a_storage_daemon_are_not_ours(tmp_path: Path) -> None:
    for name in ("md5", "unused"):
        assert examined(golden(name).put(tmp_path)) is None


def test_a_renamed_volume_is_named(path: Path) -> None:
    path.rename(path.with_name("Vol-0009"))
    with pytest.raises(VolumeError, match="holds the Volume Vol-0001; rename it"):
        examined(path.with_name("Vol-0009"))


def test_rubbish_behind_the_last_block_is_cut(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data + b"BB02 but nothing else" * 3)
    found = examined(path)
    assert found is not None
    assert (found.end, bool(found.cut)) == (len(data), True)
