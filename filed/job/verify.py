"""Verify: are the Volumes whole, and is the disk still what they hold?

Volumes: each record of the Jobs is read, decoded, and checked against its digest, signature and size, and against the
catalog. Disk: the FileSet is walked once more by the agents that saved it, as for a Full, but the records go to a comparison
instead of a Volume.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from filed.agents import Begin, Kind
from filed.agents import Level as AgentLevel
from filed.catalog import BaseList, Catalog, Job
from filed.errors import JobError, StreamError, printable
from filed.fileset import FileSet, agent_text, expanded, parse_text
from filed.job import agents
from filed.job.description import VerifyJob
from filed.job.hardlinks import HardLinks
from filed.job.keeping import Keepings
from filed.job.keys import keyring
from filed.job.outcome import JobStatus, Outcome
from filed.job.selection import Everything
from filed.job.send import Lister, Sending
from filed.job.stored import StoredFile
from filed.job.workplace import Workplace
from filed.pipeline import Decoder, RecordQueue, Workers
from filed.storage import VolumeDirectory
from filed.volume import Session
from filed.wire.attributes import Attributes, FileType, decode_stat, parse_attributes, parse_nanoseconds
from filed.wire.stream import ATTRIBUTE_STREAMS, DIGEST_STREAMS, Buffer, Stream, stream_type


def verify(job: VerifyJob, place: Workplace) -> Outcome:
    """The Volumes of `job.jobids`, or with `disk` the tree of the last of them against the disk."""
    place.started(0, "")
    with Catalog.read(job.directory) as catalog:
        if job.disk:
            found = _disk(job, place, catalog)
            return place.ended(JobStatus.DIFFERENCES if found else _status(place))
        directory = VolumeDirectory.open(job.directory)
        jobs = [catalog.job(number) for number in job.jobids]
        place.expected = sum(one.read_bytes for one in jobs)
        with Workers() as workers:
            for one in jobs:
                _volumes(place, catalog, directory, one, Decoder(keyring(job.keys), workers))
    return place.ended(_status(place))


def _status(place: Workplace) -> JobStatus:
    totals = place.totals
    return JobStatus.ERROR if totals.errors else JobStatus.WARNINGS if totals.warnings else JobStatus.OK


# -- Volumes ------------------------------------------------------------------------------------------------------


def _volumes(place: Workplace, catalog: Catalog, directory: VolumeDirectory, job: Job, decoder: Decoder) -> None:
    """Check each record of one Job. What is wrong is told and counted."""
    check = _RecordCheck(place, decoder)
    session = Session(job.vol_session_id, job.vol_session_time)
    media = catalog.media(job.job_id)
    for record in directory.read_session(media, session, on_damage=lambda damage: place.error(str(damage))):
        check.record(record.stream, record.file_index, record.data)
        place.check_canceled()
    check.end()
    known = job.files + job.deleted
    if check.entries != known:
        place.error(f"JobId {job.job_id}: {check.entries:,} entries on its Volumes, {known:,} in the catalog")


class _RecordCheck:
    """Decodes one Job's records and keeps nothing."""

    def __init__(self, place: Workplace, decoder: Decoder) -> None:
        self._place, self._decoder = place, decoder
        self._file: StoredFile | None = None
        self._path = b""
        self._file_index = 0
        self.entries = 0

    def record(self, word: int, file_index: int, data: Buffer) -> None:
        kind = stream_type(word)
        try:
            if kind in ATTRIBUTE_STREAMS:
                self.end()
                self._begin(parse_attributes(data))
                self._file_index = file_index
            elif kind == Stream.PLUGIN_NAME:
                self.end()
            elif self._file_index != file_index:
                self.end()  # damage took the attributes of another entry: what is left of that one is nobody's
            elif self._file is not None:
                for _, piece in self._file.record(word, kind, data):
                    self._place.totals.read_bytes += len(piece)
        except StreamError as error:
            self._file = None
            self._place.error(f"{printable(self._path)}: {error}" if self._path else f"FileIndex {file_index}: {error}")

    def end(self) -> None:
        """The records of one entry are complete."""
        file, self._file = self._file, None
        if file is None:
            return
        try:
            for _, piece in file.finish():
                self._place.totals.read_bytes += len(piece)
            self._place.warn_once(file.unproved)
        except StreamError as error:
            self._place.error(f"{printable(self._path)}: {error}")

    def _begin(self, attributes: Attributes) -> None:
        self.entries += 1
        self._path = attributes.path
        self._place.totals.files += 1
        if self._place.totals.files % 256 == 0:
            self._place.show_progress()
        if attributes.type in (FileType.REGULAR, FileType.EMPTY, FileType.RAW_DEVICE, FileType.FIFO_DATA):
            self._file = StoredFile(self._decoder, attributes)


