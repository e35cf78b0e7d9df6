"""A page of whole entries: what it keeps for the one who gives it to an agent. What is taken, and what is not: test_gather.py."""

from __future__ import annotations

import pytest

from filed.errors import JobError
from filed.job.decode.destination import Destination
from filed.job.decode.renaming import Renaming, parse_regexwhere
from filed.job.decode.whole_entries import WholeEntries
from filed.wire.attributes import Attributes, FileType
from filed.wire.stream import Stream
from tests.job.decode.test_batches import CONTENT, PLAIN, entry


def test_a_page_knows_paths_numbers_and_what_proved_the_contents() -> None:
    whole = WholeEntries(Destination(b"/to", Renaming()))
    assert whole.take(entry(7, b"/a", *PLAIN))
    assert whole.take(entry(9, b"/d/", kind=FileType.DIRECTORY))
    assert whole.take(entry(8, b"/b", (Stream.FILE_DATA, CONTENT)))
    assert [whole.page.name(number) for number in range(3)] == [b"/a", b"/d", b"/b"]
    assert [whole.page.content(number) for number in range(3)] == [CONTENT, None, CONTENT]
    assert whole.file_indexes == [7, 9, 8]
    assert (whole.digests, whole.undigested) == ({int(Stream.MD5_DIGEST)}, 1)
    assert [whole.page.dest(number) for number in range(3)] == [b"/to/a", b"/to/d", b"/to/b"]


def test_names_may_be_changed() -> None:
    whole = WholeEntries(Destination(b"/to", Renaming(rewrites=parse_regexwhere(b"!^/a!/new!"))))
    assert whole.take(entry(1, b"/a/b", *PLAIN))
    assert whole.page.dest(0) == b"/to/new/b"


def test_a_name_that_cannot_be_is_told_by_those_who_take_records() -> None:
    nowhere = Renaming(rewrites=parse_regexwhere(b"!^/a!!"))
    with pytest.raises(JobError):
        nowhere.renamed(Attributes(1, FileType.REGULAR, b"/a", b""))
    assert not WholeEntries(Destination(b"/to", nowhere)).take(entry(1, b"/a", *PLAIN))
