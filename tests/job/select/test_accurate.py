"""What a Director's Job sends, by time or by the list."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from filed.agents.abi import AgentStream, EntryFlag, EntryType
from filed.catalog import BaseList
from filed.fileset import Options
from filed.fileset.model import Signature
from filed.job.encode.attributes import encode_entry_stat
from filed.job.select.accurate import DiffersFrom, NotSentBefore
from filed.job.select.base_job import UponBase
from filed.job.select.changed_since import ChangedAfter
from filed.job.select.selection import ContentCheck
from tests.job.select.test_changed_since import FILE, OPTIONS, START


def test_by_time_alone_the_ctime_counts_too_unless_the_fileset_says_otherwise() -> None:
    selection = ChangedAfter(START)
    moved_in = FILE._replace(chtime=START)
    assert selection.lookup([b"/f"]) == [None]
    assert not selection.wants(FILE, None, OPTIONS)
    assert selection.wants(FILE._replace(mtime=START), None, OPTIONS)
    assert selection.wants(moved_in, None, OPTIONS)
    assert not selection.wants(moved_in, None, Options(mtimeonly=True))
    assert list(selection.deleted()) == []


@pytest.fixture
def listed(tmp_path: Path) -> Iterator[BaseList]:
    with BaseList.empty(tmp_path) as base:
        base.add(b"/f", encode_entry_stat(FILE, 2))
        base.add(b"/gone", encode_entry_stat(FILE, 2))
        yield base


@pytest.mark.parametrize(
    ("letters", "changed", "wanted"),
    [
        (None, {}, False),
        (None, {"mtime": 1}, True),
        (None, {"chtime": 1}, True),
        (None, {"size": 1}, True),
        (None, {"mode": 0o600}, False),
        ("p", {"mode": 0o600}, True),
        ("s", {"mtime": 1}, False),
        ("d", {"size": 101}, False),
        ("d", {"size": 99}, True),
        ("ug", {"uid": 1}, True),
        ("i", {"ino": 8}, True),
        ("n", {"nlink": 2}, True),
        ("a", {"atime": 1}, True),
        ("A", {}, True),
        ("M", {"mtime": START}, True),
        ("5", {}, False),
        ("5", {"chtime": 1}, True),
        ("5", {"chtime": 1, "type": EntryType.DIRECTORY}, False),
        ("s", {"size": 1, "type": EntryType.SYMLINK}, True),
        ("s", {"size": 1, "type": EntryType.DIRECTORY}, False),
    ],
)
def test_an_accurate_job_compares_what_the_letters_say(
    listed: BaseList,
    letters: str | None,
    changed: dict[str, int],
    wanted: bool,  # noqa: FBT001  of the table above
) -> None:
    selection = DiffersFrom(listed, START)
    (found,) = selection.lookup([b"/f"])
    assert selection.wants(FILE._replace(**changed), found, Options(accurate=letters)) is wanted


def test_what_a_list_has_and_nobody_saw_is_deleted(listed: BaseList) -> None:
    selection = DiffersFrom(listed, START)
    (found, new) = selection.lookup([b"/f", b"/new"])
    assert selection.wants(FILE, new, OPTIONS)
    selection.seen(found)
    assert [gone.path for gone in selection.deleted()] == [b"/gone"]
    selection.failed(b"/gone")
    assert list(selection.deleted()) == []


def test_what_an_incomplete_full_has_sent_is_not_sent_again(listed: BaseList) -> None:
    selection = NotSentBefore(listed, 0)
    (found, new) = selection.lookup([b"/f", b"/new"])
    assert selection.wants(FILE, new, OPTIONS)
    assert not selection.wants(FILE, found, OPTIONS)
    assert selection.wants(FILE._replace(mtime=1), found, OPTIONS)
    assert list(selection.deleted()) == list(selection.taken_over()) == []


def test_upon_a_base_job_what_is_left_out_is_taken_over(listed: BaseList) -> None:
    listed.add(b"/also", encode_entry_stat(FILE, 2))
    selection = UponBase(listed, 0)
    (found, also) = selection.lookup([b"/f", b"/also"])
    assert list(selection.taken_over()) == []
    for row in (found, also):
        selection.seen(row)
        assert not selection.wants(FILE, row, OPTIONS)
        selection.left_out(row)
    assert [row.path for row in selection.taken_over()] == [b"/also", b"/f"]
    selection.sent_after_all(b"/also")
    selection.sent_after_all(b"/not listed")
    assert [row.path for row in selection.taken_over()] == [b"/f"]
    assert list(selection.deleted()) == [], "what the Base has besides is no business of the Job"


@pytest.mark.parametrize(
    ("letters", "changed", "wanted"),
    [
        (None, {"mtime": 1}, True),
        (None, {"mode": 0o600}, True),
        (None, {"nlink": 2}, False),
        ("s", {"mtime": 1}, False),
        ("n", {"nlink": 2}, True),
        ("s", {"mtime": 1, "type": EntryType.DIRECTORY}, True),
    ],
)
def test_a_base_job_has_letters_of_its_own(
    listed: BaseList,
    letters: str | None,
    changed: dict[str, int],
    wanted: bool,  # noqa: FBT001  of the table above
) -> None:
    selection = UponBase(listed, 0)
    (found,) = selection.lookup([b"/f"])
    options = Options(basejob=letters, accurate="A")
    assert selection.wants(FILE._replace(**changed), found, options) is wanted


MD5_OF_IT = bytes([3]) + b"m" * 16
AGAIN = FILE._replace(flags=EntryFlag.REREAD, streams=1 << AgentStream.DATA)


@pytest.mark.parametrize(
    ("listed_digest", "options", "changed", "found"),
    [
        (MD5_OF_IT, Options(accurate="p5", signature=Signature.MD5), {"mtime": 1}, "checked"),
        (MD5_OF_IT, Options(accurate="p5"), {"mtime": 1}, "checked"),  # bacula-fd compares nothing then
        (MD5_OF_IT, Options(accurate="p5", signature=Signature.MD5), {"mode": 0o600}, "wanted"),
        (MD5_OF_IT, Options(accurate="p5", signature=Signature.MD5), {"flags": 0}, "left out"),
        (MD5_OF_IT, Options(accurate="p5", signature=Signature.MD5), {"flags": 0, "mtime": 1}, "wanted"),
        (MD5_OF_IT, Options(accurate="p5", signature=Signature.SHA1), {}, "wanted"),
        (b"", Options(accurate="p5", signature=Signature.MD5), {}, "wanted"),
        (b"", Options(accurate="p2", signature=Signature.SHA256), {}, "left out"),
        (b"", Options(accurate="p2", signature=Signature.SHA256), {"mtime": 1}, "wanted"),
        (b"", Options(accurate="p5"), {}, "left out"),
        (MD5_OF_IT, Options(accurate="ps", signature=Signature.MD5), {"mtime": 1}, "left out"),
        (MD5_OF_IT, Options(accurate="p5"), {"type": EntryType.DIRECTORY}, "left out"),
    ],
)
def test_a_digest_letter_has_content_read_that_is_as_before_in_all_else(
    tmp_path: Path,
    listed_digest: bytes,
    options: Options,
    changed: dict[str, int],
    found: str,
) -> None:
    with BaseList.empty(tmp_path) as base:
        base.add(b"/f", encode_entry_stat(FILE, 2), listed_digest)
        selection = DiffersFrom(base, START)
        (row,) = selection.lookup([b"/f"])
        entry = AGAIN._replace(**changed)
        assert selection.wants(entry, row, options) is (found == "wanted")
        check = selection.content_check(entry, row, options)
        assert found == "wanted" or (check is not None) is (found == "checked")
        assert found != "checked" or check == ContentCheck(3, b"m" * 16, likely="mtime" in changed)
