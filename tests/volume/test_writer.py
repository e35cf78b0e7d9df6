from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.errors import VolumeError
from filed.volume import Assembly, BlockWriter, Record, Session, open_volume, parse_header
from tests.volume.build import SESSION, Plain, blocks, plain, volume
from tests.volume.golden import BB02, SPANNING, blocks_of, golden

SMALL = 1024
ROOM = SMALL - 24 - 12  # data bytes of a record that fills a block


def read_back(path: Path, data: bytes) -> list[Plain]:
    with open_volume(volume(path, data)) as reader:
        return plain(reader.select(SESSION))


def by_session(volume_data: bytes) -> dict[Session, list[bytes]]:
    """The data blocks of a real Volume."""
    found: dict[Session, list[bytes]] = {}
    for block in blocks_of(volume_data)[1:]:
        found.setdefault(parse_header(block).session, []).append(block)
    return found


def rewritten(records: list[Record], number: int) -> list[bytes]:
    """The records of one session as our writer cuts them into blocks."""
    out = bytearray()
    writer = BlockWriter(out.extend, records[0].session, number)
    for record in records:
        if record.file_index < 0:
            writer.write_whole(record.file_index, record.stream, bytes(record.data))
        else:
            writer.write(record.file_index, record.stream, record.data)
    writer.flush()
    return blocks_of(bytes(out))


@pytest.mark.parametrize("name", [name for name in BB02 if name not in {*SPANNING, "unused"}])
def test_the_records_of_a_real_volume_become_the_same_blocks_again(tmp_path: Path, name: str) -> None:
    with open_volume(golden(name).put(tmp_path)) as reader:
        records = [record for record in reader.records() if record.file_index not in (-1, -2)]
    for session, real in by_session(golden(name).data).items():
        mine = [record for record in records if record.session == session]
        assert rewritten(mine, parse_header(real[0]).number) == real


def test_a_real_job_over_three_volumes_becomes_the_same_blocks_again(tmp_path: Path) -> None:
    assembly = Assembly()
    records: list[Record] = []
    real: list[bytes] = []
    for name in SPANNING:
        with open_volume(golden(name).put(tmp_path)) as reader:
            records += [record for record in reader.records(assembly=assembly) if record.file_index != -2]
        real += blocks_of(golden(name).data)[1:]
    assert rewritten(records, 1) == real


@pytest.mark.parametrize("room", range(15))
def test_any_room_left_in_a_block_is_used_as_the_format_says(tmp_path: Path, room: int) -> None:
    records: list[Plain] = [(1, 2, b"a" * (ROOM - room)), (2, 2, b"b" * 100), (3, 2, b"")]
    data = blocks(records, block_bytes=SMALL)
    first, second = blocks_of(data)
    assert len(first) == (SMALL - room if room < 12 else SMALL)
    assert parse_header(second).number == 2
    stream = int.from_bytes(second[28:32], "big", signed=True)
    assert stream == (2 if room < 12 else -2)
    assert read_back(tmp_path / "Room", data) == records


@given(
    st.lists(st.tuples(st.integers(1, 2**31 - 1), st.integers(0, 2**31 - 1), st.binary(max_size=3000)), max_size=30),
    st.integers(SMALL, 2000),
)
def test_whatever_is_written_is_read(tmp_path_factory, records: list[Plain], block_bytes: int) -> None:
    records = sorted(records, key=lambda record: record[0])
    data = blocks(records, block_bytes=block_bytes)
    assert all(len(block) <= block_bytes for block in blocks_of(data))
    assert read_back(tmp_path_factory.getbasetemp() / "Any", data) == records


def test_any_kind_of_bytes_may_be_written(tmp_path: Path) -> None:
    kinds = [b"bytes", bytearray(b"bytearray"), memoryview(b"a view")[2:]]
    data = blocks([(1, 2, kind) for kind in kinds])  # type: ignore[misc]
    assert read_back(tmp_path / "Kinds", data) == [(1, 2, bytes(kind)) for kind in kinds]


def test_the_flags_of_a_stream_survive_a_split(tmp_path: Path) -> None:
    records = [(1, 0x04000002, bytes(200_000))]
    assert read_back(tmp_path / "Flags", blocks(records)) == records


def test_the_largest_record_passes_and_one_byte_more_does_not(tmp_path: Path) -> None:
    largest = bytes(19_999_999)
    assert read_back(tmp_path / "Large", blocks([(1, 2, largest)])) == [(1, 2, largest)]
    with pytest.raises(ValueError, match="20000000"):
        blocks([(1, 2, bytes(20_000_000))])


def test_blocks_leave_in_runs_of_about_a_megabyte() -> None:
    runs: list[int] = []
    writer = BlockWriter(lambda run: runs.append(len(run)), SESSION)
    for _ in range(40):
        writer.write(1, 2, bytes(65536))
    writer.flush()
    assert runs[0] == 16 * 64512
    assert len(runs) == 3


def test_a_session_label_is_never_split() -> None:
    out = bytearray()
    writer = BlockWriter(out.extend, SESSION, 1, SMALL)
    writer.write(1, 2, bytes(ROOM - 50))
    writer.write_whole(-5, 1, bytes(60))
    writer.flush()
    first, second = blocks_of(bytes(out))
    assert len(first) == SMALL - 50
    assert len(second) == 24 + 12 + 60


def test_the_open_block_stays_open_when_the_closed_ones_leave() -> None:
    out = bytearray()
    writer = BlockWriter(out.extend, SESSION, 1, SMALL)
    records = [(1, 2, b"a" * 1500), (2, 2, b"b" * 10)]
    for record in records:
        writer.write(*record)
    open_bytes = writer.open_bytes
    assert writer.closed_bytes == SMALL
    writer.flush_closed()
    assert len(out) == SMALL
    assert (writer.open_bytes, writer.closed_bytes, writer.open_index, writer.last_index) == (open_bytes, 0, 1, 2)
    writer.flush()
    assert bytes(out) == blocks(records, block_bytes=SMALL)
    assert (writer.open_bytes, writer.open_index) == (0, 0)


def test_nothing_written_is_nothing_flushed() -> None:
    assert blocks([]) == b""


def test_what_the_sink_raises_comes_out_of_write() -> None:
    def full(_run: memoryview) -> None:
        raise VolumeError("full")

    writer = BlockWriter(full, SESSION)
    with pytest.raises(VolumeError, match="full"):
        writer.write(1, 2, bytes(2_000_000))
