from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from filed.job.description import Changes, ListMeaning
from filed.job.select.accurate import DiffersFrom, NotSentBefore
from filed.job.select.accurate_list import append_packet
from filed.job.select.base_job import UponBase
from filed.job.select.changed_since import ChangedAfter
from filed.job.select.director_level import selection_by_director
from filed.job.select.selection import Everything, Selection

STAT = b"P4A IOv0 IGk B A A A EAAC BAA I BrBBIG BrBBGe BrBBGe A A C"


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """Two entries."""
    path = tmp_path / "list"
    with path.open("wb") as file:
        for name in (b"/a", b"/b"):
            append_packet(file, b"\0".join((name, STAT, b"", b"0")))
    return path


def kind(changes: Changes, tmp_path: Path) -> type[Selection]:
    with ExitStack() as stack:
        return type(selection_by_director(changes, tmp_path, stack))


def test_what_the_director_sent_says_what_is_compared(tmp_path: Path, listed: Path) -> None:
    assert kind(Changes(), tmp_path) is Everything
    assert kind(Changes(since=7), tmp_path) is ChangedAfter
    assert kind(Changes(since=7, accurate=listed), tmp_path) is DiffersFrom
    assert kind(Changes(accurate=listed, meaning=ListMeaning.BASE), tmp_path) is UponBase
    assert kind(Changes(accurate=listed, meaning=ListMeaning.SENT, sent=2), tmp_path) is NotSentBefore


def test_an_incomplete_full_whose_list_has_more_than_it_sent_is_sent_again(tmp_path: Path, listed: Path) -> None:
    assert kind(Changes(accurate=listed, meaning=ListMeaning.SENT, sent=1), tmp_path) is Everything
