"""What C cuts packets into is what Python cuts them into, and it stops where Python has to say something."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filed.storage.daemon.packet_runs import PacketRuns, packet_runs
from filed.storage.joined import LONG_BYTES
from filed.volume import Session, records_between
from filed.wire.frame import FrameReader, Signal, pack_packet, pack_signal
from filed.wire.storage import RecordHeader
from tests.native_host.libraries import native_directory


@pytest.fixture(scope="session")
def cutter() -> PacketRuns:
    loaded = packet_runs(native_directory())
    assert loaded is not None
    return loaded


SESSION = Session(1, 2)
Plain = tuple[Session, int, int, bytes]


def packets(number: int, data: bytes, *, session: Session = SESSION, stream: int = 2) -> bytes:
    return pack_packet(RecordHeader(*session, number, stream, len(data)).format()) + pack_packet(data)


def cut(cutter: PacketRuns, data: bytes) -> tuple[list[Plain], int]:
    """Records of the first run, and how many bytes were taken."""
    run, taken = cutter.run(memoryview(bytearray(data)))
    if run is None:
        return [], taken
    return [(run.session, number, word, bytes(body)) for number, word, body in records_between(*run[1:])], taken


def in_python(data: bytes) -> list[Plain]:
    """All pairs of a header and its data, up to anything else."""
    reader = FrameReader()
    reader.receive(data)
    found: list[Plain] = []
    while isinstance(line := reader.next_packet(), bytes) and (header := RecordHeader.parse(line)) is not None:
        body = reader.next_packet()
        if not isinstance(body, bytes) or len(body) != header.size:
            break
        found.append((Session(header[0], header[1]), header.file_index, header.stream, body))
    return found


def test_all_that_is_here_is_one_run(cutter: PacketRuns) -> None:
    data = packets(1, b"one") + packets(1, b"two", stream=3) + packets(2, b"three")
    session = Session(1, 2)
    assert cut(cutter, data) == (
        [(session, 1, 2, b"one"), (session, 1, 3, b"two"), (session, 2, 2, b"three")],
        len(data),
    )


@pytest.mark.parametrize(
    "what",
    [
        pack_signal(Signal.EOD),
        pack_signal(Signal.HEARTBEAT),
        pack_packet(b"3000 error"),
        packets(-4, b"a label"),
        packets(2, b"words", stream=-2),
        packets(2, b"words", session=Session(1, 3)),
        packets(2, bytes(LONG_BYTES)),
        pack_packet(b"rechdr 1 2 2 2 5") + pack_packet(b"four"),
        pack_packet(b"rechdr 1 2 2 2 0") + pack_packet(b""),
        pack_packet(b"rechdr 1 2 2 2 5 ") + pack_packet(b"words"),
        pack_packet(b"rechdr 1 2 99999999999 2 5") + pack_packet(b"words"),
        packets(2, b"words")[:-1],
        b"",
    ],
    ids=range(13),
)
def test_it_stops_ahead_of_what_is_not_plain(cutter: PacketRuns, what: bytes) -> None:
    assert cut(cutter, packets(1, b"one") + what) == ([(Session(1, 2), 1, 2, b"one")], len(packets(1, b"one")))
    if what != packets(2, b"words", session=Session(1, 3)):
        assert cut(cutter, what) == ([], 0)


def test_lines_may_end_in_newlines_and_nuls(cutter: PacketRuns) -> None:
    data = pack_packet(b"rechdr 1 2 3 4 5\n\0") + pack_packet(b"words")
    assert cut(cutter, data) == ([(Session(1, 2), 3, 4, b"words")], len(data))


some_packets = st.one_of(
    st.builds(packets, st.integers(1, 3), st.binary(max_size=9), stream=st.integers(0, 5)),
    st.builds(packets, st.integers(-1, 1 << 33), st.binary(max_size=3), session=st.builds(Session, st.integers(0, 2), st.integers(0, 1 << 33))),
    st.binary(max_size=12).map(pack_packet),
    st.sampled_from(Signal).map(pack_signal),
    st.binary(max_size=6),
)  # fmt: skip


@given(st.lists(some_packets, max_size=9).map(b"".join), st.integers(0, 300))
@settings(deadline=None)
def test_no_packets_are_cut_otherwise_than_in_python(cutter: PacketRuns, data: bytes, end: int) -> None:
    data = data[:end]
    found, taken = cut(cutter, data)
    assert found == in_python(data[:taken])
    assert all(one[0] == other[0] for one, other in pairwise(found))
