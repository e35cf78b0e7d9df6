from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from filed.job.accurate import append_packet
from filed.job.description import Changes
from filed.job.selection import ChangedAfter, DiffersFrom, Everything
from filed.job.selection_of import selection_of


def test_what_the_director_sent_says_what_is_compared(tmp_path: Path) -> None:
    path = tmp_path / "list"
    with path.open("wb") as file:
        append_packet(file, b"/a\0P4A IOv0 IGk B A A A EAAC BAA I BrBBIG BrBBGe BrBBGe A A C\0\x000")
    with ExitStack() as stack:
        assert isinstance(selection_of(Changes(), tmp_path, stack), Everything)
        assert isinstance(selection_of(Changes(since=7), tmp_path, stack), ChangedAfter)
        assert isinstance(selection_of(Changes(since=7, accurate=path), tmp_path, stack), DiffersFrom)
