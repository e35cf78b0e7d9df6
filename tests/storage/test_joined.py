"""Joining: the same bytes in the same order, in fewer records; and nothing is kept back when the reading breaks off."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.errors import ConnectionLost
from filed.storage.joined import JOINED_BYTES, LONG_BYTES, joined
from filed.volume import Record, Session
from filed.wire.stream import StreamFlag

ONE, OTHER = Session(1, 17), Session(2, 17)
CHUNK = 65_536
DATA, SPARSE, ENCRYPTED, GZIP, ATTRIBUTES, DIGEST = 2, 6, 20, 4, 1, 3


def of(stream: int, *contents: bytes, file_index: int = 1, session: Session = ONE) -> list[Record]:
    return [Record(session, file_index, stream, content) for content in contents]


def chunks(count: int) -> list[bytes]:
    return [bytes([number % 256]) * CHUNK for number in range(count)]


@pytest.mark.parametrize("stream", [DATA, ENCRYPTED])
def test_long_records_of_a_file_come_sixteen_at_a_time(stream: int) -> None:
    records = of(stream, *chunks(34), b"tail")
    found = list(joined(records))
    assert [len(record.data) for record in found] == [16 * CHUNK, 16 * CHUNK, 2 * CHUNK, 4]
    assert b"".join(record.data for record in found) == b"".join(record.data for record in records)
    assert {record[:3] for record in found} == {(ONE, 1, stream)}


@pytest.mark.parametrize("stream", [SPARSE, GZIP, DATA | StreamFlag.OFFSETS])
def test_records_whose_cut_means_something_stay_as_they_are(stream: int) -> None:
    records = of(stream, *chunks(6))
    assert list(joined(records)) == records


def test_files_streams_and_sessions_do_not_mix() -> None:
    one, other = chunks(2)
    parts = [
        of(DATA, one, other),
        of(ENCRYPTED, one, other),
        of(DATA, one, other, file_index=2),
        of(DATA, one, other, file_index=2, session=OTHER),
    ]
    found = list(joined([record for part in parts for record in part]))
    assert found == [part[0]._replace(data=one + other) for part in parts]


def test_what_is_held_comes_out_ahead_of_an_error() -> None:
    def breaks_off() -> Iterator[Record]:
        yield from of(DATA, *chunks(2))
        raise ConnectionLost("a peer", "the reading", "it is gone")

    found: list[Record] = []
    with pytest.raises(ConnectionLost):
        found.extend(joined(breaks_off()))
    assert found == of(DATA, b"".join(chunks(2)))


lengths = st.sampled_from([0, 1, LONG_BYTES - 1, LONG_BYTES, CHUNK, JOINED_BYTES])
some_record = st.builds(
    lambda session, file_index, stream, length: Record(session, file_index, stream, memoryview(bytes(length))),
    st.sampled_from([ONE, OTHER]),
    st.integers(1, 2),
    st.sampled_from([DATA, SPARSE, ENCRYPTED, ATTRIBUTES, DIGEST]),
    lengths,
)


@given(st.lists(some_record, max_size=20))
def test_nothing_is_lost_added_or_moved(records: list[Record]) -> None:
    def outline(some: list[Record]) -> list[tuple[object, int]]:
        return [(key, sum(len(one.data) for one in group)) for key, group in groupby(some, lambda one: one[:3])]

    found = list(joined(records))
    assert outline(found) == outline(records)
    assert all(len(record.data) < JOINED_BYTES + max(CHUNK, JOINED_BYTES) for record in found)
