from __future__ import annotations

from collections.abc import Iterator

import pytest

from filed.errors import StreamError
from filed.job.decode.record_check import RecordCheck
from filed.pipeline import Decoder, Digest, Encoder, Plan, RecordQueue, Workers
from filed.wire.attributes import FileType, Stat, encode_stat, pack_attributes
from filed.wire.stream import Stream
from tests.job.conftest import Desk

CONTENT = b"content" * 1000


@pytest.fixture
def workers() -> Iterator[Workers]:
    with Workers() as some:
        yield some


def records(workers: Workers, *paths: bytes) -> list[tuple[int, int, bytes]]:
    found: list[tuple[int, int, bytes]] = []
    queue = RecordQueue(lambda index, stream, data: found.append((index, stream, bytes(data))))
    encoder = Encoder(Plan(digest=Digest.MD5), workers, queue)
    for index, path in enumerate(paths, 1):
        lstat = encode_stat(Stat(size=len(CONTENT)))
        queue.put(index, Stream.UNIX_ATTRIBUTES, pack_attributes(index, FileType.REGULAR, path, lstat))
        encoder.small(index, CONTENT)
    queue.flush()
    return found


def checked(
    desk: Desk, workers: Workers, given: list[tuple[int, int, bytes]]
) -> tuple[list[tuple[int, str]], list[bytes]]:
    wrong: list[tuple[int, str]] = []
    entries: list[bytes] = []

    def on_wrong(error: StreamError, text: str) -> None:
        wrong.append((error.stream, text))

    check = RecordCheck(
        Decoder(None, workers),
        desk.context.messages,
        desk.context.counters,
        on_wrong,
        lambda entry: entries.append(entry.path),
    )
    for index, stream, data in given:
        check.record(stream, index, data)
    check.end()
    assert check.entries == len(entries)
    return wrong, entries


def test_what_is_whole_is_counted_and_not_told(desk: Desk, workers: Workers) -> None:
    assert checked(desk, workers, records(workers, b"/a", b"/b")) == ([], [b"/a", b"/b"])
    assert (desk.context.counters.totals.files, desk.context.counters.totals.read_bytes) == (2, 2 * len(CONTENT))


def test_the_file_whose_digest_differs_is_named_and_the_others_go_on(desk: Desk, workers: Workers) -> None:
    given = [
        (index, stream, bytes(16) if (index, stream) == (1, Stream.MD5_DIGEST) else data)
        for index, stream, data in records(workers, b"/a", b"/b")
    ]
    wrong, entries = checked(desk, workers, given)
    assert entries == [b"/a", b"/b"]
    assert [(stream, text.partition(":")[0]) for stream, text in wrong] == [(Stream.MD5_DIGEST, "/a")]


def test_a_record_that_is_none_is_told_with_its_number(desk: Desk, workers: Workers) -> None:
    wrong, _ = checked(desk, workers, [(9, Stream.UNIX_ATTRIBUTES, b"nonsense")])
    assert len(wrong) == 1
    assert wrong[0][1].startswith("FileIndex 9: ")
