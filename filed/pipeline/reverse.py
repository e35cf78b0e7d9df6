"""Restore: the records of one file as its content, and whether digest and signature agree.

Everything read is checked as if it came from an attacker: what is not what it claims raises StreamError with stream
and FileIndex, never another exception, and no record makes more than MAX_CHUNK_BYTES of content.

Chunks are expanded several at a time by the pool, digests fold on a lane; a small file needs neither.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from enum import Enum
from typing import Final, TypeAlias

from filed.errors import StreamError
from filed.pipeline.compress import CHUNK_BYTES, MAX_CHUNK_BYTES, expand, inflate
from filed.pipeline.digest import Digest, Hasher
from filed.pipeline.encrypt import PacketReader, SessionKey, open_session
from filed.pipeline.in_use import DigestsInUse
from filed.pipeline.keys import Keyring
from filed.pipeline.sign import Signed, signature_digests, verify
from filed.pipeline.sparse import MAX_ADDRESS, split_address
from filed.pipeline.win32 import BackupReadParts
from filed.pipeline.workers import Lane, Slot, Workers
from filed.wire.stream import (
    COMPRESSED_STREAMS,
    DATA_STREAMS,
    DIGEST_BYTES,
    ENCRYPTED_STREAMS,
    GZIP_STREAMS,
    SPARSE_STREAMS,
    WIN32_STREAMS,
    Buffer,
    Stream,
    StreamFlag,
    stream_type,
)

WINDOW_BYTES: Final = 8 << 20
"""Content that workers may be busy with."""

POOLED_CHUNK_BYTES: Final = 4 * CHUNK_BYTES
"""The largest chunk the pool makes: a window full of records that all inflate to 64 MiB would be too much memory.
Larger chunks, which nobody writes today, are expanded one at a time."""

TASK_CHUNKS: Final = 4
TASK_BYTES: Final = TASK_CHUNKS * CHUNK_BYTES
INLINE_FOLD_BYTES: Final = 16384
REMEMBERED_SESSIONS: Final = 64

_DIGEST_OF: Final = {digest.stream: digest for digest in Digest}
_DEDUP, _OFFSETS = int(StreamFlag.DEDUP), int(StreamFlag.OFFSETS)  # plain ints: an IntFlag in `&` costs a microsecond

Piece: TypeAlias = tuple[int, Buffer]
"""(offset, content); what no piece covers is a hole."""

Expand: TypeAlias = Callable[[Buffer, int], Buffer]
Chunk: TypeAlias = tuple[int, Buffer]
"""(address, or -1 for `where the last one ended`; data)"""


class Checked(Enum):
    """How a digest record compares with the content."""

    SAME = "same"
    DIFFERENT = "the content is not what was saved"
    UNCHECKED = "a digest of this kind was not calculated while reading"


class Decoder:
    """Decodes the files of Jobs.  Remembers their session keys.  digests: of the Job whose files come now."""

    def __init__(self, keyring: Keyring | None = None, workers: Workers | None = None) -> None:
        self.keyring = keyring or Keyring()
        self.workers = workers
        self.last_session: bytes | None = None
        self._sessions: dict[bytes, SessionKey] = {}
        self.digests = DigestsInUse()

    def entry(self, file_index: int, digests: Collection[Digest] | None = None) -> EntryDecoder:
        """A file begins.  digests: those to calculate, where a catalog knows.

        Otherwise those that the Job is known or seen to use; all, until it is seen.
        """
        wanted = self.digests.expected() if digests is None else tuple(digests)
        return EntryDecoder(self, file_index, wanted)

    def know(self, digests: Collection[Digest]) -> None:
        """A catalog knows all files that follow: they have digests of these kinds alone. What signatures need shows later."""
        if self.keyring.empty:
            self.digests = DigestsInUse(digests)
        else:
            self.digests.need(digests)

    def session_key(self, record: bytes) -> SessionKey:
        """One RSA operation for each different record."""
        key = self._sessions.get(record)
        if key is None:
            key = open_session(record, self.keyring)
            if len(self._sessions) >= REMEMBERED_SESSIONS:
                self._sessions.clear()
            self._sessions[record] = key
        return key


class EntryDecoder:
    """One file on its way back: `session`, `feed` ..., `finish`, then `verify` and `check`."""

    def __init__(self, decoder: Decoder, file_index: int, digests: tuple[Digest, ...]) -> None:
        self._decoder, self._file_index, self._digests = decoder, file_index, digests
        self._session: bytes | None = None
        self._word = 0
        self._finished = False
        self.length = 0
        """Where the content ends by now: to compare with st_size."""
        # What the data stream is made of, from the outside in.
        self._addressed = False
        self._packets: PacketReader | None = None
        self._expand: Expand | None = None
        self._parts: BackupReadParts | None = None
        # Chunks for the pool, and those it has.
        self._batch: list[Chunk] = []
        self._batch_bytes = 0
        self._expanding: deque[tuple[Slot[list[Chunk]], list[Chunk], int]] = deque()
        self._expanding_bytes = 0
        # Content for the digests.
        self._position = 0
        self._hashers: dict[Digest, Hasher] = {}
        self._unfolded: list[Buffer] = []
        self._unfolded_bytes = 0
        self._lanes: list[Lane] = []  # one for each digest
        self._folding: deque[tuple[list[Slot[None]], int]] = deque()
        self._folding_bytes = 0

    def session(self, record: Buffer) -> None:
        """Session data (stream 22).  It is opened when data needs it."""
        self._session = self._decoder.last_session = bytes(record)

    def feed(self, stream: int, data: Buffer) -> Iterator[Piece]:
        """A data record; `data` stays as it is.  Yields what content is ready by now: take it all."""
        try:
            if stream != self._word or self._finished:
                self._begin(stream)
            address, body = split_address(memoryview(data)) if self._addressed else (-1, data)
            if self._packets is None:
                yield from self._chunk(address, body)
            else:
                yield from self._unpacked(self._packets.feed(body))
        except StreamError as error:
            raise self._located(error, stream) from error

    def finish(self) -> Iterator[Piece]:
        """The last content.  Take it all; then `check` and `verify` can tell."""
        if self._finished:
            return
        self._finished = True
        try:
            if self._packets is not None:
                yield from self._unpacked(self._packets.finish())
            while self._expanding:
                yield from self._expanded()
            yield from self._expand_here(self._batch)
            self._batch = []
            if self._parts is not None:
                self._parts.finish()
        except StreamError as error:
            raise self._located(error, self._word) from error
        self._fold()

    def check(self, stream: int, record: Buffer) -> Checked:
        """Compares a digest record with the content of this file."""
        number = stream_type(stream)
        if len(record) != DIGEST_BYTES.get(number):
            raise StreamError(f"a digest of {len(record)} bytes", stream, self._file_index)
        digest = _DIGEST_OF.get(number)
        if digest is None:
            return Checked.UNCHECKED
        self._decoder.digests.saw((digest,))
        ours = self._digest(digest)
        if ours is None:
            return Checked.UNCHECKED
        return Checked.SAME if ours == record else Checked.DIFFERENT

    def verify(self, record: Buffer) -> Signed:
        """Checks a signature record (stream 19) against the content of this file."""
        try:
            kinds = signature_digests(record)
            self._decoder.digests.saw(kinds)
            ours = {kind: digest for kind in kinds if (digest := self._digest(kind)) is not None}
            return verify(record, self._decoder.keyring, ours)
        except StreamError as error:
            raise self._located(error, Stream.SIGNED_DIGEST) from error

    def _located(self, error: StreamError, stream: int) -> StreamError:
        if error.file_index:
            return error
        return type(error)(str(error), stream, self._file_index)

    def _begin(self, word: int) -> None:
        """The first data record: what are its layers?"""
        number = stream_type(word)
        if self._finished:
            raise StreamError("data after the end of the file's data")
        if self._word:
            raise StreamError(f"data of two kinds in one file (stream {self._word} before)")
        if number not in DATA_STREAMS:
            raise StreamError("a stream that holds no data of a file")
        if word & _DEDUP:
            raise StreamError("deduplicated data: its content is not on the Volume")
        self._word = word
        self._addressed = number in SPARSE_STREAMS or bool(word & _OFFSETS)
        if number in ENCRYPTED_STREAMS:
            if self._addressed:
                raise StreamError("encrypted data with offsets, which nobody can write")
            # Real daemons forget the session of a FIFO's data; it is that of every other file of the Job.
            session = self._session or self._decoder.last_session
            if session is None:
                raise StreamError("encrypted data without a session")
            self._packets = PacketReader(self._decoder.session_key(session))
        if number in GZIP_STREAMS:
            self._expand = inflate
        elif number in COMPRESSED_STREAMS:
            self._expand = expand
        if number in WIN32_STREAMS:
            self._parts = BackupReadParts()
        self._hashers = {digest: digest.new() for digest in self._digests}
        self._decoder.digests.count_content()

    def _unpacked(self, packets: Iterator[memoryview]) -> Iterator[Piece]:
        """What was encrypted: chunks as stored, or content, of which only the sequence matters."""
        if self._expand is not None:
            for packet in packets:
                yield from self._chunk(-1, bytes(packet))
            return
        parts: list[memoryview] = []
        damage = None
        try:
            parts.extend(packets)
        except StreamError as error:
            damage = error  # behind what is good
        if parts:
            yield from self._content(-1, b"".join(parts))
        if damage is not None:
            raise damage

    def _chunk(self, address: int, body: Buffer) -> Iterator[Piece]:
        """One chunk as stored, on its way through the pool when it is compressed."""
        if self._expand is None:
            yield from self._content(address, body)
            return
        self._batch.append((address, body))
        self._batch_bytes += len(body)
        if len(self._batch) < TASK_CHUNKS and self._batch_bytes < TASK_BYTES:
            return
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        workers = self._decoder.workers
        if workers is None:
            yield from self._expand_here(batch)
            return
        size = len(batch) * CHUNK_BYTES
        self._expanding.append((workers.pool.submit(_expand_all, self._expand, batch), batch, size))
        self._expanding_bytes += size
        while self._expanding and (self._expanding_bytes > WINDOW_BYTES or self._expanding[0][0].done):
            yield from self._expanded()

    def _expanded(self) -> Iterator[Piece]:
        """The first batch of the pool."""
        slot, batch, size = self._expanding.popleft()
        self._expanding_bytes -= size
        try:
            chunks = slot.wait()
        except StreamError:
            yield from self._expand_here(batch)  # one of them is damaged or large: again, up to that one
            return
        for address, content in chunks:
            yield from self._content(address, content)

    def _expand_here(self, batch: Sequence[Chunk]) -> Iterator[Piece]:
        assert self._expand is not None or not batch
        for address, body in batch:
            if self._expand is not None:
                yield from self._content(address, self._expand(body, MAX_CHUNK_BYTES))

    def _content(self, address: int, content: Buffer) -> Iterator[Piece]:
        """One chunk as it was read from the file."""
        if self._hashers and len(content):
            self._unfolded.append(content)
            self._unfolded_bytes += len(content)
            if self._unfolded_bytes >= TASK_BYTES:
                self._fold()
        offset = self._position if address < 0 else address
        self._position = offset + len(content)
        if self._position > MAX_ADDRESS:
            raise StreamError("data beyond the end of any file")
        if self._parts is None:
            self.length = self._position
            yield offset, content
            return
        for at, part in self._parts.feed(content):
            self.length = max(self.length, at + len(part))
            yield at, part

    def _fold(self) -> None:
        """Digests what has passed: on a lane when it is much."""
        content, size = self._unfolded, self._unfolded_bytes
        if not content:
            return
        self._unfolded, self._unfolded_bytes = [], 0
        workers, hashers = self._decoder.workers, self._hashers.values()
        if not self._lanes and (workers is None or size <= INLINE_FOLD_BYTES):
            for hasher in hashers:
                _update(hasher, content)
            return
        if not self._lanes:
            assert workers is not None
            self._lanes = [workers.lane() for _ in hashers]
        slots = [lane.submit(_update, hasher, content) for lane, hasher in zip(self._lanes, hashers, strict=True)]
        self._folding.append((slots, size))
        self._folding_bytes += size
        while self._folding_bytes > WINDOW_BYTES:
            slots, size = self._folding.popleft()
            self._folding_bytes -= size
            for slot in slots:
                slot.wait()

    def _digest(self, digest: Digest) -> bytes | None:
        """Of all content; None when it was not calculated."""
        if not self._finished and self._word:
            raise StreamError("a digest or signature before the end of the data", self._word, self._file_index)
        while self._folding:
            for slot in self._folding.popleft()[0]:
                slot.wait()
        if not self._word:
            return digest.new().digest()  # an empty file
        hasher = self._hashers.get(digest)
        return None if hasher is None else hasher.digest()


def _expand_all(expand_one: Expand, batch: list[Chunk]) -> list[Chunk]:
    return [(address, expand_one(body, POOLED_CHUNK_BYTES)) for address, body in batch]


def _update(hasher: Hasher, content: list[Buffer]) -> None:
    for piece in content:
        hasher.update(piece)
