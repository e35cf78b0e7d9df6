"""A verify for a Director: what the disk or a Job's Volumes hold is told to it, and it compares; or a Job's data is checked here.

Init, Catalog and DiskToCatalog walk the FileSet as for a Full. VolumeToCatalog passes on what the records claim, content unread. Data
decodes everything and holds it against the digests stored with it, and against the catalog if the Director sent what that has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

from filed.agents import Begin, Kind
from filed.agents import Level as AgentLevel
from filed.catalog import BaseList, BaseRow
from filed.errors import JobError, StreamError, printable
from filed.fileset import Options, agent_text, expanded
from filed.job.agents import lines
from filed.job.agents.instance import begin
from filed.job.agents.libraries import Libraries
from filed.job.context import JobContext
from filed.job.decode.known_digests import DigestsOfJobs
from filed.job.decode.record_check import RecordCheck
from filed.job.description import NetworkVerify, VerifyLevel
from filed.job.encode.options_plan import OptionsPlans
from filed.job.encode.page_encoder import Sending
from filed.job.keys import keyring
from filed.job.select.accurate_list import base_list
from filed.job.select.changed_since import Everything
from filed.job.select.chosen import Lister
from filed.job.select.hard_links import HardLinks
from filed.job.storage_daemon import reach, session_of
from filed.job.verify_disk import for_digests
from filed.pipeline import Decoder, RecordQueue, Workers
from filed.process.outcome import JobStatus, Outcome
from filed.storage.daemon.read import DaemonReadSession
from filed.storage.joined import joined
from filed.volume import Record, Session
from filed.wire.attributes import Attributes, FileType, Stat, decode_stat, encode_stat, parse_attributes
from filed.wire.stream import ATTRIBUTE_STREAMS, DIGEST_STREAMS, Buffer, Stream, stream_type
from filed.wire.verify import VOLUME_LETTERS, digest_line, entry_line, letters_of

BATCH_BYTES = 1 << 16
_DIGESTS = DIGEST_STREAMS | {Stream.SIGNED_DIGEST}


def network_verify(job: NetworkVerify, context: JobContext) -> Outcome:
    """Raises FiledError when the Job failed. What differs from the catalog a Director finds out by itself, but for Data."""
    context.parent.started(job.who.job_id, "")
    found = 0
    if job.level is VerifyLevel.VOLUME:
        _tell_volumes(job, context)
    elif job.level is VerifyLevel.DATA:
        found = _check_data(job, context)
    else:
        _tell_disk(job, context)
    context.counters.show()
    if job.level.reads_volumes and context.counters.totals.errors:
        return context.ended(JobStatus.ERROR)
    if found:
        return context.ended(JobStatus.DIFFERENCES)
    return context.ended(
        JobStatus.WARNINGS if context.counters.totals.errors or context.counters.totals.warnings else JobStatus.OK
    )


class _Lines:
    """Lines for the Director, many in one event."""

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self._lines: list[str] = []
        self._bytes = 0

    def add(self, line: bytes) -> None:
        self._lines.append(line.decode("utf-8", "surrogateescape"))
        self._bytes += len(line)
        if self._bytes >= BATCH_BYTES:
            self.tell()

    def tell(self) -> None:
        if self._lines:
            self._context.parent.send({"event": "verify lines", "lines": self._lines})
            self._context.counters.show()
        self._lines, self._bytes = [], 0


# -- the disk ---------------------------------------------------------------------------------------------------------


def _tell_disk(job: NetworkVerify, context: JobContext) -> None:
    if job.fileset is None:
        raise JobError("the Director wants the disk verified without having sent a FileSet")
    fileset = for_digests(
        expanded(job.fileset, context.cancellation.pipe, context.messages.warning), keys=job.keys is not None
    )
    with ExitStack() as stack:
        workers = stack.enter_context(Workers())
        links = stack.enter_context(HardLinks(job.who.work))
        disk = _Disk(_Lines(context))
        queue = RecordQueue(disk.write)
        stack.callback(queue.discard)
        sending = Sending(
            queue,
            OptionsPlans(None, workers, queue),
            Everything(),
            links,
            messages=context.messages,
            counters=context.counters,
            cancellation=context.cancellation,
        )
        sending.on_entry, disk.on_digest = disk.has, sending.digest_went_out
        for instance in lines.instances(
            Libraries(job.agents, context.messages, context.cancellation, context.status_page),
            fileset,
            context.messages,
            stack,
        ):
            why = Begin(Kind.VERIFY, AgentLevel.NONE, job=job.who.job, fileset=agent_text(instance.fileset))
            agent_job = stack.enter_context(begin(instance, why, context.messages, context.cancellation))
            sending.instance(Lister(agent_job, instance.matcher, b"", instance.prefixes))
        queue.flush()
        disk.lines.tell()


class _Disk:
    """Takes the records of a walk and makes lines of them. Further names of an inode have no digest, as from real daemons."""

    def __init__(self, lines: _Lines) -> None:
        self.lines = lines
        self._letters: dict[int, bytes] = {}  # of the entries on their way
        self._type = 0
        self.on_digest: Callable[[int, int, bytes], None] = lambda _index, _stream, _digest: None

    def has(self, file_index: int, options: Options) -> None:
        self._letters[file_index] = letters_of(options.verify)

    def write(self, file_index: int, stream: int, data: Buffer) -> None:
        if stream == Stream.UNIX_ATTRIBUTES:
            attributes = parse_attributes(data)
            self._type = attributes.type
            stat = decode_stat(attributes.lstat)._replace(link_fi=0, data_stream=0)
            letters = self._letters.pop(file_index)
            self.lines.add(entry_line(file_index, letters, attributes.path, encode_stat(stat), attributes.link))
        elif stream in DIGEST_STREAMS and self._type != FileType.HARD_LINK:
            self.lines.add(digest_line(file_index, stream, data))
            self.on_digest(file_index, stream, bytes(data))


# -- Volumes ----------------------------------------------------------------------------------------------------------


def _records(job: NetworkVerify, context: JobContext) -> Iterator[Record]:
    """All that the Storage Daemon has of the Job that is verified."""
    if job.storage is None:
        raise JobError("the Director wants Volumes verified without having said where they are")
    read = DaemonReadSession(reach(context, job.storage, job.who), session_of(job.who))
    try:
        for record in joined(read.records()):
            yield record
            context.cancellation.check()
        read.finish()
    finally:
        read.abandon()


def _tell_volumes(job: NetworkVerify, context: JobContext) -> None:
    """Numbers count the entries; the mark of a deleted file has none, but counts as a file."""
    told = _Lines(context)
    number = 0
    for record in _records(job, context):
        kind = stream_type(record.stream)
        if kind in ATTRIBUTE_STREAMS:
            attributes = parse_attributes(record.data)
            context.counters.files()
            deleted = attributes.type == FileType.DELETED
            number += not deleted
            shown = 0 if deleted else number
            told.add(entry_line(shown, VOLUME_LETTERS, attributes.path, attributes.lstat, attributes.link))
        elif kind in DIGEST_STREAMS:
            told.add(digest_line(number, kind, record.data))
    told.tell()


def _check_data(job: NetworkVerify, context: JobContext) -> int:
    """Returns how much differs. What cannot even be decoded is an error."""
    with ExitStack() as stack:
        workers = stack.enter_context(Workers())
        known = None
        if job.accurate is not None:
            known = stack.enter_context(base_list(job.accurate, job.who.work))
        differences = _Differences(context, known)
        decoder = Decoder(keyring(job.keys), workers)
        digests = stack.enter_context(DigestsOfJobs(decoder, job.who.work))
        check = RecordCheck(decoder, context.messages, context.counters, differences.wrong, differences.entry)
        now = Session(-1, -1)
        for record in _records(job, context):
            if record.session != now:
                check.end()
                now = record.session
                digests.begin(now)
            check.record(record.stream, record.file_index, record.data)
            if (kind := stream_type(record.stream)) in DIGEST_STREAMS:
                differences.digest(kind, bytes(record.data))
        check.end()
        differences.rest()
    return differences.found


class _Differences:
    """Tells and counts what differs: content from its digests, entries from what the catalog has of them."""

    def __init__(self, context: JobContext, known: BaseList | None) -> None:
        self._context, self._known = context, known
        self._path = b""
        self._row: BaseRow | None = None
        self.found = 0

    def wrong(self, error: StreamError, text: str) -> None:
        if error.stream in _DIGESTS:
            self._differs(text)
        else:
            self._context.messages.error(text)

    def entry(self, now: Attributes) -> None:
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

    def digest(self, stream: int, digest: bytes) -> None:
        """Held against the catalog's, if that has one of its kind: a Director does not always send them."""
        known = self._row.digest_record if self._row is not None else b""
        if known and known[0] == stream and known[1:] != digest:
            self._differs(f"{printable(self._path)}: the catalog has another digest")

    def rest(self) -> None:
        """What the Volumes lack."""
        if self._known is not None:
            for row in self._known.unseen():
                self._differs(f"{printable(row.path)}: is in the catalog, and not on the Volumes")

    def _differs(self, text: str) -> None:
        self.found += 1
        self._context.messages.info(text)
