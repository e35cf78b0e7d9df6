"""Backup: the content of one file as records, in their order.

    [22 session]  data ...  [ACL, xattr]  [19 signature]  [digest]

Content is cut into chunks of `Plan.chunk_bytes`, one record each.  Digest and signature fold over the chunks that
are sent, before compression: the chunks of zeros that `sparse` leaves out are not in them.

A small file is done at once, or as one task of the pool.  Of a larger one the folds run on lanes and the chunks on the
pool, several at a time, while the caller reads on.  The caller himself encrypts what is not compressed, which takes less time
than any digest beside it; where no core is left for a lane, he digests, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from filed.errors import StreamError
from filed.pipeline.digest import Hasher
from filed.pipeline.encrypt import PacketCipher, SessionKey
from filed.pipeline.plan import PkiKeys, Plan
from filed.pipeline.queue import RecordQueue, Records, Release
from filed.pipeline.sign import sign
from filed.pipeline.sparse import ZEROS, is_hole, with_address
from filed.pipeline.workers import Lane, Slot, Workers
from filed.wire.stream import Buffer, Stream

TASK_CHUNKS: Final = 4
"""Chunks one task packs: a switch of threads is worth 256 KiB, and the library that encrypts needs more than 64."""

INLINE_DIGEST_BYTES: Final = 16384
"""Content digested by the caller: 20 us of MD5; a task costs both sides about as much."""

INLINE_COMPRESS_BYTES: Final = 16384


class Encoder:
    """Makes records of files after one plan; all of a Job's encoders share its workers and its queue."""

    def __init__(self, plan: Plan, workers: Workers, queue: RecordQueue) -> None:
        self.plan, self.workers, self.queue = plan, workers, queue
        self.coder = plan.compression.coder() if plan.compression else None
        self._many = plan.compression.many() if plan.compression and not plan.crypto else None
        self.stream = plan.data_stream
        self._new = plan.digest.new if plan.digest else None
        self._digest_stream = plan.digest.stream if plan.digest else 0
        if plan.crypto:
            self._inline_bytes = -1  # a signature alone is 240 us
        elif self.coder:
            self._inline_bytes = INLINE_COMPRESS_BYTES
        elif plan.digest is None or plan.digest.inline or workers.alone:
            self._inline_bytes = plan.chunk_bytes
        else:
            self._inline_bytes = INLINE_DIGEST_BYTES

    def entry(self, file_index: int, *, digested: bool = True) -> EntryEncoder:
        """For content of any length.  digested: False for what has no digest and no signature (a FIFO's data)."""
        return EntryEncoder(self, file_index, digested=digested)

    def ahead(self, contents: Sequence[Buffer]) -> Slot[list[Buffer]] | None:
        """Begin to compress whole small files on the pool, in one task; the results are for `small`, as `packed`.

        None when there is nothing to gain.  `contents` must not change until the slot is settled.
        """
        if self._many is None or len(contents) < 2:
            return None
        return self.workers.pool.submit(self._many, contents)

    def small(
        self,
        file_index: int,
        data: Buffer,
        metas: Sequence[tuple[int, bytes]] = (),
        *,
        digested: bool = True,
        packed: Buffer | None = None,
    ) -> None:
        """A whole file that is in memory, `data` only lent.  metas: ACL and xattr records, (Stream, data).

        packed: the content compressed, from `ahead`.
        """
        size = len(data)
        if packed is not None:
            put = self.queue.put
            put(file_index, self.stream, with_address(0, packed) if self.plan.leaves_holes else packed)
            for stream, meta in metas:
                put(file_index, stream, meta)
            if digested:
                self._digest_now(file_index, data)
        elif size <= self._inline_bytes:
            put = self.queue.put
            # What `_whole` does, without its list: a Job of small files spends its time here.
            if self.coder is None and not self.plan.leaves_holes:
                if size:
                    put(file_index, Stream.FILE_DATA, data)
                for stream, meta in metas:
                    put(file_index, stream, meta)
                if digested:
                    self._digest_now(file_index, data)
            else:
                for stream, record in self._whole(data, metas, digested):
                    put(file_index, stream, record)
        elif size > self.plan.chunk_bytes:
            entry = self.entry(file_index, digested=digested)
            entry.data(0, bytes(data))
            for stream, meta in metas:
                entry.meta(stream, meta)
            entry.finish(size)
        else:
            task = self.workers.pool.submit(self._whole, bytes(data), metas, digested)
            self.queue.put_later(file_index, task, size)

    def _digest_now(self, file_index: int, data: Buffer) -> None:
        if self._new is not None:
            self.queue.put(file_index, self._digest_stream, self._new(data).digest())

    def pack(self, data: memoryview, address: int) -> Records:
        """Chunks as records, compressed and with addresses where the plan says so; without encryption."""
        step = self.plan.chunk_bytes
        records: Records = []
        for start in range(0, len(data), step):
            chunk: Buffer = data[start : start + step]
            if self.coder is not None:
                chunk = self.coder(chunk)
            if self.plan.leaves_holes:
                chunk = with_address(address + start, chunk)
            records.append((self.stream, chunk))
        return records

    def _whole(self, data: Buffer, metas: Sequence[tuple[int, bytes]], digested: bool) -> Records:  # noqa: FBT001 - a task's arguments have no names
        """All records of a file of one chunk."""
        crypto = self.plan.crypto
        records: Records = []
        packed = self.pack(memoryview(data), 0)
        if crypto is not None and crypto.encrypt:
            session = SessionKey.fresh(crypto.cipher)
            records.append((Stream.ENCRYPTED_SESSION_DATA, session.seal(crypto.recipients)))
            if packed:
                cipher = PacketCipher(session, self.stream)
                records += cipher.packets([chunk for _, chunk in packed])
                records += cipher.finish()
        else:
            records += packed
        records += metas
        if digested:
            if crypto is not None:
                records += _signature_record(crypto, crypto.digest.digest.new(data).digest())
            if self._new is not None:
                records.append((self._digest_stream, self._new(data).digest()))
        return records


