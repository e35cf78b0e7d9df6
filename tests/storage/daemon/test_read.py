"""Reading from a Storage Daemon: what bacula-sd sent, and what nobody should send."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.errors import ConnectionLost, RemoteProtocolError, VolumeError
from filed.storage.daemon.read import DaemonReadSession
from filed.transport import Connection
from filed.volume import Record, Run, Session, records_between
from filed.wire.frame import Packet, Signal
from filed.wire.storage import ReadOpen, RecordHeader
from tests.storage.player import Line, Player, Raw
from tests.wire.transcripts import transcript

LINES = transcript("read").lines[8:]
OPENING = LINES[:4]
ENDING = LINES[-5:]
_OPEN = LINES[0][1]
assert isinstance(_OPEN, bytes)
OPEN = ReadOpen.parse(_OPEN)
assert OPEN
SESSION = Session(OPEN.vol_session_id, OPEN.vol_session_time)


def session_on(player: Player) -> DaemonReadSession:
    connection = Connection(player.near, "Storage Daemon at sd:9103")
    connection.read_ahead = True
    return DaemonReadSession(connection, SESSION)


def sent(records: list[Record]) -> list[Line]:
    lines: list[Line] = []
    for record in records:
        header = RecordHeader(*record.session, record.file_index, record.stream, len(record.data))
        lines += [(False, header.format()), (False, bytes(record.data))]
    return lines


def read(lines: list[Line] | list[tuple[bool, Packet | Raw]], *, ending: str = "read") -> list[Record]:
    with Player([*OPENING, *lines, *ENDING], ending=ending) as player:
        records = read_all(session_on(player))
    assert player.differences == []
    with Player([*OPENING, *lines, *ENDING], ending=ending) as player:
        assert read_all(session_on(player), in_runs=True) == records
    return records


def read_all(session: DaemonReadSession, *, in_runs: bool = False) -> list[Record]:
    records = list(each(session.runs() if in_runs else session.records()))
    session.finish()
    return records


def each(some: Iterable[Record | Run]) -> Iterator[Record]:
    for one in some:
        if isinstance(one, Run):
            for number, word, data in records_between(one.data, one.begin, one.end):
                yield Record(one.session, number, word, data)
        else:
            yield one


def fails(line: Packet | Raw, error: type[Exception], why: str, *, ending: str = "hang up") -> None:
    with Player([*OPENING, (False, line)], ending=ending) as player:
        session = session_on(player)
        with pytest.raises(error, match=why):
            list(session.records())
        with pytest.raises(VolumeError, match="not read to their end"):
            session.finish()


def test_what_bacula_sd_sent_comes_out_as_records() -> None:
    with Player(LINES) as player:
        session = session_on(player)
        records = list(session.records())
        session.finish()
    assert player.differences == []
    assert [record.file_index for record in records if record.stream == 1] == [1, 2, 3, 4, 5, 6, 7]
    assert {record.session for record in records} == {Session(1, SESSION.vol_session_time)}
    data = {record.file_index: record.data for record in records if record.stream == 2}
    digests = {record.file_index: record.data for record in records if record.stream == 3}
    assert sorted(data) == [1, 4, 5]
    for index, content in data.items():
        assert hashlib.md5(content).digest() == digests[index]


def test_signs_of_life_between_header_and_data_do_not_matter() -> None:
    lines = sent([Record(SESSION, 1, 2, b"data")])
    beat: Line = (False, Signal.HEARTBEAT)
    assert read([beat, lines[0], beat, beat, lines[1], beat]) == [Record(SESSION, 1, 2, b"data")]


def test_labels_are_passed_over() -> None:
    assert read(sent([Record(SESSION, -4, 7, b"label"), Record(SESSION, 1, 2, b"data")])) == [
        Record(SESSION, 1, 2, b"data")
    ]


def test_nothing_selected_is_no_records() -> None:
    assert read([]) == []


@given(
    st.lists(
        st.builds(
            Record,
            st.builds(Session, st.integers(0, 9), st.integers(0, 2**32 - 1)),
            st.integers(1, 2**31 - 1),
            st.integers(-(2**31), 2**31 - 1),
            st.binary(max_size=200),
        ),
        max_size=20,
    )
)
def test_records_of_several_sessions_come_as_they_were_sent(records: list[Record]) -> None:
    assert read(sent(records)) == records


@pytest.mark.parametrize(
    ("line", "error", "why"),
    [
        (b"3000 error\n", VolumeError, "gave up during the reading of data: 3000 error"),
        (b"rechdr 1 2 3 4", RemoteProtocolError, "no header of a record"),
        (b"rechdr 1 2 3 4 99999999", RemoteProtocolError, "no header of a record"),
        (b"", RemoteProtocolError, "no header of a record"),
        (Signal.TERMINATE, RemoteProtocolError, "TERMINATE"),
        (Raw(b"\x7f\xff\xff\xff"), RemoteProtocolError, "extended header|announced"),
        (Raw(b"\0\0\0\x10rech"), ConnectionLost, "sd:9103 lost during the reading of data"),
    ],
)
def test_what_is_no_record_is_an_error(line: Packet | Raw, error: type[Exception], why: str) -> None:
    fails(line, error, why)


@pytest.mark.parametrize("data", [b"", b"four", b"sixsix", Signal.EOD])
def test_data_of_another_length_than_announced_is_an_error(data: Packet) -> None:
    with Player([*OPENING, (False, b"rechdr 1 2 3 4 5"), (False, data)]) as player:
        session = session_on(player)
        with pytest.raises(RemoteProtocolError, match="announced 5 bytes of FileIndex 3"):
            list(session.records())


def test_a_session_that_went_wrong_is_told_at_its_end() -> None:
    lines = [*OPENING, *ENDING[:2], (False, b"3000 OK close Status = 69\n")]
    with Player(lines) as player:
        session = session_on(player)
        assert list(session.records()) == []
        with pytest.raises(VolumeError, match="not good: status E"):
            session.finish()


def test_a_volume_that_cannot_be_mounted_is_told() -> None:
    with (
        Player([*OPENING[:3], (False, b"3000 error\n")]) as player,
        pytest.raises(VolumeError, match="gave up during the wait for a Volume: 3000 error"),
    ):
        session_on(player)


@given(st.binary(max_size=200))
def test_any_bytes_are_records_or_an_error_of_the_session(junk: bytes) -> None:
    with Player([*OPENING, (False, Raw(junk))], ending="hang up") as player:
        session = session_on(player)
        with pytest.raises((ConnectionLost, RemoteProtocolError, VolumeError)):
            read_all(session)


@pytest.mark.parametrize("length", range(len(LINES)))
def test_a_conversation_cut_anywhere_is_never_good_before_the_storage_daemon_said_so(length: int) -> None:
    said_so = any(packet == b"3000 OK close Status = 82\n" for _, packet in LINES[:length])
    with Player(LINES[:length], ending="hang up") as player:
        try:
            read_all(session_on(player))
        except ConnectionLost:
            good = False
        else:
            good = True
    assert good is said_so
