"""A room tells a few findings of a kind, and compares only what rests."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from filed.agents import StatusPage
from filed.conformance import Grade
from filed.conformance.findings import Finding
from filed.conformance.room import Room
from filed.conformance.walk import Seen
from filed.job.context import JobContext
from filed.process.channel import Receiver, Sender
from tests.conformance.conftest import subject


class Listened:
    """A room in this process, and what it tells."""

    def __init__(self, library: Path, scratch: Path) -> None:
        ours, theirs = socket.socketpair()
        self._cancel_pipe = os.pipe()
        self._ours = ours
        ours.setblocking(False)
        self._theirs = theirs
        self.room = Room(subject(library), JobContext.of(Sender(theirs), StatusPage(), self._cancel_pipe[0]), scratch)

    def told(self) -> list[Finding]:
        try:
            data = self._ours.recv(1 << 20)
        except BlockingIOError:
            return []
        return [Finding.from_event(event) for event in Receiver().feed(data)]

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()
        os.close(self._cancel_pipe[0])
        os.close(self._cancel_pipe[1])


@pytest.fixture
def listened(checked_agents: Path, tmp_path: Path) -> Iterator[Listened]:
    one = Listened(checked_agents / "subtle.so", tmp_path)
    yield one
    one.close()


def test_of_the_same_about_many_entries_a_few_are_told(listened: Listened) -> None:
    for number in range(100):
        listened.room.failed("broken", "read", b"/%d" % number)
    listened.room.failed("broken otherwise", "read", b"/x")
    assert [one.rule for one in listened.told()] == ["broken"] * 5 + ["broken otherwise"]


def test_a_finding_has_advice_and_a_note_none(listened: Listened) -> None:
    listened.room.failed("a name holds a NUL", "next_entries", b"/a\0b")
    listened.room.note("seen")
    failed, note = listened.told()
    assert failed.advice
    assert failed.entry == "/a\\x00b"
    assert (note.grade, note.advice) == (Grade.NOTE, "")


def test_an_ordinary_full_is_the_same_as_another(listened: Listened) -> None:
    listened.room.compared("again", listened.room.saved)
    assert [one.rule for one in listened.told()] == ["22 entries, the same as in an ordinary Full"]


def test_what_differs_is_told_with_its_entry(listened: Listened) -> None:
    def other() -> dict[bytes, Seen]:
        seen = listened.room.saved()
        del seen[b"/@SUBTLE/d/3"]
        return seen

    listened.room.compared("another way", other, "read")
    (finding,) = listened.told()
    assert (finding.call, finding.entry) == ("read", "/@SUBTLE/d/3")
    assert finding.rule == "another way: an entry is listed no more"
