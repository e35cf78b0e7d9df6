"""Writing to a Storage Daemon: what it gets, packet by packet, and what we make of what it says."""

from __future__ import annotations

import os
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.errors import ConnectionLost, JobCanceled, LocalProtocolError, RemoteProtocolError, VolumeError
from filed.storage import AppendSession, JobTotals
from filed.storage.daemon.append import DIRECT_BYTES, DaemonAppendSession
from filed.transport import Connection
from filed.volume import Session
from filed.wire.frame import Packet, Signal
from filed.wire.storage import StreamHeader
from tests.storage.player import Line, Player, Raw
from tests.wire.transcripts import transcript

SESSION = Session(1, 1795446401)
TOTALS = JobTotals(1, 2)
LINES = transcript("append").lines[8:]
OPENING = LINES[:4]
ENDING = LINES[-8:]
Record = tuple[int, int, bytes]
MARK = 1999  # the stream of a record that sends what waits


def records_in(packets: list[Packet]) -> list[Record]:
    """What a Storage Daemon stores of the packets between `3000 OK data` and the last EOD."""
    found: list[Record] = []
    header: StreamHeader | None = None
    for packet in packets:
        if packet is Signal.EOD:
            if header is None:
                return found
            header = None
        elif header is None:
            assert isinstance(packet, bytes)
            header = StreamHeader.parse(packet)
            assert header
            if header.stream == MARK:
                return found
        else:
            assert isinstance(packet, bytes)
            assert 0 < len(packet) <= 1_000_000
            found.append((header.file_index, header.stream, packet))
    return found


def connection_on(player: Player, *, cancel_pipe: int | None = None, compress: bool = False) -> Connection:
    connection = Connection(player.near, "Storage Daemon at sd:9103", cancel_pipe=cancel_pipe, compress=compress)
    connection.read_ahead = True
    return connection


def session_on(player: Player, *, cancel_pipe: int | None = None, compress: bool = False) -> DaemonAppendSession:
    return DaemonAppendSession(connection_on(player, cancel_pipe=cancel_pipe, compress=compress), SESSION)


def leave(session: DaemonAppendSession, file_index: int) -> None:
    """Long data is sent at once, and takes along what waits; then the connection is cut."""
    session.write(file_index, MARK, os.urandom(DIRECT_BYTES))
    session.abandon()


def store(records: list[Record], *, compress: bool = False) -> tuple[list[Record], Player]:
    """Write them, and return what came out at the other end."""
    with Player(OPENING) as player:
        session = session_on(player, compress=compress)
        for record in records:
            session.write(*record)
        leave(session, records[-1][0] if records else 1)
    return records_in(player.rest), player


def test_a_job_is_stored_in_the_packets_that_bacula_fd_sent() -> None:
    """But for the length in the headers of file data, which nobody relies on."""
    ours = [packet for caller, packet in LINES if caller]
    records = records_in(ours[2:])
    assert len(records) == 15
    with Player(LINES) as player:
        session: AppendSession = session_on(player)
        for record in records:
            session.write(*record)
        assert session.finish(TOTALS) == []
        session.abandon()
    assert [(expected, got) for expected, got in player.differences if _lengthless(expected) != got] == []
    assert player.rest == []


def _lengthless(packet: object) -> object:
    header = StreamHeader.parse(packet) if isinstance(packet, bytes) else None
    return packet if header is None else StreamHeader(header.file_index, header.stream, 0).format()


def test_records_of_one_stream_share_a_header() -> None:
    _, player = store([(1, 4, b"first"), (1, 4, b"second"), (1, 3, b"digest")])
    expected = [b"1 4 0", b"first", b"second", Signal.EOD, b"1 3 0", b"digest", Signal.EOD, b"1 %d 0" % MARK]
    assert player.rest[: len(expected)] == expected


def test_long_file_data_is_cut_and_other_records_are_not() -> None:
    data = os.urandom(150_000)
    stored, _ = store([(1, 2, data), (1, 1998, data)])
    assert [len(piece) for _, _, piece in stored] == [65_536, 65_536, 18_928, 150_000]
    assert b"".join(piece for _, _, piece in stored[:3]) == data


