"""What a catalog knows of an entry, and records that differ from it."""

from __future__ import annotations

import pytest

from filed.catalog import INCOMPLETE, METADATA_ONLY, FileRow
from filed.errors import StreamError
from filed.job.decode.known import NOTHING_KNOWN, KnownEntries, check_attributes, check_metadata
from filed.pipeline import Digest
from filed.wire.attributes import Attributes, FileType
from filed.wire.stream import Stream

RECORD = Attributes(5, FileType.REGULAR, b"/f", b"lstat", extended=b"ns:1,2,3")
ROW = FileRow(b"/f", FileType.REGULAR, 5, 1, b"lstat", b"ns:1,2,3", bytes((Stream.MD5_DIGEST,)) + bytes(16), b"", 0)


def known(row: FileRow) -> KnownEntries:
    entries = KnownEntries()
    entries.add(row)
    return entries


@pytest.mark.parametrize(
    "other",
    [
        {"type": FileType.SYMLINK},
        {"path": b"/g"},
        {"lstat": b"other"},
        {"link": b"/etc/shadow"},
        {"extended": b"ns:1,3,3"},
        {"extended": b""},
        {"extended": INCOMPLETE},
    ],
)
def test_an_entry_that_differs_in_anything_is_refused(other: dict[str, object]) -> None:
    entries = known(ROW)
    check_attributes(entries, 5, RECORD)
    with pytest.raises(StreamError, match="is not what the catalog has there"):
        check_attributes(entries, 5, RECORD._replace(**other))  # type: ignore[arg-type]
    check_attributes(entries, 6, RECORD._replace(**other))  # type: ignore[arg-type]  # of another entry nothing is known
    check_attributes(NOTHING_KNOWN, 5, RECORD)


def test_a_record_without_content_is_no_file_and_a_file_is_no_such_record() -> None:
    check_attributes(known(ROW._replace(extended=METADATA_ONLY)), 5, RECORD, metadata_only=True)
    for row, metadata_only in ((ROW, True), (ROW._replace(extended=METADATA_ONLY), False)):
        with pytest.raises(StreamError):
            check_attributes(known(row), 5, RECORD, metadata_only=metadata_only)


def test_of_an_entry_that_was_not_saved_whole_the_catalog_has_no_nanoseconds() -> None:
    check_attributes(known(ROW._replace(extended=INCOMPLETE)), 5, RECORD)


def test_the_kinds_of_digests_are_known_before_the_first_record() -> None:
    assert known(ROW).digests == {Digest.MD5}
    assert known(ROW._replace(digest_record=b"")).digests == set()


@pytest.mark.parametrize(("kept", "refused"), [(b"|", [b"a", b"b"]), (b"|a", [b"", b"b"]), (b"", [])])
def test_acls_and_extended_attributes_are_those_of_the_catalog(kept: bytes, refused: list[bytes]) -> None:
    entries = known(ROW._replace(extended=b"ns:1,2,3" + kept))
    check_attributes(entries, 5, RECORD)
    for metadata in (b"", b"a", b"b"):
        if metadata in refused:
            with pytest.raises(StreamError, match="its ACLs or extended attributes are not those in the catalog"):
                check_metadata(entries, 5, metadata)
        else:
            check_metadata(entries, 5, metadata)
        check_metadata(entries, 6, metadata)