@dataclass(slots=True)
class _Fold:
    """A digest in the making, on its lane; lane is None where handing over costs more than the work."""

    hasher: Hasher
    lane: Lane | None


class EntryEncoder:
    """One file on its way.  Call `data` in order, `meta` at any time, then `finish` or `abandon`."""

    def __init__(self, encoder: Encoder, file_index: int, *, digested: bool) -> None:
        self._encoder, self._file_index, self._digested = encoder, file_index, digested
        self._queue = encoder.queue
        self._plan = encoder.plan
        self._chunk = encoder.plan.chunk_bytes
        self._carry = bytearray()  # the beginning of a chunk
        self._position = 0  # where the next byte belongs, those in carry counted
        self._last_hole = -1  # address of the chunk left out last
        self._metas: list[tuple[int, bytes]] = []
        self._started = False
        self._digest: _Fold | None = None
        self._signature: _Fold | None = None
        self._cipher: PacketCipher | None = None
        self._cipher_lane: Lane | None = None  # None where nothing is compressed before

    def data(self, offset: int, view: Buffer, release: Release | None = None) -> None:
        """Content at `offset`, of any length.  A gap since the last call is a hole.

        The view is lent until `release` is called; without `release` its bytes never change.  Waits when the window
        is full.  Raises StreamError when the offset lies before what was given already.
        """
        if offset != self._position:
            self._hole(offset)
        view = memoryview(view)
        size, start = len(view), 0
        if self._carry:
            start = min(self._chunk - len(self._carry), size)
            self._append(view[:start])
        whole = (size - start) // self._chunk * self._chunk
        if not whole:
            self._append(view[start:])
            if release is not None:
                release()
            return
        # The rest is copied first: the view may be released before the call returns.
        address = self._position
        self._carry += view[start + whole :]
        self._position += size - start
        self._chunks(view[start : start + whole], address, release)

    def meta(self, stream: int, data: bytes) -> None:
        """An ACL or xattr record; it leaves after the data."""
        self._metas.append((stream, data))

    def finish(self, length: int = -1) -> None:
        """The end of the content; a `length` beyond the last byte given is a hole at the end."""
        if length > self._position:
            self._hole(length)
        if not self._started and self._last_hole < 0:
            self._encoder.small(self._file_index, self._carry, self._metas, digested=self._digested)
            return
        if self._carry:
            self._run(memoryview(self._carry), self._position - len(self._carry), None)
        elif self._last_hole == self._position - self._chunk:
            self._run(memoryview(ZEROS)[: self._chunk], self._last_hole, None)
        self._end_data()
        if self._digested:
            self._end_digests()

    def abandon(self) -> None:
        """After a read error: what was given stays, without digest and signature."""
        self._carry.clear()
        self._metas.clear()
        if self._started:
            self._end_data()

    def _append(self, part: Buffer) -> None:
        self._carry += part
        self._position += len(part)
        if len(self._carry) == self._chunk:
            carry, self._carry = self._carry, bytearray()
            self._chunks(memoryview(carry), self._position - self._chunk, None)

    def _hole(self, end: int) -> None:
        """Zeros up to `end`: whole chunks of them cost nothing when the plan leaves holes."""
        if end < self._position:
            raise StreamError(
                f"data for offset {end} came after offset {self._position}", self._encoder.stream, self._file_index
            )
        if self._carry:
            self._append(ZEROS[: min(self._chunk - len(self._carry), end - self._position)])
        whole = (end - self._position) // self._chunk
        if whole and self._plan.leaves_holes:
            self._position += whole * self._chunk
            self._last_hole = self._position - self._chunk
        else:
            most = len(ZEROS) // self._chunk
            while whole:
                chunks = min(whole, most)
                self._chunks(memoryview(ZEROS)[: chunks * self._chunk], self._position, None)
                self._position += chunks * self._chunk
                whole -= chunks
        if end > self._position:
            self._append(ZEROS[: end - self._position])

    def _chunks(self, view: memoryview, address: int, release: Release | None) -> None:
        """Whole chunks: those that are holes are left out, each stretch between them is a run."""
        if not self._plan.leaves_holes:
            self._run(view, address, release)
            return
        step, size = self._chunk, len(view)
        stretches: list[tuple[int, int]] = []
        start = -1
        for at in range(0, size, step):
            if is_hole(view[at : at + step]):
                self._last_hole = address + at
                if start >= 0:
                    stretches.append((start, at))
                    start = -1
            elif start < 0:
                start = at
        if start >= 0:
            stretches.append((start, size))
        for begin, end in stretches:
            self._run(view[begin:end], address + begin, release if end == stretches[-1][1] else None)
        if not stretches and release is not None:
            release()

    def _run(self, view: memoryview, address: int, release: Release | None) -> None:
        """Chunks that follow each other; only the file's last may be short."""
        if not self._started:
            self._start()
        guards = tuple(
            guard for fold in (self._digest, self._signature) if fold and (guard := _update(fold, view)) is not None
        )
        encoder, size, step = self._encoder, len(view), self._chunk
        queue, file_index = self._queue, self._file_index
        if encoder.coder is None and self._cipher is None and not self._plan.leaves_holes:
            records: Records = [(encoder.stream, view[at : at + step]) for at in range(0, size, step)]
            queue.put_lent(file_index, records, guards, release)
            return
        for at in range(0, size, step * TASK_CHUNKS):
            part = view[at : at + step * TASK_CHUNKS]
            task = self._pack(part, address + at)
            if at + len(part) < size:
                queue.put_later(file_index, task, len(part))
            else:
                queue.put_later(file_index, task, len(part), guards, release)

    def _pack(self, part: memoryview, address: int) -> Slot[Records] | Records:
        encoder = self._encoder
        if self._cipher is None:
            return encoder.workers.pool.submit(encoder.pack, part, address)
        if self._cipher_lane is None:
            step = self._chunk
            return self._cipher.packets([part[at : at + step] for at in range(0, len(part), step)])
        packed = encoder.workers.pool.submit(encoder.pack, part, address)
        return self._cipher_lane.submit(self._cipher.later_packets, packed)

    def _start(self) -> None:
        """What must be there before the first data: folds, and the session."""
        self._started = True
        plan, workers = self._plan, self._encoder.workers
        crypto = plan.crypto
        if self._digested:
            if plan.digest is not None:
                here = plan.digest.inline or (
                    workers.alone and crypto is None
                )  # a lane pays beside that of a signature
                self._digest = _Fold(plan.digest.new(), None if here else workers.lane())
            if crypto is not None and crypto.digest.digest is not plan.digest:
                self._signature = _Fold(crypto.digest.digest.new(), workers.lane())
        if crypto is not None and crypto.encrypt:
            session = SessionKey.fresh(crypto.cipher)
            self._cipher = PacketCipher(session, self._encoder.stream)
            self._cipher_lane = workers.lane() if self._encoder.coder is not None else None
            self._queue.put_later(self._file_index, workers.pool.submit(_session_record, session, crypto), 0)

    def _end_data(self) -> None:
        if self._cipher is not None:
            finish, lane = self._cipher.finish, self._cipher_lane
            self._queue.put_later(self._file_index, finish() if lane is None else lane.submit(finish), 0)
        for stream, meta in self._metas:
            self._queue.put(self._file_index, stream, meta)

    def _end_digests(self) -> None:
        queue, workers, crypto = self._queue, self._encoder.workers, self._plan.crypto
        if crypto is not None:
            signature: Slot[Records] = Slot()
            fold = self._signature or self._digest  # one serves both when the algorithms are the same
            assert fold is not None
            assert fold.lane is not None  # nothing signs XX hashes
            fold.lane.submit(_sign_later, signature, workers.pool, crypto, fold.hasher)
            queue.put_later(self._file_index, signature, 0)
        if self._digest is None or self._plan.digest is None:
            return
        stream, hasher, lane = self._plan.digest.stream, self._digest.hasher, self._digest.lane
        if lane is None:
            queue.put(self._file_index, stream, hasher.digest())
        else:
            queue.put_later(self._file_index, lane.submit(_digest_record, stream, hasher), 0)


def _update(fold: _Fold, view: memoryview) -> Slot[None] | None:
    if fold.lane is None:
        fold.hasher.update(view)
        return None
    return fold.lane.submit(fold.hasher.update, view)


def _digest_record(stream: int, hasher: Hasher) -> Records:
    return [(stream, hasher.digest())]


def _session_record(session: SessionKey, crypto: PkiKeys) -> Records:
    return [(Stream.ENCRYPTED_SESSION_DATA, session.seal(crypto.recipients))]


def _sign_later(signature: Slot[Records], pool: Lane, crypto: PkiKeys, hasher: Hasher) -> None:
    """On the digest's lane, after its last update: the pool signs, the lane goes on with the next file."""
    try:
        pool.pass_on(signature, _signature_record, crypto, hasher.digest())
    except BaseException as error:
        signature.fail(error)
        raise


def _signature_record(crypto: PkiKeys, digest: bytes) -> Records:
    return [(Stream.SIGNED_DIGEST, sign(crypto.pair, crypto.digest, digest))]
