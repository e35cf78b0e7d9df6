"""What the options of a FileSet ask of agents and do to content."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from filed.agents.abi import AgentStream, Entry, EntryFlag, EntryType, WantOption
from filed.errors import JobError
from filed.fileset import Compression, CompressionKind, Options, Signature
from filed.job.keeping import Keeping, Keepings
from filed.pipeline import RecordQueue, Workers
from filed.wire.stream import Stream

DATA, OBJECT, XATTR = AgentStream.DATA.bit, AgentStream.OBJECT.bit, AgentStream.XATTR.bit
ACL = AgentStream.ACL_ACCESS.bit | AgentStream.ACL_DEFAULT.bit


@pytest.fixture
def keepings() -> Iterator[Keepings]:
    with Workers() as workers:
        yield Keepings(None, workers, RecordQueue(lambda _index, _stream, _data: None))


def wanted(keeping: Keeping, kind: EntryType, flags: int = 0) -> int:
    return keeping.streams(Entry(type=kind, flags=flags))


def test_only_what_has_content_is_asked_for_it(keepings: Keepings) -> None:
    keeping = keepings.of(Options())
    assert wanted(keeping, EntryType.REGULAR) == DATA
    assert wanted(keeping, EntryType.OBJECT) == OBJECT
    assert wanted(keeping, EntryType.DIRECTORY) == 0
    assert wanted(keeping, EntryType.FIFO) == 0
    assert wanted(keeping, EntryType.BLOCKDEV) == 0
    assert wanted(keeping, EntryType.BLOCKDEV, EntryFlag.TOP) == DATA  # a File line names it itself
    assert wanted(keepings.of(Options(readfifo=True)), EntryType.FIFO) == DATA


def test_acls_and_attributes_are_asked_for_when_the_fileset_says_so(keepings: Keepings) -> None:
    assert wanted(keepings.of(Options(aclsupport=True)), EntryType.DIRECTORY) == ACL
    assert wanted(keepings.of(Options(aclsupport=True, xattrsupport=True)), EntryType.REGULAR) == ACL | XATTR | DATA


@pytest.mark.parametrize(
    ("options", "bits"),
    [
        (Options(), 0),
        (Options(noatime=True, keepatime=True), WantOption.NOATIME | WantOption.KEEPATIME),
        (Options(checkfilechanges=True, sparse=True), WantOption.CHECK_CHANGES | WantOption.SPARSE),
        (Options(readfifo=True), WantOption.READFIFO),
    ],
)
def test_options_about_reading_are_handed_on(keepings: Keepings, options: Options, bits: int) -> None:
    assert keepings.of(options).want_options == bits


@pytest.mark.parametrize(
    ("options", "stream"),
    [
        (Options(), Stream.FILE_DATA),
        (Options(compression=Compression(CompressionKind.GZIP, 6)), Stream.GZIP_DATA),
        (Options(compression=Compression(CompressionKind.GZIP, 0)), Stream.FILE_DATA),  # a level that means: not at all
        (Options(compression=Compression(CompressionKind.ZSTD, 3)), Stream.COMPRESSED_DATA),
        (Options(sparse=True), Stream.SPARSE_DATA),
        (Options(sparse=True, compression=Compression(CompressionKind.GZIP, 1)), Stream.SPARSE_GZIP_DATA),
    ],
)
def test_the_stream_of_content_follows_from_the_options(keepings: Keepings, options: Options, stream: Stream) -> None:
    assert keepings.of(options).data_stream == stream


def test_a_digest_that_cannot_be_made_fails_the_job_with_those_that_can(keepings: Keepings) -> None:
    with pytest.raises(JobError, match="signature XXH3_64 cannot be made; use one of MD5, SHA1"):
        keepings.of(Options(signature=Signature.XXH3_64))


def test_a_block_of_options_is_derived_once(keepings: Keepings) -> None:
    options = Options(signature=Signature.MD5)
    assert keepings.of(options) is keepings.of(options)
    assert keepings.of(options) is not keepings.of(Options(signature=Signature.MD5))
    assert keepings.of(options).digested
    assert not keepings.of(Options()).digested
