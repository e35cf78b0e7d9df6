from __future__ import annotations

import struct
from pathlib import Path

import pytest

from filed.errors import VolumeError
from filed.volume import (
    Assembly,
    Damage,
    FileIndexes,
    Record,
    Session,
    block_length,
    open_volume,
)
from filed.volume import (
    reader as reading,
)
from filed.volume.block import seal
from tests.volume.build import OTHER, SESSION, blocks, files, plain, volume
from tests.volume.golden import BB02, BB03, SPANNING, blocks_of, golden, listed


def sealed(session: Session, number: int, body: bytes) -> bytes:
    """A block with any body at all and a right checksum."""
    block = bytearray(24) + body
    seal(memoryview(block), session, number)
    return bytes(block)


def header(file_index: int, stream: int, length: int) -> bytes:
    return struct.pack(">iiI", file_index, stream, length)


@pytest.mark.parametrize("name", BB02 + BB03)
def test_a_real_volume_has_the_records_of_its_list(tmp_path: Path, name: str) -> None:
    volume = golden(name)
    with open_volume(volume.put(tmp_path), key=volume.key) as reader:
        assert reader.label().name == name
        assert listed(reader.records()) == volume.expected


def test_a_job_over_three_volumes_is_whole_again(tmp_path: Path) -> None:
    assembly = Assembly()
    records: list[Record] = []
    for name in SPANNING:
        with open_volume(golden(name).put(tmp_path)) as reader:
            records += reader.select(Session(31, 1795431175), assembly=assembly)
    assert [(one.file_index, one.stream, len(one.data)) for one in records] == [
        (1, 1, 85),
        (1, 2, 65536),
        (1, 2, 65536),
        (1, 2, 28928),
        (1, 3, 16),
        (2, 1, 79),
    ]
    assert len(assembly) == 0


def test_one_session_of_three_interleaved_ones_is_picked_out(tmp_path: Path) -> None:
    volume = golden("interleaved")
    for session_id in (32, 33, 34):
        session = Session(session_id, 1795431175)
        with open_volume(volume.put(tmp_path)) as reader:
            expected = [row for row in volume.expected if row[:2] == session and row[2] > 0]
            assert listed(reader.select(session)) == expected


def test_a_volume_key_is_asked_for(tmp_path: Path) -> None:
    volume = golden("bb03-volenc-chunks")
    path = volume.put(tmp_path)
    with open_volume(path) as reader, pytest.raises(VolumeError, match="no Volume key was given"):
        list(reader.records())


@pytest.mark.parametrize(("key", "text"), [(bytes(range(1, 33)), "checksum"), (b"short", "cannot be used")])
def test_a_wrong_volume_key_is_noticed(tmp_path: Path, key: bytes, text: str) -> None:
    volume = golden("bb03-volenc-chunks")
    with open_volume(volume.put(tmp_path), key=key) as reader, pytest.raises(VolumeError, match=text):
        list(reader.records())


def test_a_selection_of_an_encrypted_volume_works_too(tmp_path: Path) -> None:
    volume = golden("bb03-volenc-aes128xts")
    session = Session(*volume.expected[0][:2])
    with open_volume(volume.put(tmp_path), key=volume.key) as reader:
        expected = [row for row in volume.expected if row[2] in (3, 9)]
        assert listed(reader.select(session, FileIndexes.of([3, 9]))) == expected


def test_short_records_are_bytes_and_long_ones_views(tmp_path: Path) -> None:
    records = [(1, 1, b"short"), (1, 2, bytes(5000)), (1, 2, bytes(65536)), (1, 2, bytes(300_000))]
    with open_volume(volume(tmp_path / "Vol", blocks(records))) as reader:
        got = list(reader.select(SESSION))
    assert [type(one.data) for one in got] == [bytes, memoryview, memoryview, memoryview]
    assert plain(got) == records  # and stays valid when the reader is closed


def test_a_file_that_is_no_volume_says_so(tmp_path: Path) -> None:
    (tmp_path / "catalog").write_bytes(b"SQLite format 3\0" * 10)
    with open_volume(tmp_path / "catalog") as reader, pytest.raises(VolumeError, match="no block starts here"):
        reader.label()


def test_a_first_block_without_label_says_so(tmp_path: Path) -> None:
    (tmp_path / "Vol").write_bytes(blocks(files(1)))
    with open_volume(tmp_path / "Vol") as reader, pytest.raises(VolumeError, match="holds no Volume label"):
        reader.label()


def test_reading_may_start_within_a_record(tmp_path: Path) -> None:
    records = [(1, 2, bytes(200_000)), (2, 2, b"next")]
    parts = blocks_of(blocks(records))
    with open_volume(volume(tmp_path / "Vol", *parts[1:])) as reader:
        assert plain(reader.select(SESSION)) == records[1:]


