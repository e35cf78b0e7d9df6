from __future__ import annotations

from pathlib import Path

import pytest

from filed.catalog import INCOMPLETE, FileRow
from filed.errors import CatalogError, StreamError
from filed.wire.attributes import Stat, encode_stat, pack_attributes, parse_looked_for, parse_nanoseconds
from filed.wire.plugin_name import pack_plugin_end, pack_plugin_start
from filed.wire.restore_object import RestoreObject, pack_restore_object
from filed.wire.stream import Stream
from tests.catalog.model import Item, begin, finish, open_catalog, records

LSTAT = encode_stat(Stat(mode=0o100600, size=5))


def row_of(directory: Path, *given: tuple[int, int, bytes], path: bytes = b"/f") -> FileRow | None:
    with open_catalog(directory) as catalog:
        job = begin(catalog)
        feed = catalog.feed(job.job_id)
        for record in given:
            feed.record(*record)
        feed.flush()
        return catalog.entry(job.job_id, path)


def test_an_entry_is_stored_as_its_records_have_it(tmp_path: Path) -> None:
    row = row_of(tmp_path, (1, 1, pack_attributes(1, 4, b"/f", LSTAT, b"target", b"ns:1,2,3")), (1, 17, b"s" * 32))
    assert row == (b"/f", 4, 1, 1, LSTAT, b"ns:1,2,3|", b"\x11" + b"s" * 32, b"target", 0)
    assert row.digest_stream == 17
    assert row.digest == b"s" * 32


def test_any_byte_but_nul_can_stand_in_a_path(tmp_path: Path) -> None:
    path = bytes(range(1, 256))
    row = row_of(tmp_path, (1, 1, pack_attributes(1, 3, path, LSTAT)), path=path)
    assert row is not None
    assert row.path == path
    assert row.digest_stream == 0


def test_content_between_attributes_and_digest_is_let_pass(tmp_path: Path) -> None:
    row = row_of(
        tmp_path,
        (1, 1, pack_attributes(1, 3, b"/f", LSTAT)),
        (1, 2, b"bytes"),
        (1, 0x04000002, b"more"),
        (1, 1998, b"xattr"),
        (1, 3, b"d" * 16),
        (2, 3, b"x" * 16),
    )
    assert row is not None
    assert row.digest == b"d" * 16


def test_acls_and_extended_attributes_are_known_by_a_digest(tmp_path: Path) -> None:
    head = (1, 1, pack_attributes(1, 3, b"/f", LSTAT, b"", b"ns:1,2,3;ax"))
    acl, xattr, other = (
        (1, Stream.ACL_LINUX_ACCESS, b"acl"),
        (1, Stream.XATTR_LINUX, b"xattr"),
        (1, Stream.XATTR_LINUX, b"other"),
    )
    found = {
        row_of(tmp_path / str(number), head, *records).extended  # type: ignore[union-attr]
        for number, records in enumerate(([], [acl], [acl, xattr], [acl, other], [xattr, acl]))
    }
    assert len(found) == 5
    assert b"ns:1,2,3;ax|" in found
    assert all(parse_nanoseconds(extended) == (1, 2, 3) and parse_looked_for(extended) == b"ax" for extended in found)


