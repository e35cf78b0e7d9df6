"""Whatever happens to a Volume: nothing wrong is read, nothing is lost in silence, and little is lost at all."""

from __future__ import annotations

import random
import time
from itertools import accumulate
from pathlib import Path

import pytest

from filed.errors import VolumeError
from filed.volume import Damage, FileIndexes, open_volume, survey
from tests.volume.build import OTHER, SESSION, Plain, blocks, files, label_block, plain
from tests.volume.golden import BB02, BB03, blocks_of, golden, listed

FILES = {SESSION: files(60), OTHER: files(60, seed=5)}
LABEL = label_block("Volume")
MOST_RECORDS_A_BLOCK = 13


def interleaved(chance: random.Random) -> list[bytes]:
    mine = blocks_of(blocks(FILES[SESSION], block_bytes=4096))
    others = blocks_of(blocks(FILES[OTHER], OTHER, block_bytes=4096, number=0))
    mixed: list[bytes] = []
    while mine or others:
        mixed.append((mine if mine and (not others or chance.random() < 0.5) else others).pop(0))
    return mixed


def harmed(parts: list[bytes], chance: random.Random) -> tuple[bytes, int]:
    """A Volume with some harm done, and how many blocks that hit at most."""
    starts = [0, *accumulate(map(len, parts))][:-1]
    data = bytearray(LABEL + b"".join(parts))
    harms = chance.choice([1, 1, 1, 2, 3])
    for _ in range(harms):
        at = chance.randrange(len(data))
        match chance.randrange(4):
            case 0:
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                del data[at : at + chance.randrange(1, 100)]
            case 2:
                data[at:at] = chance.randbytes(chance.randrange(1, 50))
            case _:
                at = min(len(LABEL) + chance.choice(starts) + chance.randrange(28), len(data) - 1)
                data[at] ^= 1 << chance.randrange(8)
    return bytes(data), 2 * harms


@pytest.mark.parametrize("seed", range(120))
def test_harm_costs_the_blocks_it_hits_and_is_told_of(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    path = tmp_path / "Volume"
    data, hit = harmed(interleaved(chance), chance)
    path.write_bytes(data)
    told: list[Damage] = []
    with open_volume(path, on_damage=told.append) as reader:
        records = list(reader.records())
    for session, whole in FILES.items():
        got = plain(one for one in records if one.session == session and one.file_index > 0)
        assert_rest(got, whole, told, hit)
        selection = FileIndexes.of(chance.sample(range(1, 61), chance.choice([1, 3, 20])))
        told_then: list[Damage] = []
        with open_volume(path, on_damage=told_then.append) as reader:
            chosen = plain(reader.select(session, selection))
        assert chosen == [one for one in got if one[0] in selection]
        assert told_then or all(one in got for one in whole if one[0] in selection)


def assert_rest(got: list[Plain], whole: list[Plain], told: list[Damage], hit: int) -> None:
    assert got == [one for one in whole if one in got]
    lost = len(whole) - len(got)
    assert told or not lost
    assert lost <= hit * MOST_RECORDS_A_BLOCK


@pytest.mark.parametrize("name", BB02 + BB03)
def test_a_harmed_real_volume_is_an_error_or_its_rest(tmp_path: Path, name: str) -> None:
    vector = golden(name)
    path = tmp_path / "Volume"
    chance = random.Random(name)
    for _ in range(10):
        data = bytearray(vector.data)
        for _ in range(chance.choice([1, 3])):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        told: list[Damage] = []
        with open_volume(path, key=vector.key, on_damage=told.append) as reader:
            got = listed(reader.records())
            survey(reader)
        assert set(got) <= set(vector.expected)
        assert told
        with open_volume(path, key=vector.key) as reader, pytest.raises(VolumeError, match=r"^Volume Volume, offset"):
            list(reader.records())


def test_a_volume_made_to_waste_time_does_not(tmp_path: Path) -> None:
    """A mark of a block with the largest length every 24 bytes: 20 MB to check for each."""
    fake = bytes(4) + (20_000_000).to_bytes(4, "big") + bytes(4) + b"BB02" + bytes(8)
    path = tmp_path / "Volume"
    path.write_bytes(LABEL + fake * 1_000_000)
    told: list[Damage] = []
    start = time.process_time()
    with open_volume(path, on_damage=told.append) as reader:
        assert len(list(reader.records())) == 1
    assert time.process_time() - start < 10
    assert told
