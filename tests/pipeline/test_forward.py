from __future__ import annotations

import hashlib
import itertools
import random

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from filed.errors import StreamError
from filed.pipeline.compress import Codec, Compression
from filed.pipeline.der import parse_signatures
from filed.pipeline.digest import Digest
from filed.pipeline.forward import Encoder
from filed.pipeline.plan import Plan
from filed.pipeline.queue import RecordQueue
from filed.pipeline.workers import Workers
from tests.pipeline.content import CHUNK, CLIENT, ENCRYPTING, MASTER, SIGNING, SPARSE_CHUNK, plain_content, text

CODECS = [None, Compression(Codec.GZIP, 1), Compression(Codec.LZO), Compression(Codec.ZSTD, 3)]
PLANS = [
    Plan(digest, codec, sparse, crypto)
    for digest, codec, sparse, crypto in itertools.product(
        (None, Digest.MD5, Digest.SHA256, Digest.XXH3_128), CODECS, (False, True), (None, SIGNING, ENCRYPTING)
    )
]
SIZES = st.one_of(
    st.integers(0, 70_000), st.builds(lambda n, d: max(0, n * CHUNK + d), st.integers(1, 6), st.integers(-9, 9)),
    st.builds(lambda n, d: max(0, n * SPARSE_CHUNK + d), st.integers(1, 6), st.integers(-2, 2)),
)  # fmt: skip
PIECES = [999, 4096, CHUNK, SPARSE_CHUNK, 3 * CHUNK, 1 << 20]


class Sink:
    """Records as written, by FileIndex; buffers are copied, as a Volume does."""

    def __init__(self) -> None:
        self.order: list[tuple[int, int]] = []
        self.files: dict[int, list[tuple[int, bytes]]] = {}

    def __call__(self, file_index: int, stream: int, data) -> None:
        self.order.append((file_index, stream))
        self.files.setdefault(file_index, []).append((stream, bytes(data)))


@pytest.fixture(scope="module", params=[0, 1], ids=["cores to spare", "alone"])
def workers(request):
    with Workers(2, neighbours=request.param) as pool:
        yield pool


def check(records: list[tuple[int, bytes]], content: bytes, plan: Plan) -> None:
    """Order, content, digest and signature of one file's records."""
    read, chunks = plain_content(records)
    assert read == content
    assert all(len(chunk) == plan.chunk_bytes for chunk in chunks[:-1])
    sent = b"".join(chunks)
    streams = [stream for stream, _ in records]
    wanted = [22] if plan.crypto and plan.crypto.encrypt else []
    wanted += [plan.data_stream] * streams.count(plan.data_stream)
    if plan.crypto:
        wanted.append(19)
        (signer,) = parse_signatures(dict(records)[19])
        assert signer.key_id == CLIENT.certificate.key_id
        CLIENT.certificate.public_key.verify(signer.signature, sent, PKCS1v15(), hashes.SHA256())
    if plan.digest:
        wanted.append(plan.digest.stream)
        assert dict(records)[plan.digest.stream] == plan.digest.new(sent).digest()
    assert streams == wanted


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=st.sampled_from(PLANS), size=SIZES, data=st.data())
def test_every_plan_keeps_the_content(workers, plan, size, data):
    content = bytearray(text(size))
    for _ in range(data.draw(st.integers(0, 3))):
        start = data.draw(st.integers(0, size))
        end = min(size, start + data.draw(SIZES))
        content[start:end] = bytes(end - start)
    sink = Sink()
    queue = RecordQueue(sink)
    encoder = Encoder(plan, workers, queue)
    entry = encoder.entry(1)
    at = 0
    for piece in itertools.cycle(data.draw(st.lists(st.sampled_from(PIECES), min_size=1, max_size=4))):
        if at >= size:
            break
        part = bytes(content[at : at + piece])
        if part.strip(b"\0"):  # else it is a hole nobody reads
            entry.data(at, part)
        at += piece
    entry.finish(size)
    if size <= plan.chunk_bytes:
        encoder.small(2, memoryview(content))
    queue.flush()
    for records in sink.files.values():
        check(records, bytes(content), plan)


def encode(plan: Plan, content: bytes, workers: Workers) -> list[tuple[int, bytes]]:
    sink = Sink()
    queue = RecordQueue(sink)
    entry = Encoder(plan, workers, queue).entry(1)
    entry.data(0, content)
    entry.finish(len(content))
    queue.flush()
    return sink.files.get(1, [])


def test_plain_content_is_cut_as_real_daemons_cut_it(workers):
    records = encode(Plan(Digest.MD5), text(CHUNK + 1001), workers)
    assert [(stream, len(data)) for stream, data in records] == [(2, 65536), (2, 1001), (3, 16)]