def test_records_that_come_together_are_stored_as_those_that_come_alone() -> None:
    together = [(2, bytes([size % 251]) * size) for size in [65_536, 20_000, 3, 200_000, 0, 65_536] * 20]
    with Player(OPENING) as player:
        session = session_on(player)
        session.write(1, 1, b"attributes")
        session.write_all(1, together)
        session.write_all(1, [(1998, b"list"), (3, b"digest")])
        leave(session, 1)
    alone, _ = store(
        [(1, 1, b"attributes"), *((1, *record) for record in together), (1, 1998, b"list"), (1, 3, b"digest")]
    )
    assert records_in(player.rest) == alone
    assert sum(len(data) for _, stream, data in alone if stream == 2) == sum(len(data) for _, data in together)


def test_a_record_too_long_for_a_packet_is_an_error_that_says_so() -> None:
    with Player(OPENING) as player, pytest.raises(VolumeError, match=r"1,000,001 bytes .stream 1998, FileIndex 1"):
        session_on(player).write(1, 1998, bytes(1_000_001))


def test_what_compression_saves_is_counted() -> None:
    counts = []
    for compress in (False, True):
        with Player(OPENING) as player:
            connection = connection_on(player, compress=compress)
            session = DaemonAppendSession(connection, SESSION)
            for _ in range(100):
                session.write(1, 2, b"the same again and again " * 1000)
            leave(session, 1)
            counts.append((connection.sent_bytes, connection.saved_bytes))
    (plain, nothing), (sent, saved) = counts
    assert nothing == 0
    assert sent + saved == plain > 10 * sent


def test_an_empty_record_is_left_out() -> None:
    assert store([(1, 1, b"a"), (1, 1998, b""), (1, 3, b"b")])[0] == [(1, 1, b"a"), (1, 3, b"b")]


def test_lent_data_is_free_again_on_return() -> None:
    lent = bytearray(b"first")
    with Player(OPENING) as player:
        session = session_on(player)
        session.write(1, 1, memoryview(lent))
        lent[:] = b"wrong"
        leave(session, 1)
    assert player.rest[1] == b"first"


def test_a_file_index_that_a_storage_daemon_refuses_is_our_own_mistake() -> None:
    with Player(OPENING) as player:
        session = session_on(player)
        session.write(1, 1, b"a")
        with pytest.raises(LocalProtocolError, match="FileIndex 3 behind 1"):
            session.write(3, 1, b"a")


records = st.lists(
    st.tuples(st.booleans(), st.sampled_from([1, 2, 3, 4, 1998, 1 << 28 | 2]), st.binary(min_size=1, max_size=60)),
    max_size=30,
)


@given(records, st.integers(1, 3000), st.booleans())
def test_whatever_is_written_arrives(drawn: list[tuple[bool, int, bytes]], times: int, compress: object) -> None:
    index, written = 1, list[Record]()
    for new, stream, data in drawn:
        index += new
        written.append((index, stream, data * times if len(data) * times <= 65_536 else data))
    assert store(written, compress=bool(compress))[0] == written


@pytest.mark.parametrize(("status", "letter"), [(69, "E"), (102, "f"), (65, "A"), (0, "?"), (-84, "?")])
def test_a_session_is_good_only_when_the_storage_daemon_says_so(status: int, letter: str) -> None:
    bad: Line = (False, b"3000 OK close Status = %d\n" % status)
    with Player([*OPENING, *ENDING[:5], bad]) as player:
        session = session_on(player)
        with pytest.raises(VolumeError, match=f"sd:9103 says that the session is not good: status [{letter}]"):
            session.finish(TOTALS)


def test_warnings_are_good() -> None:
    lines = [*OPENING, *ENDING[:5], (False, b"3000 OK close Status = 87\n"), *ENDING[6:]]
    with Player(lines) as player:
        assert session_on(player).finish(TOTALS) == []


@pytest.mark.parametrize("number", [1, 3, 5])
def test_a_refusal_at_the_end_is_told(number: int) -> None:
    with Player([*OPENING, *ENDING[:number], (False, b"3903 Error append data: disk full\n")]) as player:
        session = session_on(player)
        with pytest.raises(VolumeError, match="3903 Error append data: disk full"):
            session.finish(TOTALS)


