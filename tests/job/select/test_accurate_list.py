from __future__ import annotations

import io
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.errors import JobError, RemoteProtocolError
from filed.job.select.accurate_entry import parse_entry
from filed.job.select.accurate_list import append_packet, base_list, packets
from filed.wire.stream import Stream

LSTAT = b"P4A IOv0 IGk B A A A EAAC BAA I BrBBIG BrBBGe BrBBGe A A C"


@given(st.lists(st.binary(max_size=50)))
def test_packets_come_back_as_they_were(given_packets: list[bytes]) -> None:
    file = io.BytesIO()
    for packet in given_packets:
        append_packet(file, packet)
    file.seek(0)
    assert list(packets(file)) == given_packets


def test_an_entry_has_a_path_a_stat_and_perhaps_a_digest() -> None:
    assert parse_entry(b"/a b\0" + LSTAT + b"\0\x000") == (b"/a b", LSTAT, b"")
    name, _, digest = parse_entry(b"/zz\0" + LSTAT + b"\0J7/v4niFXPssE/AnQKOpgtveH1Y\x000")
    assert name == b"/zz"
    assert digest[0] == Stream.SHA1_DIGEST
    assert len(digest) == 21


def test_an_old_director_sends_fewer_fields() -> None:
    assert parse_entry(b"/a\0" + LSTAT) == (b"/a", LSTAT, b"")


def test_a_list_that_ends_within_an_entry_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "list"
    with path.open("wb") as file:
        append_packet(file, b"/a\0" + LSTAT)
        append_packet(file, b"/b\0" + LSTAT)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(JobError, match="ends within an entry"):
        base_list(path, tmp_path)


@pytest.mark.parametrize("packet", [b"", b"/a", b"\0" + LSTAT, b"/a\0nonsense\xff"])
def test_what_is_no_entry_is_the_peers_fault(packet: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_entry(packet)


def test_a_list_is_looked_up_by_path(tmp_path: Path) -> None:
    path = tmp_path / "list"
    with path.open("wb") as file:
        append_packet(file, b"/a\0" + LSTAT + b"\0\x000")
    with closing(base_list(path, tmp_path)) as rows:
        assert [row is None for row in rows.lookup([b"/a", b"/b"])] == [False, True]


def test_a_list_of_nonsense_fails_the_job(tmp_path: Path) -> None:
    path = tmp_path / "list"
    with path.open("wb") as file:
        append_packet(file, b"nonsense")
    with pytest.raises(JobError, match="accurate list"):
        base_list(path, tmp_path)
