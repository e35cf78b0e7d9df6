from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.errors import VolumeError
from filed.volume import Damage, FileIndexes, VolumeReader, open_volume, parse_header
from filed.volume.source import FileRanges, VolumeSource
from filed.volume.walk import Walk
from tests.volume.build import OTHER, SESSION, blocks, files, label_block, plain, volume
from tests.volume.failing import InMemory
from tests.volume.golden import blocks_of

SMALL = 4096
FILES = 60


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return volume(tmp_path / "Sound", blocks(files(FILES), block_bytes=SMALL))


def offsets(path: Path) -> list[int]:
    """Of the data blocks."""
    at, found = 0, []
    for block in blocks_of(path.read_bytes()):
        found.append(at)
        at += len(block)
    return found[1:]


def damaged(path: Path, at: int, xor: int = 0x10) -> Path:
    data = bytearray(path.read_bytes())
    data[at] ^= xor
    out = path.with_name("Damaged")
    out.write_bytes(data)
    return out


def salvage(path: Path, selection: FileIndexes | None = None) -> tuple[list[tuple[int, int, bytes]], list[Damage]]:
    told: list[Damage] = []
    with open_volume(path, on_damage=told.append) as reader:
        return plain(reader.select(SESSION, selection)), told


def test_every_block_comes_in_order(sound: Path) -> None:
    with VolumeSource(FileRanges(sound)) as source:
        assert [block.offset for block in Walk(source).blocks()][1:] == offsets(sound)
        assert [offset for offset, _ in Walk(source).headers()][1:] == offsets(sound)


def test_a_selection_reads_only_the_blocks_that_matter(sound: Path) -> None:
    with VolumeSource(FileRanges(sound)) as source:
        read = [block.offset for block in Walk(source).wanted(SESSION, FileIndexes.of([30]))]
    holding = [at for number, at in enumerate(offsets(sound)) if 30 in _indexes_near(sound, number)]
    assert set(holding) <= set(read)
    assert len(read) <= len(holding) + 3


@given(st.sets(st.integers(1, FILES + 5), max_size=8))
def test_a_selection_brings_exactly_what_was_asked_for(tmp_path_factory, wanted: set[int]) -> None:
    path = tmp_path_factory.getbasetemp() / "Selection"
    if not path.exists():
        volume(path, blocks(files(FILES), block_bytes=SMALL))
    with open_volume(path) as reader:
        got = plain(reader.select(SESSION, FileIndexes.of(wanted)))
    assert got == [record for record in files(FILES) if record[0] in wanted]


def test_blocks_of_other_sessions_are_passed_by(tmp_path: Path) -> None:
    mine = blocks_of(blocks(files(FILES), block_bytes=SMALL))
    others = blocks_of(blocks(files(FILES, seed=2), OTHER, block_bytes=SMALL, number=0))
    mixed = [block for pair in zip(mine, others, strict=False) for block in pair] + mine[len(others) :]
    with open_volume(volume(tmp_path / "Mixed", *mixed)) as reader:
        assert plain(reader.select(SESSION)) == files(FILES)
        chosen = FileIndexes.of([1, 17, FILES])
        assert plain(reader.select(SESSION, chosen)) == [one for one in files(FILES) if one[0] in chosen]


def test_damage_names_volume_offset_and_what_is_wrong(sound: Path) -> None:
    at = offsets(sound)[3]
    with (
        open_volume(damaged(sound, at + 100)) as reader,
        pytest.raises(VolumeError, match=rf"^Volume Damaged, offset {at}: the checksum of block 4 is"),
    ):
        list(reader.select(SESSION))


@pytest.mark.parametrize("byte", [*range(40), 100, 2000, 4095])
@pytest.mark.parametrize("selection", [None, FileIndexes([(1, FILES)]), FileIndexes([(9, 11), (20, 23)])])
def test_a_flipped_bit_costs_only_the_records_of_its_block(
    sound: Path, byte: int, selection: FileIndexes | None
) -> None:
    everything = [one for one in files(FILES) if selection is None or one[0] in selection]
    for number, start in enumerate(offsets(sound)):
        if start + byte >= sound.stat().st_size:
            continue
        got, told = salvage(damaged(sound, start + byte, 1 << (byte % 8)), selection)
        missing = [one for one in everything if one not in got]
        assert got == [one for one in everything if one in got]
        allowed = _indexes_near(sound, number)
        assert {one[0] for one in missing} <= allowed
        if missing:
            assert told
            assert told[0].volume == "Damaged"