def test_a_file_that_was_not_saved_whole_is_marked_and_only_that(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        job = begin(catalog)
        feed = catalog.feed(job.job_id)
        for number, name in ((1, b"/whole"), (2, b"/cut")):
            feed.record(number, 1, pack_attributes(number, 3, name, LSTAT, b"", b"ns:1,2,3"))
        feed.incomplete(1)  # not the last one any more
        feed.incomplete(2)
        feed.flush()
        assert catalog.entry(job.job_id, b"/whole").extended == b"ns:1,2,3|"  # type: ignore[union-attr]
        assert catalog.entry(job.job_id, b"/cut").extended == INCOMPLETE  # type: ignore[union-attr]


def test_records_may_be_views(tmp_path: Path) -> None:
    row = row_of(tmp_path, (1, 1, memoryview(pack_attributes(1, 3, b"/f", LSTAT))), (1, 3, memoryview(b"d" * 16)))  # type: ignore[arg-type]
    assert row is not None
    assert row.digest == b"d" * 16


def test_a_record_of_an_old_writer_is_taken(tmp_path: Path) -> None:
    row = row_of(tmp_path, (1, 1, b"1 3 /f\0" + LSTAT + b"\0"))
    assert row is not None
    assert row.lstat == LSTAT


def test_only_the_low_bits_of_a_type_count(tmp_path: Path) -> None:
    row = row_of(tmp_path, (1, 1, pack_attributes(1, 0x10003, b"/f", LSTAT)))
    assert row is not None
    assert row.type == 3


def test_a_path_saved_twice_counts_as_it_was_saved_last(tmp_path: Path) -> None:
    first = (1, 1, pack_attributes(1, 4, b"/f", LSTAT, b"link"))
    second = (2, 1, pack_attributes(2, 3, b"/f", LSTAT))
    for number, order in enumerate([(first, second), (second, first)]):
        (tmp_path / str(number)).mkdir()
        row = row_of(tmp_path / str(number), *order)
        assert row is not None
        assert (row.file_index, row.type, row.link) == (2, 3, b"")


def test_an_attribute_update_carries_no_data_and_hides_none(tmp_path: Path) -> None:
    row = row_of(
        tmp_path,
        (1, 1, pack_attributes(1, 3, b"/f", LSTAT)),
        (2, 37, pack_attributes(2, 3, b"/f", LSTAT, b"", b"<NULL>", 1)),
        (2, 3, b"d" * 16),
    )
    assert row is not None
    assert row.file_index == 1
    assert row.digest == b""


def test_entries_of_a_plugin_remember_its_command(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        job = begin(catalog)
        feed = catalog.feed(job.job_id)
        feed.record(1, 26, pack_plugin_start(1, b"exchange:store"))
        feed.record(1, 1, pack_attributes(1, 3, b"/@X/a", LSTAT))
        feed.record(1, 26, pack_plugin_end(1))
        feed.record(2, 1, pack_attributes(2, 3, b"/b", LSTAT))
        feed.flush()
        inside, outside = catalog.entry(job.job_id, b"/@X/a"), catalog.entry(job.job_id, b"/b")
        assert inside is not None
        assert outside is not None
        assert catalog.plugin_command(inside.plugin_id) == b"exchange:store"
        assert catalog.plugin_command(outside.plugin_id) == b""


def test_restore_objects_are_kept_inflated(tmp_path: Path) -> None:
    item = RestoreObject(1, 25, 0, b"exchange:x", b"metadata", b"m" * 5000)
    with open_catalog(tmp_path) as catalog:
        job = begin(catalog)
        feed = catalog.feed(job.job_id)
        feed.record(1, 28, pack_restore_object(item))
        feed.flush()
        assert list(catalog.restore_objects(job.job_id)) == [item]


def test_entries_and_deletions_are_counted_apart(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        feed = catalog.feed(begin(catalog).job_id)
        for record in records({b"/a": Item(1), b"/b": None, b"/c": Item(1)}):
            feed.record(*record)
        assert (feed.files, feed.deleted) == (2, 1)


def test_rows_beyond_a_batch_are_all_there(tmp_path: Path) -> None:
    changes = {b"/%05d" % n: Item(n + 1) for n in range(5000)}
    with open_catalog(tmp_path) as catalog:
        job = begin(catalog)
        feed = catalog.feed(job.job_id)
        for record in records(changes):
            feed.record(*record)
        before = sum(1 for _ in catalog.tree(job.job_id))
        feed.flush()
        rows = list(catalog.tree(job.job_id))
        assert 0 < before < 5000
        assert [row.path for row in rows] == sorted(changes)
        assert all(row.digest == changes[row.path].digest for row in rows)


@pytest.mark.parametrize(
    ("stream", "data"),
    [
        (1, b""),
        (1, b"1 3\0A\0\0\0"),
        (1, b"1 3 \0A\0\0\0"),
        (1, b"1 x /f\0A\0\0\0"),
        (5, b"no record at all"),
        (26, b"nonsense"),
        (28, b"nonsense"),
    ],
)
def test_a_broken_record_is_a_stream_error(tmp_path: Path, stream: int, data: bytes) -> None:
    with pytest.raises(StreamError):
        row_of(tmp_path, (1, stream, data))


def test_a_digest_of_a_wrong_length_is_a_stream_error(tmp_path: Path) -> None:
    with pytest.raises(StreamError, match="digest of 3 bytes"):
        row_of(tmp_path, (1, 1, pack_attributes(1, 3, b"/f", LSTAT)), (1, 3, b"abc"))


def test_a_job_that_was_ended_elsewhere_gets_no_more_rows(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog, open_catalog(tmp_path) as other:
        job = begin(catalog)
        feed = catalog.feed(job.job_id)
        feed.record(1, 1, pack_attributes(1, 3, b"/f", LSTAT))
        other.fail_job(job.job_id, 5, "given up")
        with pytest.raises(CatalogError, match="ended by another process"):
            feed.flush()
        with pytest.raises(CatalogError, match="ended by another process"):
            finish(catalog, job)


def test_large_restore_objects_do_not_wait_in_memory(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        job = begin(catalog)
        feed = catalog.feed(job.job_id)
        feed.record(1, 28, pack_restore_object(RestoreObject(1, 27, 1, b"p", b"o", bytes(1 << 20))))
        assert len(list(catalog.restore_objects(job.job_id))) == 1
