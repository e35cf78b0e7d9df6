from __future__ import annotations

import pytest

from filed.errors import JobError
from filed.job.decode.renaming import Renaming, parse_regexwhere, parse_where
from filed.wire.attributes import Attributes, FileType


def renamed(regexwhere: bytes, path: bytes, kind: FileType = FileType.REGULAR, link: bytes = b"") -> Attributes:
    return Renaming(rewrites=parse_regexwhere(regexwhere)).renamed(Attributes(1, kind, path, b"", link))


@pytest.mark.parametrize(
    ("regexwhere", "path"),
    [
        (b"!/data/src!/data/new!", b"/data/new/a"),
        (b"!DATA!x!i", b"/x/src/a"),
        (b"!/(d[a-z]*)/(src)!/$2/\\1!", b"/src/data/a"),
        (b"!a!b!g", b"/dbtb/src/b"),
        (b"!/data!!,!$!.old!", b"/src/a.old"),
        (rb"|/src|/s\|c|", b"/data/s|c/a"),
    ],
)
def test_names_are_changed_by_expressions_in_turn(regexwhere: bytes, path: bytes) -> None:
    assert renamed(regexwhere, b"/data/src/a").path == path


def test_bytes_that_are_no_text_stay() -> None:
    assert renamed(b"!/a!/b!", b"/a/\xff\n").path == b"/b/\xff\n"


def test_a_hard_link_still_leads_to_its_first_name() -> None:
    assert renamed(b"!/a!/b!", b"/a/2", FileType.HARD_LINK, b"/a/1").link == b"/b/1"


def test_a_symbolic_link_moves_along_when_asked_to() -> None:
    link = Attributes(1, FileType.SYMLINK, b"/l", b"", b"/target")
    assert Renaming(b"/where", prelinks=True).renamed(link).link == b"/where/target"
    assert Renaming(b"/where").renamed(link) == link


@pytest.mark.parametrize("text", [b"!a", b"!a!b", b"!a!b!x", b"!(!b!"])
def test_what_makes_no_sense_fails_the_job(text: bytes) -> None:
    with pytest.raises(JobError, match="RegexWhere"):
        parse_regexwhere(text)


@pytest.mark.parametrize("regexwhere", [b"!^/!!", b"!a!../../b!"])
def test_no_name_leaves_the_tree_of_absolute_paths(regexwhere: bytes) -> None:
    with pytest.raises(JobError, match="absolute"):
        renamed(regexwhere, b"/a")


def test_where_is_absolute_or_nothing() -> None:
    assert [parse_where(where) for where in (b"", b"/", b"/a/b/")] == [b"", b"", b"/a/b"]
    for where in (b"a", b"/a/../b"):
        with pytest.raises(JobError, match="absolute"):
            parse_where(where)


def test_a_regexwhere_cannot_make_names_without_end() -> None:
    names = Renaming(b"", parse_regexwhere(b",".join([b"!x!xxxxxxxxxx!g"] * 40)))
    with pytest.raises(JobError, match="makes a name of"):
        names.renamed(Attributes(1, FileType.REGULAR, b"/x", b""))
    with pytest.raises(JobError, match="at most"):
        parse_regexwhere(b"!a!" + b"b" * 5000 + b"!")
