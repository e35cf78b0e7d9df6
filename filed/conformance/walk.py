"""One backup walked to its end, in the way a Job does it or in another that the contract allows."""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from filed.agents import (
    AgentJob,
    AgentStream,
    Change,
    Entry,
    EntryFlag,
    EntryType,
    GuardedMemory,
    Page,
    ParallelStream,
    Status,
    Want,
)
from filed.errors import ItemError

READ_BYTES = 256 << 10
NOT_READ = "closed by the check, as one that could not be read"
_ZEROS = bytes(1 << 20)
_HASHED_HOLE = 64 << 20  # a longer one counts by its length
_DATA = 1 << AgentStream.DATA


@dataclass(frozen=True, slots=True)
class Reading:
    """How a walk goes; the default is a Job's way.

    cap: bytes of the buffer of the next `read`, a multiple of 8. wants: entries in the next `fetch`. takes: is the
    entry of this number wanted at all? abandons: close the streams of this number after their first chunk. fails: close
    the next stream as one that could not be read.
    spool: where contents are kept.  options: WantOption bits, as a FileSet has them.  at_page: called after each page, before anything of it is read.
    """

    cap: Callable[[], int] = lambda: READ_BYTES
    wants: Callable[[], int] = lambda: 1 << 30
    takes: Callable[[int], bool] = lambda _number: True
    abandons: Callable[[int], bool] = lambda _number: False
    fails: Callable[[], bool] = lambda: False
    spool: BinaryIO | None = None
    options: int = 0
    at_page: Callable[[Page], None] = lambda _page: None


@dataclass(frozen=True, slots=True)
class Seen:
    """One entry as it was listed and read. digest: of its data, holes as zeros; "" when it has none or was not read.

    small: (stream, bytes) of its ACLs, attributes and objects. pieces: (offset, length, place in the spool).
    """

    entry: Entry
    name: bytes
    link: bytes = b""
    digest: str = ""
    size: int = 0
    announced: int | None = None  # by open_stream
    small: tuple[tuple[int, bytes], ...] = ()
    pieces: tuple[tuple[int, int, int], ...] = ()
    error: str = ""

    @property
    def what(self) -> tuple[object, ...]:
        """What two walks of a source at rest have in common."""
        return self.entry.type, self.link, self.digest, self.size, self.small, self.error

    @property
    def read(self) -> bool:
        return bool(self.digest)


def walk(job: AgentJob, reading: Reading = Reading()) -> Iterator[Seen]:
    """Every entry of a backup that is taken, read. What goes wrong with one entry is in it; all else is raised."""
    reader = _Reader(job, reading)
    number = 0
    while (page := job.next_page()) is not None:
        reading.at_page(page)
        there: list[tuple[int, bytes]] = []
        wants: list[Want] = []
        for place, (entry, name) in enumerate(page, number):
            if not reading.takes(place):
                continue
            if not _is_there(entry):
                yield Seen(entry, name)
            elif job.fetches:
                there.append((place, name))
                wants.append(Want(entry.cookie, wanted_streams(entry), reading.options))
            else:
                yield reader.entry(page, entry, name, place)
        number += len(page)
        while wants:
            answer = job.fetch(wants[: max(1, reading.wants())])
            for (place, name), entry in zip(there, answer.entries, strict=False):
                yield reader.entry(answer, entry, name, place)
            del there[: len(answer)], wants[: len(answer)]


def read_whole(job: AgentJob, cookie: int, offset: int = 0) -> bytes:
    """The data of an entry from an offset on, holes as zeros; a long one is cut. Raises ItemError."""
    job.open_stream(cookie, AgentStream.DATA, offset)
    memory, content, how = GuardedMemory(READ_BYTES), bytearray(), Status.E_FAIL
    try:
        while len(content) < _HASHED_HOLE:
            chunk = job.read(memory.address, memory.size)
            content += bytes(chunk.offset - offset - len(content))
            content += memory.view[: chunk.len]
            if chunk.last:
                how = Status.OK
                break
    finally:
        job.close_stream(how)
    return bytes(content)


def digest_of(stream: ParallelStream) -> tuple[str, int]:
    """The digest of what it has, as in `Seen`, and the size. On any thread."""
    memory, digest, end = GuardedMemory(READ_BYTES), hashlib.sha256(), 0
    while True:
        chunk = stream.read(memory.address, memory.size)
        _hash_hole(digest, chunk.offset - end)
        digest.update(memory.view[: chunk.len])
        end = chunk.offset + chunk.len
        if chunk.last:
            return digest.hexdigest(), end