def test_encrypted_records_have_the_lengths_real_daemons_give_them(workers):
    records = encode(Plan(Digest.MD5, crypto=ENCRYPTING), text(CHUNK + 1001), workers)
    assert [(stream, len(data)) for stream, data in records] == [
        (22, 640),
        (20, 65536),
        (20, 1008),
        (20, 16),
        (19, 322),
        (3, 16),
    ]
    records = encode(Plan(crypto=ENCRYPTING), b"deep\n", workers)
    assert [(stream, len(data)) for stream, data in records] == [(22, 640), (20, 16), (19, 322)]
    records = encode(Plan(crypto=ENCRYPTING), b"", workers)
    assert [stream for stream, _ in records] == [22, 19]


def test_each_file_has_its_own_session_and_the_master_opens_it(workers):
    first, second = (encode(Plan(crypto=ENCRYPTING), b"the same", workers) for _ in range(2))
    assert first[0] != second[0]
    assert first[1] != second[1]
    assert plain_content(first, MASTER)[0] == b"the same"


def test_zero_chunks_are_left_out_but_for_the_last(workers):
    content = b"start" + bytes(5 * SPARSE_CHUNK - 5)
    records = encode(Plan(sparse=True), content, workers)
    assert [int.from_bytes(data[:8], "big") for _, data in records] == [0, 4 * SPARSE_CHUNK]
    assert plain_content(records)[0] == content


def test_a_hole_of_a_terabyte_costs_nothing_when_the_plan_is_sparse(workers):
    sink = Sink()
    queue = RecordQueue(sink)
    entry = Encoder(Plan(Digest.MD5, sparse=True), workers, queue).entry(1)
    size = (1 << 40) + 11
    entry.data(0, b"first")
    entry.data(1 << 40, b"hello world")
    entry.finish(size + 5)
    queue.flush()
    (_, first), (_, last), (_, digest) = sink.files[1]
    address = int.from_bytes(last[:8], "big")
    assert address == (1 << 40) // SPARSE_CHUNK * SPARSE_CHUNK
    assert last[8:] == bytes((1 << 40) - address) + b"hello world" + bytes(5)
    assert digest == hashlib.md5(first[8:] + last[8:]).digest()


def test_a_hole_is_zeros_when_the_plan_is_not_sparse(workers):
    sink = Sink()
    queue = RecordQueue(sink)
    entry = Encoder(Plan(), workers, queue).entry(1)
    entry.data(100, b"x")
    entry.data(3 << 20, b"y")
    entry.finish((3 << 20) + CHUNK)
    queue.flush()
    assert plain_content(sink.files[1])[0] == bytes(100) + b"x" + bytes((3 << 20) - 101) + b"y" + bytes(CHUNK - 1)


def test_acl_and_xattr_stand_between_data_and_signature(workers):
    for size in (9, 3 * CHUNK):
        sink = Sink()
        queue = RecordQueue(sink)
        entry = Encoder(Plan(Digest.SHA1, crypto=SIGNING), workers, queue).entry(1)
        entry.meta(1008, b"acl")
        entry.data(0, text(size))
        entry.meta(1998, b"xattr")
        entry.finish()
        queue.flush()
        streams = [stream for stream, _ in itertools.groupby(stream for stream, _ in sink.files[1])]
        assert streams == [2, 1008, 1998, 19, 10]


def test_files_keep_their_order_however_large_they_are(workers):
    sink = Sink()
    queue = RecordQueue(sink, 1 << 20)
    encoder = Encoder(Plan(Digest.MD5, Compression(Codec.GZIP, 6)), workers, queue)
    chance = random.Random(4)
    contents = {}
    for file_index in range(1, 60):
        contents[file_index] = text(chance.choice([0, 100, 5000, CHUNK, 400_000]))
        queue.put(file_index, 1, b"attributes")
        if len(contents[file_index]) <= CHUNK:
            encoder.small(file_index, contents[file_index])
        else:
            entry = encoder.entry(file_index)
            entry.data(0, contents[file_index])
            entry.finish()
        assert queue.pending_bytes <= 1 << 20
    queue.flush()
    assert [index for index, _ in itertools.groupby(index for index, _ in sink.order)] == list(contents)
    for file_index, records in sink.files.items():
        assert records[0] == (1, b"attributes")
        check(records[1:], contents[file_index], encoder.plan)