def _indexes_near(path: Path, number: int) -> set[int]:
    """FileIndexes with a record in block `number`, or one that goes on there or from there."""
    data = path.read_bytes()
    found: set[int] = set()
    start = offsets(path)[number]
    block = data[start : start + parse_header(data, start).length]
    at = 24
    while at + 12 <= len(block):
        found.add(int.from_bytes(block[at : at + 4], "big"))
        at += 12 + int.from_bytes(block[at + 8 : at + 12], "big")
    return found


def test_every_record_outside_a_damaged_stretch_comes_back(sound: Path) -> None:
    data = bytearray(sound.read_bytes())
    starts = offsets(sound)
    low, high = starts[5] + 10, starts[8] + 50
    data[low:high] = random.Random(3).randbytes(high - low)
    path = sound.with_name("Stretch")
    path.write_bytes(data)
    got, told = salvage(path)
    lost = set().union(*(_indexes_near(sound, number) for number in range(5, 9)))
    assert {one[0] for one in files(FILES)} - {one[0] for one in got} <= lost
    assert got == [one for one in files(FILES) if one in got]
    assert sum(one.length for one in told) >= high - low - 200


def test_a_volume_cut_anywhere_gives_an_error_and_all_whole_blocks(sound: Path) -> None:
    data = sound.read_bytes()
    starts = [*offsets(sound), len(data)]
    path = sound.with_name("Cut")
    for size in [*range(starts[2] - 30, starts[2] + 40), starts[4] + 2000]:
        path.write_bytes(data[:size])
        got, told = salvage(path)
        whole = max(start for start in starts if start <= size)
        path.write_bytes(data[:whole])
        if size not in starts:
            assert told
            with open_volume(path.with_name("Cut")) as reader:
                assert got == plain(reader.select(SESSION))
            path.write_bytes(data[:size])
            with open_volume(path) as reader, pytest.raises(VolumeError, match=r"cut short|bytes are left"):
                list(reader.select(SESSION))


def test_an_end_that_the_catalog_knows_must_be_reached(sound: Path) -> None:
    size = sound.stat().st_size
    with open_volume(sound) as reader, pytest.raises(VolumeError, match="10 bytes of the Job are missing"):
        list(reader.select(SESSION, None, 0, size + 10))
    told: list[Damage] = []
    with open_volume(sound, on_damage=told.append) as reader:
        assert plain(reader.select(SESSION, None, 0, size + 10)) == files(FILES)
    assert "10 bytes" in str(told[0])


def test_a_volume_saved_inside_a_damaged_block_is_not_taken_for_the_volume(tmp_path: Path) -> None:
    inner = volume(tmp_path / "Inner", blocks(files(3, seed=9), OTHER)).read_bytes()
    copy = label_block("Outer") + blocks(files(2), block_bytes=SMALL)  # an earlier state of the very Volume
    records = [*files(5), (6, 2, inner), (7, 2, copy), *[(index + 7, *rest) for index, *rest in files(20)]]
    data = bytearray(volume(tmp_path / "Outer", blocks(records)).read_bytes())
    data[offsets(tmp_path / "Outer")[0] + 5] ^= 0x40  # the length of the first block
    (tmp_path / "Outer").write_bytes(data)
    got, told = salvage(tmp_path / "Outer")
    assert told
    assert all(one in records for one in got)


def test_a_bad_sector_costs_only_its_block(sound: Path) -> None:
    starts = offsets(sound)
    sector = starts[6] // 4096 + 1
    told: list[Damage] = []
    with VolumeReader(InMemory(sound.read_bytes(), bad={sector}), on_damage=told.append) as reader:
        got = plain(reader.select(SESSION))
    hit = [number for number, at in enumerate(starts) if abs(at - sector * 4096) <= 4096]
    lost = set().union(*(_indexes_near(sound, number) for number in hit))
    assert told
    assert {one[0] for one in files(FILES)} - {one[0] for one in got} <= lost


@given(st.binary(max_size=3000), st.booleans())
def test_hostile_bytes_are_an_error_or_nothing(tmp_path_factory, junk: bytes, behind_label: bool) -> None:  # noqa: FBT001
    path = tmp_path_factory.getbasetemp() / "Hostile"
    path.write_bytes((label_block("Hostile") if behind_label else b"") + junk)
    told: list[Damage] = []
    with open_volume(path, on_damage=told.append) as reader:
        assert plain(reader.select(SESSION)) == []
    assert bool(told) == bool(junk)


def test_looking_for_the_next_block_stops_at_the_end(sound: Path) -> None:
    with open_volume(sound) as reader:
        assert reader.walk.next_valid(offsets(sound)[-1]) is None
        assert reader.walk.next_valid(3) == offsets(sound)[0]