# -- disk ---------------------------------------------------------------------------------------------------------


def _disk(job: VerifyJob, place: Workplace, catalog: Catalog) -> int:
    """Compare the tree at a Job with the disk. Returns how many paths differ."""
    row = catalog.job(job.jobids[-1])
    if not row.fileset_text:
        raise JobError(
            f"JobId {row.job_id} came from another File Daemon: its FileSet is not known; verify its Volumes only"
        )
    place.expected = row.read_bytes
    fileset = _uncompressed(expanded(parse_text(row.fileset_text)))
    with ExitStack() as stack:
        base = stack.enter_context(catalog.base_list(row.job_id))
        workers = stack.enter_context(Workers())
        links = stack.enter_context(HardLinks())
        compare = _Comparison(place, base)
        queue = RecordQueue(compare.write)
        stack.callback(queue.discard)
        selection = _Tolerant(compare)
        sending = Sending(place, queue, Keepings(None, workers, queue), selection, links)
        compare.on_digest = sending.digest_went_out
        for instance in agents.instances(place, job.agents, fileset, stack):
            why = Begin(Kind.VERIFY, AgentLevel.NONE, job=row.job, fileset=agent_text(instance.fileset))
            agent_job = stack.enter_context(agents.begin(place, instance, why))
            sending.instance(Lister(agent_job, instance.matcher, b"", instance.prefixes))
        queue.flush()
        compare.close(selection.failures)
    return compare.found


def _uncompressed(fileset: FileSet) -> FileSet:
    includes = tuple(
        replace(include, options=tuple(replace(options, compression=None) for options in include.options))
        for include in fileset.includes
    )
    return replace(fileset, includes=includes)


class _Tolerant(Everything):
    """Everything; remembers what could not be looked at."""

    def __init__(self, compare: _Comparison) -> None:
        super().__init__()
        self._compare = compare
        self.failures: list[bytes] = []

    def failed(self, path: bytes) -> None:
        self.failures.append(path.rstrip(b"/") or b"/")


class _Comparison:
    """Takes the records of a walk and tells what differs from the tree of a Job."""

    def __init__(self, place: Workplace, base: BaseList) -> None:
        self._place, self._base = place, base
        self._path = b""
        self._digest_record = b""
        self.found = 0
        self.on_digest: Callable[[int, int, bytes], None] = lambda _index, _stream, _digest: None

    def write(self, file_index: int, stream: int, data: Buffer) -> None:
        if stream == Stream.UNIX_ATTRIBUTES:
            self._entry(parse_attributes(data))
        elif stream in DIGEST_STREAMS:
            digest = bytes(data)
            self.on_digest(file_index, stream, digest)
            saved = self._digest_record
            if saved and saved[0] == stream and saved[1:] != digest:
                self._differs(self._path, "its content has changed")

    def _entry(self, now: Attributes) -> None:
        self._path, self._digest_record = now.path, b""
        row = self._base.lookup([now.path])[0]
        if row is None:
            self._differs(now.path, "is new")
            return
        self._base.mark_seen(row.number)
        was, is_now = decode_stat(row.lstat), decode_stat(now.lstat)
        changed = [name for name in ("mode", "uid", "gid", "mtime") if getattr(was, name) != getattr(is_now, name)]
        if now.type in (FileType.REGULAR, FileType.EMPTY) and was.size != is_now.size:
            changed.append("size")
        if now.type == FileType.SYMLINK and row.link != now.link:
            changed.append("target")
        saved, seen = parse_nanoseconds(row.extended), parse_nanoseconds(now.extended)
        if "mtime" not in changed and saved and seen and saved[1] != seen[1]:
            changed.append("mtime")
        if changed:
            self._differs(now.path, f"differs in {', '.join(changed)}")
        else:
            self._digest_record = row.digest_record

    def _differs(self, path: bytes, how: str) -> None:
        self.found += 1
        self._place.info(f"{printable(path)} {how}")

    def close(self, failures: list[bytes]) -> None:
        """What the walk did not meet is gone."""
        for row in self._base.unseen(failures):
            self._differs(row.path, "is gone")