def test_a_buffer_is_given_back_once_and_not_before_it_was_read(workers):
    for plan in (
        Plan(),
        Plan(Digest.MD5),
        Plan(Digest.MD5, Compression(Codec.GZIP, 6)),
        Plan(sparse=True),
        Plan(Digest.MD5, crypto=ENCRYPTING),
    ):
        sink = Sink()
        queue = RecordQueue(sink)
        entry = Encoder(plan, workers, queue).entry(1)
        content = text(900_000) + bytes(300_000)
        given_back = []
        for at in range(0, len(content), 150_000):
            buffer = bytearray(content[at : at + 150_000])

            def release(buffer=buffer, at=at, given_back=given_back):
                buffer[:] = b"\xff" * len(buffer)
                given_back.append(at)

            entry.data(at, buffer, release)
        entry.finish(len(content))
        queue.flush()
        assert sorted(given_back) == list(range(0, len(content), 150_000))
        check(sink.files[1], content, plan)


def test_a_discarded_queue_gives_every_buffer_back(workers):
    queue = RecordQueue(Sink())
    entry = Encoder(Plan(Digest.MD5, Compression(Codec.GZIP, 9)), workers, queue).entry(1)
    given_back = []
    for number in range(5):
        entry.data(number * 4 * CHUNK, text(4 * CHUNK), lambda number=number: given_back.append(number))
    queue.discard()
    queue.flush()
    assert given_back == [0, 1, 2, 3, 4]


def test_after_a_read_error_there_is_no_digest_and_no_signature(workers):
    for plan in (Plan(Digest.MD5), Plan(Digest.MD5, crypto=ENCRYPTING)):
        sink = Sink()
        queue = RecordQueue(sink)
        entry = Encoder(plan, workers, queue).entry(1)
        entry.data(0, text(2 * CHUNK + 9))
        entry.abandon()
        queue.flush()
        assert plain_content(sink.files[1])[0] == text(2 * CHUNK)
        assert not {3, 19} & {stream for stream, _ in sink.files[1]}


def test_the_data_of_a_fifo_has_no_digest_and_no_signature_but_a_session(workers):
    sink = Sink()
    queue = RecordQueue(sink)
    encoder = Encoder(Plan(Digest.MD5, crypto=ENCRYPTING), workers, queue)
    encoder.small(1, b"once", digested=False)
    entry = encoder.entry(2, digested=False)
    entry.data(0, text(CHUNK * 2))
    entry.finish()
    queue.flush()
    assert [stream for stream, _ in sink.files[1]] == [22, 20]
    assert [stream for stream, _ in sink.files[2]] == [22, 20, 20, 20]


def test_a_job_of_small_files_starts_no_thread():
    with Workers(2) as idle:
        sink = Sink()
        queue = RecordQueue(sink)
        encoder = Encoder(Plan(Digest.MD5), idle, queue)
        for file_index in range(1, 50):
            encoder.small(file_index, text(100 * file_index), [(1998, b"x")])
        queue.flush()
        assert idle.started == 0
        assert [stream for stream, _ in sink.files[7]] == [2, 1998, 3]


def test_digests_are_the_callers_where_no_core_is_left_for_a_lane():
    for neighbours, threads in ((0, 1), (1, 0)):
        with Workers(2, neighbours=neighbours) as workers:
            sink = Sink()
            queue = RecordQueue(sink)
            encoder = Encoder(Plan(Digest.MD5), workers, queue)
            content = text(700_000)
            entry = encoder.entry(1)
            entry.data(0, content)
            entry.finish()
            queue.flush()
            assert workers.started == threads
            check(sink.files[1], content, encoder.plan)


def test_data_behind_what_was_given_is_refused(workers):
    entry = Encoder(Plan(), workers, RecordQueue(Sink())).entry(9)
    entry.data(0, b"0123456789")
    with pytest.raises(StreamError, match="FileIndex 9"):
        entry.data(5, b"x")


@pytest.mark.parametrize("plan", [plan for plan in PLANS if plan.compression and not plan.crypto], ids=str)
def test_content_compressed_ahead_gives_the_records_of_a_small_file(plan, workers):
    contents = [text(size) for size in (1, 300, 5000, plan.chunk_bytes)]
    sinks = [Sink(), Sink()]
    encoders = [Encoder(plan, workers, RecordQueue(sink)) for sink in sinks]
    slot = encoders[0].ahead(contents)
    assert slot is not None
    for file_index, (content, packed) in enumerate(zip(contents, slot.wait(), strict=True), 1):
        encoders[0].small(file_index, content, packed=packed)
        encoders[1].small(file_index, content)
    for encoder in encoders:
        encoder.queue.flush()
    assert sinks[0].order == sinks[1].order
    for file_index, content in enumerate(contents, 1):
        check(sinks[0].files[file_index], content, plan)


def test_nothing_is_done_ahead_without_compression_or_with_keys(workers):
    for plan in (Plan(Digest.MD5), Plan(None, CODECS[3], crypto=SIGNING)):
        assert Encoder(plan, workers, RecordQueue(Sink())).ahead([b"a", b"b"]) is None
