"""A verify for a Director: what the disk or a Job's Volumes hold is told to it, and it compares; or a Job's data is checked here.

Init, Catalog and DiskToCatalog walk the FileSet as for a Full. VolumeToCatalog passes on what the records claim, content unread. Data
decodes everything and holds it against the digests stored with it, and against the catalog if the Director sent what that has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

from filed.catalog import BaseRow
from filed.errors import JobError, StreamError, printable
from filed.fileset import Options
from filed.job.context import Counters, JobContext, Messages
from filed.job.decode.known_digests import DigestsOfJobs
from filed.job.decode.record_check import RecordCheck
from filed.job.description import NetworkVerify, VerifyLevel
from filed.job.ends.storage_daemon import reach, session_of
from filed.job.ends.verify_end import Disk, RecordsCheck
from filed.job.select.accurate_list import Listed, base_list
from filed.pipeline import Decoder
from filed.process.outcome import JobStatus
from filed.storage import ReadSession
from filed.storage.daemon.read import DaemonReadSession
from filed.volume import Record, Session
from filed.wire.attributes import Attributes, FileType, Stat, decode_stat, encode_stat, parse_attributes
from filed.wire.stream import ATTRIBUTE_STREAMS, DIGEST_STREAMS, Buffer, Stream, stream_type
from filed.wire.verify import VOLUME_LETTERS, digest_line, entry_line, letters_of

BATCH_BYTES = 1 << 16
_DIGESTS = DIGEST_STREAMS | {Stream.SIGNED_DIGEST}


@contextmanager
def director_verify(job: NetworkVerify, context: JobContext) -> Iterator[DirectorVerify]:
    yield DirectorVerify(job, context)


class DirectorVerify:
    """A VerifyEnd. What differs from the catalog a Director finds out by itself, but for Data."""

    def __init__(self, job: NetworkVerify, context: JobContext) -> None:
        self._job, self._context = job, context
        self._data: _DataCheck | None = None
        self.job_id = job.who.job_id
        self.errors_are = JobStatus.ERROR if job.level.reads_volumes else JobStatus.WARNINGS

    @property
    def found(self) -> int:
        return self._data.found if self._data is not None else 0

    def disk(self, stack: ExitStack) -> Disk | None:
        del stack
        job = self._job
        if job.level.reads_volumes:
            return None
        if job.fileset is None:
            raise JobError("the Director wants the disk verified without having sent a FileSet")
        return Disk(job.fileset, job.who.job, _DiskLines(_Lines(self._context)), job.who.work)

    def volumes(
        self, new_decoder: Callable[[], Decoder], stack: ExitStack
    ) -> Iterator[tuple[ReadSession, RecordsCheck]]:
        """All that the Storage Daemon has of the Job that is verified."""
        job, context = self._job, self._context
        check: RecordsCheck
        if job.level is VerifyLevel.VOLUME:
            check = _VolumeLines(_Lines(context), context.counters)
        else:
            known = (
                stack.enter_context(closing(base_list(job.accurate, job.who.work)))
                if job.accurate is not None
                else None
            )
            digests = DigestsOfJobs(job.who.work)
            stack.callback(digests.close)
            check = self._data = _DataCheck(new_decoder(), digests, known, context.messages, context.counters)
        if job.storage is None:
            raise JobError("the Director wants Volumes verified without having said where they are")
        yield DaemonReadSession(reach(context, job.storage, job.who), session_of(job.who)), check


class _Lines:
    """Lines for the Director, many in one event."""

    def __init__(self, context: JobContext) -> None:
        self._send, self._counters = context.parent.send, context.counters
        self._lines: list[str] = []
        self._bytes = 0

    def add(self, line: bytes) -> None:
        self._lines.append(line.decode("utf-8", "surrogateescape"))
        self._bytes += len(line)
        if self._bytes >= BATCH_BYTES:
            self.tell()

    def tell(self) -> None:
        if self._lines:
            self._send({"event": "verify lines", "lines": self._lines})
            self._counters.show()
        self._lines, self._bytes = [], 0


class _DiskLines:
    """A DiskCheck that makes lines of records. Further names of an inode have no digest, as from real daemons."""

    def __init__(self, lines: _Lines) -> None:
        self._lines = lines
        self._letters: dict[int, bytes] = {}  # of the entries on their way
        self._type = 0
        self.on_digest: Callable[[int, int, bytes], None] = lambda _index, _stream, _digest: None

    def entry(self, file_index: int, options: Options) -> None:
        self._letters[file_index] = letters_of(options.verify)

    def write(self, file_index: int, stream: int, data: Buffer) -> None:
        if stream == Stream.UNIX_ATTRIBUTES:
            attributes = parse_attributes(data)
            self._type = attributes.type
            stat = decode_stat(attributes.lstat)._replace(link_fi=0, data_stream=0)
            letters = self._letters.pop(file_index)
            self._lines.add(entry_line(file_index, letters, attributes.path, encode_stat(stat), attributes.link))
        elif stream in DIGEST_STREAMS and self._type != FileType.HARD_LINK:
            self._lines.add(digest_line(file_index, stream, data))
            self.on_digest(file_index, stream, bytes(data))

    def close(self, failures: list[bytes]) -> None:  # noqa: ARG002  the Director misses them itself
        self._lines.tell()


class _VolumeLines:
    """A RecordsCheck that makes lines of what the records claim.

    Numbers count the entries; the mark of a deleted file has none, but counts as a file.
    """

    def __init__(self, lines: _Lines, counters: Counters) -> None:
        self._lines, self._counters = lines, counters
        self._number = 0

    def checked(self, session: ReadSession) -> Iterator[None]:
        for record in session.records():
            self._record(record)
            yield

    def _record(self, record: Record) -> None:
        kind = stream_type(record.stream)
        if kind in ATTRIBUTE_STREAMS:
            attributes = parse_attributes(record.data)
            self._counters.files()
            deleted = attributes.type == FileType.DELETED
            self._number += not deleted
            shown = 0 if deleted else self._number
            self._lines.add(entry_line(shown, VOLUME_LETTERS, attributes.path, attributes.lstat, attributes.link))
        elif kind in DIGEST_STREAMS:
            self._lines.add(digest_line(self._number, kind, record.data))

    def close(self) -> None:
        self._lines.tell()


class _DataCheck:
    """Decodes all, and holds it against the digests stored with it, and against what the catalog has, if the Director sent that."""

    def __init__(
        self,
        decoder: Decoder,
        digests: DigestsOfJobs,
        known: Listed | None,
        messages: Messages,
        counters: Counters,
    ) -> None:
        self._decoder, self._digests, self._known, self._messages = decoder, digests, known, messages
        self._check = RecordCheck(decoder, messages, counters, self._wrong, self._entry)
        self._session = Session(-1, -1)
        self._path = b""
        self._row: BaseRow | None = None
        self.found = 0

    def checked(self, session: ReadSession) -> Iterator[None]:
        for record in session.records():
            self._record(record)
            yield

    def _record(self, record: Record) -> None:
        if record.session != self._session:
            self._check.end()
            self._session = record.session
            self._digests.begin(record.session, self._decoder)
        self._check.record(record.stream, record.file_index, record.data)
        if (kind := stream_type(record.stream)) in DIGEST_STREAMS:
            self._digest(kind, bytes(record.data))

    def close(self) -> None:
        self._check.end()
        if self._known is not None:
            for row in self._known.unseen():
                self._differs(f"{printable(row.path)}: is in the catalog, and not on the Volumes")

    def _wrong(self, error: StreamError, text: str) -> None:
        if error.stream in _DIGESTS:
            self._differs(text)
        else:
            self._messages.entry_error(error, text)

    def _entry(self, now: Attributes) -> None:
        self._path, self._row = now.path, None
        if self._known is None or now.type == FileType.DELETED:
            return  # a Director does not send what is marked as deleted
        self._row = row = self._known.lookup([now.path])[0]
        if row is None:
            self._differs(f"{printable(now.path)}: is not in the catalog")
            return
        self._known.mark_seen(row.number)
        was, is_now = decode_stat(row.lstat), decode_stat(now.lstat)
        changed = [name for name in Stat._fields if getattr(was, name) != getattr(is_now, name)]
        if changed:
            self._differs(f"{printable(now.path)}: the catalog has another {', '.join(changed)}")

    def _digest(self, stream: int, digest: bytes) -> None:
        """Held against the catalog's, if that has one of its kind: a Director does not always send them."""
        known = self._row.digest_record if self._row is not None else b""
        if known and known[0] == stream and known[1:] != digest:
            self._differs(f"{printable(self._path)}: the catalog has another digest")

    def _differs(self, text: str) -> None:
        self.found += 1
        self._messages.info(text)