STRANGE = {
    "a record too long": (header(1, 2, 20_000_000) + b"x", "not possible"),
    "a record of four gigabytes": (header(1, 2, 0xFFFFFFFF) + b"x", "not possible"),
    "a part without a start": (header(1, 1, 0) + header(2, -2, 3) + b"abc", "start of a record is missing"),
}


@pytest.mark.parametrize("what", STRANGE)
def test_strange_records_in_a_sound_block_are_told_of_and_left_out(tmp_path: Path, what: str) -> None:
    body, text = STRANGE[what]
    good = blocks([(5, 1, b"good")], number=2)
    path = volume(tmp_path / "Vol", sealed(SESSION, 1, body), good)
    with open_volume(path) as reader, pytest.raises(VolumeError, match=text):
        list(reader.select(SESSION))
    told: list[Damage] = []
    with open_volume(path, on_damage=told.append) as reader:
        assert (5, 1, b"good") in plain(reader.select(SESSION))
    assert text in told[0].text
    assert told[0].session == SESSION


@pytest.mark.parametrize("next_header", [header(1, -2, 99), header(2, -2, 100), header(1, -3, 100), header(1, 2, 100)])
def test_a_record_that_goes_on_otherwise_than_promised_is_dropped(tmp_path: Path, next_header: bytes) -> None:
    first = sealed(SESSION, 1, header(1, 2, 103) + b"abc")
    second = sealed(SESSION, 2, next_header + bytes(100))
    third = blocks([(5, 1, b"good")], number=3)
    path = volume(tmp_path / "Vol", first, second, third)
    with open_volume(path) as reader, pytest.raises(VolumeError, match="goes on nowhere, 100 of its bytes"):
        list(reader.select(SESSION))
    told: list[Damage] = []
    with open_volume(path, on_damage=told.append) as reader:
        got = plain(reader.select(SESSION))
    assert got[-1] == (5, 1, b"good")
    assert (told[0].file_index, told[0].session) == (1, SESSION)


def test_damage_is_told_between_the_records_before_and_after_it(tmp_path: Path) -> None:
    path = volume(tmp_path / "Vol", blocks(files(40), block_bytes=4096))
    data = bytearray(path.read_bytes())
    at = sum(map(len, blocks_of(bytes(data))[:5])) + 1000
    data[at] ^= 1
    path.write_bytes(data)
    order: list[int | str] = []
    with open_volume(path, on_damage=lambda damage: order.append(damage.text)) as reader:
        for record in reader.select(SESSION):
            order.append(record.file_index)  # noqa: PERF401 - the call-back appends, too
    first = next(number for number, one in enumerate(order) if isinstance(one, str))
    before = [one for one in order[:first] if isinstance(one, int)]
    after = [one for one in order[first:] if isinstance(one, int)]
    assert max(before) <= min(after)
    assert before
    assert after


def test_records_of_the_selection_only_are_assembled(tmp_path: Path) -> None:
    records = [(1, 2, bytes(200_000)), (2, 2, b"b" * 200_000), (3, 2, b"c" * 200_000)]
    with open_volume(volume(tmp_path / "Vol", blocks(records))) as reader:
        assert plain(reader.select(SESSION, FileIndexes.of([2]))) == [records[1]]


def test_unfinished_records_of_many_sessions_do_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_OPEN_BYTES", 100_000)
    parts = [sealed(Session(number, 1), 0, header(1, 2, 1_000_000) + bytes(2000)) for number in range(200)]
    path = volume(tmp_path / "Vol", *parts, blocks([(1, 1, b"good")]))
    with open_volume(path) as reader, pytest.raises(VolumeError, match="unfinished records"):
        list(reader.records())
    told: list[Damage] = []
    with open_volume(path, on_damage=told.append) as reader:
        assert plain(reader.records())[-1] == (1, 1, b"good")
    assert len(told) >= 100


def test_a_million_sessions_are_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_SESSIONS", 10)
    parts = [sealed(Session(number, 1), 0, header(1, 2, 1) + b"x") for number in range(200)]
    assembly = Assembly()
    with open_volume(volume(tmp_path / "Vol", *parts)) as reader:
        assert len(list(reader.records(assembly=assembly))) == 201
    assert len(assembly.seen) <= 10


@pytest.mark.parametrize("size", range(13))
def test_the_end_of_a_block_too_short_for_a_header_is_ignored(tmp_path: Path, size: int) -> None:
    odd = sealed(SESSION, 1, bytes(size) if size < 12 else b"")
    after = blocks([(1, 1, b"x")], number=2)
    with open_volume(volume(tmp_path / "Vol", odd, after, blocks([(1, 1, b"y")], OTHER))) as reader:
        assert plain(reader.select(SESSION)) == [(1, 1, b"x")]


def test_the_length_of_a_block_is_where_it_should_be() -> None:
    assert block_length(memoryview(sealed(SESSION, 1, b"1234")), 0) == 28
