"""One stored file, record by record, and the verdict at its end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from filed.errors import StreamError
from filed.job.decode.stored_file import StoredFile
from filed.pipeline import Decoder, Digest, Encoder, Keyring, PkiKeys, Plan, RecordQueue, Workers
from filed.wire.attributes import Attributes, FileType, Stat, encode_stat
from filed.wire.stream import Stream, stream_type
from tests.pipeline.content import CLIENT, ENCRYPTING, MASTER, SIGNING

CONTENT = bytes(range(256)) * 300


@pytest.fixture
def workers() -> Iterator[Workers]:
    with Workers() as some:
        yield some


def records(workers: Workers, content: bytes, digest: Digest | None) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    queue = RecordQueue(lambda _index, stream, data: found.append((stream, bytes(data))))
    Encoder(Plan(digest=digest), workers, queue).small(1, content)
    queue.flush()
    return found


def read(workers: Workers, kept: list[tuple[int, bytes]], size: int, kind: FileType = FileType.REGULAR) -> bytes:
    decoder = Decoder(None, workers)
    if any(stream_type(stream) == Stream.MD5_DIGEST for stream, _ in kept):
        decoder.digests.saw([Digest.MD5])
    file = StoredFile(decoder, Attributes(1, kind, b"/x", encode_stat(Stat(size=size)), b"", b""))
    assert file.size == (size if size >= 0 else None)
    content = bytearray()
    for stream, data in kept:
        for offset, piece in file.record(stream, stream_type(stream), data):
            assert offset == len(content)
            content += piece
    for _, piece in file.finish():
        content += piece
    return bytes(content)


@pytest.mark.parametrize("digest", [None, Digest.MD5])
def test_content_comes_back_as_it_was(workers: Workers, digest: Digest | None) -> None:
    assert read(workers, records(workers, CONTENT, digest), len(CONTENT)) == CONTENT


def test_a_digest_that_differs_is_told_after_the_content(workers: Workers) -> None:
    kept = records(workers, CONTENT, Digest.MD5)
    kept[0] = (kept[0][0], b"X" + kept[0][1][1:])
    with pytest.raises(StreamError, match="the content is not what was saved"):
        read(workers, kept, len(CONTENT))


def test_without_a_digest_a_file_cut_short_shows_by_its_size(workers: Workers) -> None:
    with pytest.raises(StreamError, match="76,800 bytes are stored of 76,801"):
        read(workers, records(workers, CONTENT, None), len(CONTENT) + 1)


@pytest.mark.parametrize("size", [1, len(CONTENT) - 1, len(CONTENT) + 5000])
def test_a_file_that_changed_its_size_while_it_was_read_is_proved_by_its_digest(workers: Workers, size: int) -> None:
    assert read(workers, records(workers, CONTENT, Digest.MD5), size) == CONTENT


def test_a_file_that_grew_while_it_was_read_is_no_damage(workers: Workers) -> None:
    assert read(workers, records(workers, CONTENT, None), 10) == CONTENT


def test_an_unknown_size_says_nothing(workers: Workers) -> None:
    assert read(workers, records(workers, CONTENT, None), -1) == CONTENT


def test_of_devices_and_fifos_the_size_says_nothing(workers: Workers) -> None:
    assert read(workers, records(workers, CONTENT, None), 10**12, FileType.RAW_DEVICE) == CONTENT


def test_records_that_are_none_of_ours_are_let_pass(workers: Workers) -> None:
    kept = records(workers, CONTENT, Digest.MD5)
    assert read(workers, [*kept[:1], (int(Stream.XATTR_LINUX), b"?"), *kept[1:]], len(CONTENT)) == CONTENT


KNOWING = Keyring((CLIENT,))


def signed(workers: Workers, content: bytes, crypto: PkiKeys = SIGNING) -> list[tuple[int, bytes]]:
    """Content with a signature, and no digest that would prove it, too."""
    found: list[tuple[int, bytes]] = []
    queue = RecordQueue(lambda _index, stream, data: found.append((stream, bytes(data))))
    Encoder(Plan(crypto=crypto), workers, queue).small(1, content)
    queue.flush()
    assert stream_type(found[-1][0]) == Stream.SIGNED_DIGEST
    return found


def stored(workers: Workers, keyring: Keyring | None = None, size: int = len(CONTENT)) -> StoredFile:
    attributes = Attributes(1, FileType.REGULAR, b"/x", encode_stat(Stat(size=size)), b"", b"")
    return StoredFile(Decoder(keyring, workers), attributes)


def feed(file: StoredFile, kept: list[tuple[int, bytes]]) -> bytes:
    content = bytearray()
    for stream, data in kept:
        for _, piece in file.record(stream, stream_type(stream), data):
            content += piece
    for _, piece in file.finish():
        content += piece
    return bytes(content)


def test_a_signature_of_somebody_known_proves_the_content_whatever_its_size(workers: Workers) -> None:
    file = stored(workers, KNOWING, size=10**9)
    assert feed(file, signed(workers, CONTENT)) == CONTENT
    assert file.unproved == ""


def test_a_signature_over_something_else_is_an_error(workers: Workers) -> None:
    kept = signed(workers, CONTENT)
    kept[0] = (kept[0][0], b"X" + kept[0][1][1:])
    with pytest.raises(StreamError, match="the content or the signature was changed"):
        feed(stored(workers, KNOWING), kept)


def test_a_signature_of_nobody_known_proves_nothing_and_says_so(workers: Workers) -> None:
    file = stored(workers, Keyring(signers=(MASTER.certificate,)))
    assert feed(file, signed(workers, CONTENT)) == CONTENT
    assert file.unproved == "signatures could not be checked: nobody whose certificate was given signed it"
    with pytest.raises(StreamError, match="76,800 bytes are stored of 76,801"):
        feed(stored(workers, Keyring(), size=len(CONTENT) + 1), signed(workers, CONTENT))


def test_what_was_encrypted_comes_back_with_the_key_and_not_without(workers: Workers) -> None:
    kept = signed(workers, CONTENT, ENCRYPTING)
    assert feed(stored(workers, KNOWING), kept) == CONTENT
    with pytest.raises(StreamError):
        feed(stored(workers, Keyring()), kept)


def test_on_a_damaged_volume_only_a_proof_tells_that_all_is_there(workers: Workers) -> None:
    whole = stored(workers)
    whole.damaged()
    assert feed(whole, records(workers, CONTENT, Digest.MD5)) == CONTENT
    doubtful = stored(workers)
    doubtful.damaged()
    with pytest.raises(StreamError, match="nothing proves that all is there"):
        feed(doubtful, records(workers, CONTENT, None))


def test_a_digest_that_was_not_calculated_is_said_to_be_unchecked(workers: Workers) -> None:
    decoder = Decoder(None, workers)
    decoder.digests.saw([Digest.SHA256])  # so far the Job had these alone
    file = StoredFile(decoder, Attributes(1, FileType.REGULAR, b"/x", encode_stat(Stat(size=len(CONTENT))), b"", b""))
    assert feed(file, records(workers, CONTENT, Digest.MD5)) == CONTENT
    assert file.unproved == "digests could not be checked: a digest of this kind was not calculated while reading"


def test_the_length_is_where_the_content_ends_by_now(workers: Workers) -> None:
    file = stored(workers)
    assert file.length == 0
    feed(file, records(workers, CONTENT, Digest.MD5))
    assert file.length == len(CONTENT)