def wanted_streams(entry: Entry) -> int:
    """What a Job wants of an entry when its FileSet asks for ACLs and attributes: never a device's data."""
    if entry.type in (EntryType.REGULAR, EntryType.OBJECT):
        return entry.streams
    return entry.streams & ~_DATA


def _is_there(entry: Entry) -> bool:
    return not entry.flags & EntryFlag.FAILED and entry.change != Change.DELETED


class _Reader:
    """Reads entries through one buffer that ends where memory cannot be touched."""

    def __init__(self, job: AgentJob, reading: Reading) -> None:
        self._job, self._reading = job, reading
        self._memory = GuardedMemory(READ_BYTES)

    def entry(self, page: Page, entry: Entry, name: bytes, number: int) -> Seen:
        link = page.link(entry)
        small = tuple(page.tlvs(entry))
        wanted = wanted_streams(entry)
        if not _is_there(entry):
            return Seen(entry, name, link)
        if entry.type == EntryType.OBJECT:  # as a TLV its content has come already, and is not opened again
            inline = next((memoryview(data) for kind, data in small if kind == AgentStream.OBJECT), None)
            small = tuple(stream for stream in small if stream[0] != AgentStream.OBJECT)
        else:
            inline = page.inline(entry) if wanted & _DATA else None
        if inline is not None:
            at = self._keep(inline)
            pieces = ((0, len(inline), at),) if len(inline) else ()
            return Seen(entry, name, link, hashlib.sha256(inline).hexdigest(), len(inline), None, small, pieces)
        stream = AgentStream.OBJECT if entry.type == EntryType.OBJECT else AgentStream.DATA
        if not wanted & stream.bit:
            return Seen(entry, name, link, small=small)
        try:
            return self._streamed(entry, name, link, small, stream, number)
        except ItemError as error:
            return Seen(entry, name, link, small=small, error=error.text)

    def _streamed(  # noqa: PLR0917  each is a part of what is seen
        self,
        entry: Entry,
        name: bytes,
        link: bytes,
        small: tuple[tuple[int, bytes], ...],
        stream: AgentStream,
        number: int,
    ) -> Seen:
        job = self._job
        announced = job.open_stream(entry.cookie, stream)
        if self._reading.fails():
            job.close_stream(Status.E_IO)
            return Seen(entry, name, link, small=small, error=NOT_READ)
        digest, end, how = hashlib.sha256(), 0, Status.E_FAIL
        pieces: list[tuple[int, int, int]] = []
        try:
            while True:
                cap = self._reading.cap()
                if cap > self._memory.size:
                    self._memory = GuardedMemory(-(-cap // mmap.PAGESIZE) * mmap.PAGESIZE)
                start = self._memory.size - cap  # its end is the memory's: one byte too many is a crash
                chunk = job.read(self._memory.address + start, cap)
                _hash_hole(digest, chunk.offset - end)
                view = self._memory.view[start : start + chunk.len]
                digest.update(view)
                end = chunk.offset + chunk.len
                if chunk.len:
                    pieces.append((chunk.offset, chunk.len, self._keep(view)))
                if chunk.last:
                    how = Status.OK
                    break
                if self._reading.abandons(number):
                    how = Status.E_CANCELLED if number % 2 else Status.E_IO
                    break
        finally:
            job.close_stream(how)
        whole = "" if how else digest.hexdigest()
        return Seen(entry, name, link, whole, end, announced, small, tuple(pieces))

    def _keep(self, data: memoryview) -> int:
        spool = self._reading.spool
        if spool is None:
            return 0
        at = spool.tell()
        spool.write(data)
        return at


def _hash_hole(digest: hashlib._Hash, length: int) -> None:
    """So that it makes no difference whether an agent reports zeros or a hole; a very long one counts by its length."""
    if length > _HASHED_HOLE:
        digest.update(b"a hole of %d bytes" % length)
        return
    while length > 0:
        digest.update(_ZEROS[:length])
        length -= len(_ZEROS)


def differences(first: dict[bytes, Seen], second: dict[bytes, Seen]) -> list[tuple[bytes, str]]:
    """(name, how) of what is not the same in two walks."""
    found = [(name, "is listed no more") for name in first if name not in second]
    found += [(name, "was not listed before") for name in second if name not in first]
    for name, was in first.items():
        now = second.get(name)
        if now is not None and now.what != was.what:
            names = ("type", "link", "content", "size", "small streams", "error")
            parts = [part for part, a, b in zip(names, was.what, now.what, strict=True) if a != b]
            found.append((name, f"has another {' and '.join(parts)}"))
    return found
