"""What the options of a FileSet ask of agents and do to content."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from filed.agents.abi import AgentStream, Entry, EntryFlag, EntryType, WantOption
from filed.errors import JobError
from filed.fileset import Compression, CompressionKind, Options, Signature
from filed.job.encode.options_plan import OptionsPlan, OptionsPlans
from filed.pipeline import RecordQueue, Workers
from filed.wire.stream import Stream

DATA, OBJECT, XATTR = AgentStream.DATA.bit, AgentStream.OBJECT.bit, AgentStream.XATTR.bit
ACL = AgentStream.ACL_ACCESS.bit | AgentStream.ACL_DEFAULT.bit


@pytest.fixture
def options_plans() -> Iterator[OptionsPlans]:
    with Workers() as workers:
        yield OptionsPlans(None, workers, RecordQueue(lambda _index, _stream, _data: None))


def wanted(options_plan: OptionsPlan, kind: EntryType, flags: int = 0) -> int:
    return options_plan.streams(Entry(type=kind, flags=flags))


def test_only_what_has_content_is_asked_for_it(options_plans: OptionsPlans) -> None:
    options_plan = options_plans.of(Options())
    assert wanted(options_plan, EntryType.REGULAR) == DATA
    assert wanted(options_plan, EntryType.OBJECT) == OBJECT
    assert wanted(options_plan, EntryType.DIRECTORY) == 0
    assert wanted(options_plan, EntryType.FIFO) == 0
    assert wanted(options_plan, EntryType.BLOCKDEV) == 0
    assert wanted(options_plan, EntryType.BLOCKDEV, EntryFlag.TOP) == DATA  # a File line names it itself
    assert wanted(options_plans.of(Options(readfifo=True)), EntryType.FIFO) == DATA


def test_acls_and_attributes_are_asked_for_when_the_fileset_says_so(options_plans: OptionsPlans) -> None:
    assert wanted(options_plans.of(Options(aclsupport=True)), EntryType.DIRECTORY) == ACL
    assert (
        wanted(options_plans.of(Options(aclsupport=True, xattrsupport=True)), EntryType.REGULAR) == ACL | XATTR | DATA
    )


@pytest.mark.parametrize(
    ("options", "bits"),
    [
        (Options(), 0),
        (Options(noatime=True, keepatime=True), WantOption.NOATIME | WantOption.KEEPATIME),
        (Options(checkfilechanges=True, sparse=True), WantOption.CHECK_CHANGES | WantOption.SPARSE),
        (Options(readfifo=True), WantOption.READFIFO),
    ],
)
def test_options_about_reading_are_handed_on(options_plans: OptionsPlans, options: Options, bits: int) -> None:
    assert options_plans.of(options).want_options == bits


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
def test_the_stream_of_content_follows_from_the_options(
    options_plans: OptionsPlans, options: Options, stream: Stream
) -> None:
    assert options_plans.of(options).data_stream == stream


def test_a_digest_that_cannot_be_made_fails_the_job_with_those_that_can(options_plans: OptionsPlans) -> None:
    with pytest.raises(JobError, match="signature XXH3_64 cannot be made; use one of MD5, SHA1"):
        options_plans.of(Options(signature=Signature.XXH3_64))


def test_a_block_of_options_is_derived_once(options_plans: OptionsPlans) -> None:
    options = Options(signature=Signature.MD5)
    assert options_plans.of(options) is options_plans.of(options)
    assert options_plans.of(options) is not options_plans.of(Options(signature=Signature.MD5))
    assert options_plans.of(options).digested
    assert not options_plans.of(Options()).digested
