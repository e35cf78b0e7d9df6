"""A backup walked in other ways than a Job's comes to the same."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from filed.agents import Agent, Begin, Entry, EntryType, Kind, Level, Library, Settings, StatusPage, load
from filed.conformance.walk import Reading, Seen, differences, walk, wanted_streams
from tests.agents.flows import Recorder


@pytest.fixture(scope="module")
def good(checked_agents: Path) -> Library:
    return load("good", [checked_agents])


def walked(library: Library, reading: Reading, contents: str = "inline") -> dict[bytes, Seen]:
    settings = Settings((("contents", contents),))
    with (
        Agent(library, Recorder(), StatusPage(), settings) as agent,
        agent.begin(Begin(Kind.BACKUP, Level.FULL, job="one")) as job,
    ):
        return {one.name: one for one in walk(job, reading)}


@pytest.mark.parametrize("contents", ["inline", "fetch", "stream"])
@pytest.mark.parametrize("reading", [Reading(), Reading(cap=lambda: 65536), Reading(wants=lambda: 1)])
def test_every_way_reads_the_same(good: Library, contents: str, reading: Reading) -> None:
    usual, other = walked(good, Reading()), walked(good, reading, contents)
    assert len(other) == 12
    assert {name: (one.digest, one.size) for name, one in other.items()} == {
        name: (one.digest, one.size) for name, one in usual.items()
    }


def test_what_is_spooled_is_what_was_read(good: Library) -> None:
    with tempfile.TemporaryFile() as spool:
        big = walked(good, Reading(spool=spool))[b"/@GOOD/big"]
        content = bytearray(big.size)
        for offset, length, at in big.pieces:
            spool.seek(at)
            content[offset : offset + length] = spool.read(length)
    import hashlib

    assert hashlib.sha256(content).hexdigest() == big.digest


def test_dropped_entries_are_not_read_and_abandoned_ones_have_no_digest(good: Library) -> None:
    some = walked(good, Reading(takes=lambda number: number % 2 == 0), "stream")
    assert len(some) == 6
    cut = walked(good, Reading(abandons=lambda _: True, cap=lambda: 65536), "stream")
    assert not cut[b"/@GOOD/big"].read
    assert cut[b"/@GOOD/small/0001"].read  # its first chunk is its last


def test_differences_name_what_is_other() -> None:
    entry = Entry(type=EntryType.REGULAR)
    first = {b"/a": Seen(entry, b"/a", digest="1"), b"/b": Seen(entry, b"/b")}
    second = {b"/a": Seen(entry, b"/a", digest="2"), b"/c": Seen(entry, b"/c")}
    assert differences(first, second) == [
        (b"/b", "is listed no more"),
        (b"/c", "was not listed before"),
        (b"/a", "has another content"),
    ]
    assert differences(first, first) == []


def test_a_devices_data_is_never_wanted() -> None:
    assert wanted_streams(Entry(type=EntryType.REGULAR, streams=0b1011)) == 0b1011
    for kind in (EntryType.FIFO, EntryType.BLOCKDEV, EntryType.CHARDEV):
        assert wanted_streams(Entry(type=kind, streams=0b1011)) == 0b1010
