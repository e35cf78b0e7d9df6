from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from filed.catalog import JobTotals
from filed.errors import JobCanceled
from filed.job.context import JobContext
from filed.job.encode.sink import CHECK_EVERY, JobSink
from filed.process.channel import Sender
from filed.process.status_page import Cancel, StatusPage
from filed.storage import JobIdentity, VolumeDirectory
from filed.wire.attributes import FileType, Stat, encode_stat, pack_attributes
from filed.wire.stream import Stream
from tests.catalog.model import begin, open_catalog

DIGEST = b"d" * 16


@pytest.fixture
def context() -> Iterator[JobContext]:
    ours, theirs = socket.socketpair()
    cancel_pipe, other = os.pipe()
    with closing(ours), closing(theirs):
        yield JobContext.of(Sender(ours), StatusPage(), cancel_pipe)
    os.close(cancel_pipe)
    os.close(other)


def test_each_record_goes_where_it_belongs(context: JobContext, tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        job = begin(catalog)
        session = VolumeDirectory.open(tmp_path).append_session(JobIdentity(1, job.job, "etc", "here", "set"))
        feed = catalog.feed(job.job_id)
        sink = JobSink(session, context.counters, context.cancellation, feed)
        told: list[tuple[int, int, bytes]] = []
        sink.on_digest = lambda index, stream, digest: told.append((index, stream, digest))
        lstat = encode_stat(Stat(mode=0o100644, size=7))
        sink.write(1, Stream.UNIX_ATTRIBUTES, pack_attributes(1, FileType.REGULAR, b"/f", lstat))
        sink.write(1, Stream.FILE_DATA, b"content")
        sink.write(1, Stream.MD5_DIGEST, memoryview(DIGEST))
        feed.flush()
        session.abandon()
        catalog.finish_job(job.job_id, "T", 0, JobTotals(), [])
        (row,) = catalog.tree(job.job_id)
    assert (row.path, row.digest) == (b"/f", DIGEST)
    assert told == [(1, Stream.MD5_DIGEST, DIGEST)]
    assert context.counters.totals.job_bytes == 7


def test_a_cancel_ends_even_a_stream_of_zeros_that_nobody_reads(context: JobContext, tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        job = begin(catalog)
        session = VolumeDirectory.open(tmp_path).append_session(JobIdentity(1, job.job, "etc", "here", "set"))
        sink = JobSink(session, context.counters, context.cancellation, catalog.feed(job.job_id))
        zeros(sink)
        context.status_page.ask_cancel(Cancel.ASKED)
        with pytest.raises(JobCanceled):
            zeros(sink)
        session.abandon()


def zeros(sink: JobSink) -> None:
    for _ in range(CHECK_EVERY):
        sink.write(1, Stream.FILE_DATA, b"\0")