@pytest.mark.parametrize(("number", "phase"), [(1, "the opening of a session"), (3, "the wait for a Volume")])
def test_a_refusal_at_the_beginning_is_told(number: int, phase: str) -> None:
    with (
        Player([*OPENING[:number], (False, b"3999 Failed append\n")]) as player,
        pytest.raises(VolumeError, match=f"gave up during {phase}: 3999 Failed append"),
    ):
        session_on(player)


def write_until_it_fails(session: DaemonAppendSession) -> None:
    for _ in range(100_000):
        session.write(1, 2, bytes(65_536))


@pytest.mark.parametrize("ending", ["hang up", "read", "deaf"])
def test_a_storage_daemon_that_gives_up_in_the_middle_is_heard(ending: str) -> None:
    lines = [*OPENING, (True, b"1 2 0"), (False, b"3903 Error append data: disk full\n")]
    with Player(lines, ending=ending) as player:
        session = session_on(player)
        with pytest.raises(VolumeError, match="during the sending of data: 3903 Error append data: disk full"):
            write_until_it_fails(session)
        with pytest.raises(VolumeError, match="disk full"):
            session.write(1, 2, b"more")
        with pytest.raises(VolumeError, match="disk full"):
            session.finish(TOTALS)
        session.abandon()


def test_a_connection_that_is_cut_is_told_with_peer_and_phase() -> None:
    with Player([*OPENING, (True, b"1 2 0")], ending="hang up") as player:
        session = session_on(player)
        with pytest.raises(ConnectionLost, match="Storage Daemon at sd:9103 lost during the sending of data"):
            write_until_it_fails(session)


@pytest.mark.parametrize("junk", [Raw(b"\x7f\xff\xff\xff"), Signal.EOD, b"3000 OK data\n", Raw(b"\xff\xff\x00\x00")])
def test_nonsense_in_the_middle_is_a_protocol_error(junk: Packet | Raw) -> None:
    with Player([*OPENING, (True, b"1 2 0"), (False, junk)]) as player:
        session = session_on(player)
        with pytest.raises(RemoteProtocolError, match=r"sd:9103.*the sending of data"):
            write_until_it_fails(session)


def test_heartbeats_in_the_middle_do_not_matter() -> None:
    beats: list[Line] = [(True, b"1 2 0"), *[(False, Signal.HEARTBEAT)] * 1000]
    with Player([*OPENING, *beats]) as player:
        session = session_on(player)
        for _ in range(200):
            session.write(1, 2, bytes(65_536))
        session.abandon()


def test_a_cancel_is_obeyed_on_a_full_socket_and_while_a_volume_is_awaited() -> None:
    for lines in (OPENING, OPENING[:3]):
        cancel_pipe, ring = os.pipe()
        rang: list[float] = []

        def cancel(ring: int = ring, rang: list[float] = rang) -> None:
            rang.append(time.monotonic())
            os.write(ring, b"c")

        timer = threading.Timer(0.05, cancel)
        timer.start()
        with Player(lines, ending="deaf") as player, pytest.raises(JobCanceled):
            write_until_it_fails(session_on(player, cancel_pipe=cancel_pipe))
        assert time.monotonic() - rang[0] < 1
        timer.join()
        os.close(cancel_pipe)
        os.close(ring)


def test_abandoned_the_session_has_no_end() -> None:
    with Player(OPENING) as player:
        session = session_on(player)
        session.write(1, 1, b"a")
        session.abandon()
        session.abandon()
    assert player.rest == []


def test_abandoned_with_patience_it_lets_the_storage_daemon_hang_up() -> None:
    with Player(OPENING, ending="hang up") as player:
        session = session_on(player)
        begun = time.monotonic()
        session.abandon(600.0)
        assert time.monotonic() - begun < 60


def test_it_knows_its_session() -> None:
    with Player(OPENING) as player:
        session = session_on(player)
        assert session.session == SESSION
        session.abandon()


@pytest.mark.parametrize("length", range(len(LINES)))
def test_a_conversation_cut_anywhere_is_never_good_before_the_storage_daemon_said_so(length: int) -> None:
    records = records_in([packet for caller, packet in LINES if caller][2:])
    said_so = any(packet == b"3000 OK close Status = 84\n" for _, packet in LINES[:length])
    with Player(LINES[:length], ending="hang up") as player:
        try:
            session = session_on(player)
            for record in records:
                session.write(*record)
            session.finish(TOTALS)
        except ConnectionLost:
            good = False
        else:
            good = True
    assert good is said_so
