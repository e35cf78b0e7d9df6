"""A verify of a directory of Volumes: are its records whole, and is the disk still what a Job holds?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from filed.catalog import BaseList, Catalog, Job
from filed.errors import JobError, printable
from filed.fileset import Options, parse_text
from filed.job.context import Counters, JobContext, Messages
from filed.job.decode.known import KnownEntries
from filed.job.decode.native_entries import LIBRARY, NativeEntries
from filed.job.decode.record_check import RecordCheck
from filed.job.description import VerifyJob
from filed.job.ends.verify_end import Disk
from filed.pipeline import Decoder
from filed.process.outcome import JobStatus
from filed.storage import ReadSession, Repository, VolumeDirectory
from filed.volume import Run, Session, read_volume_keys
from filed.wire.attributes import Attributes, FileType, decode_stat, parse_attributes, parse_nanoseconds
from filed.wire.stream import DIGEST_STREAMS, Buffer, Stream


@contextmanager
def volumes_verify(job: VerifyJob, context: JobContext) -> Iterator[VolumesVerify]:
    with Catalog.read(job.places.catalog) as catalog:
        yield VolumesVerify(job, catalog, context.messages, context.counters)


class VolumesVerify:
    """A VerifyEnd: the Volumes of `job.jobids`, or with `disk` the tree of the last of them against the disk."""

    job_id = 0
    errors_are = JobStatus.ERROR

    def __init__(self, job: VerifyJob, catalog: Catalog, messages: Messages, counters: Counters) -> None:
        self._job, self._catalog, self._messages, self._counters = job, catalog, messages, counters
        self._comparison: _DiskComparison | None = None

    @property
    def found(self) -> int:
        return self._comparison.found if self._comparison is not None else 0

    def disk(self, stack: ExitStack) -> Disk | None:
        if not self._job.disk:
            return None
        row = self._catalog.job(self._job.jobids[-1])
        if not row.fileset_text:
            raise JobError(
                f"JobId {row.job_id} came from another File Daemon: its FileSet is not known; verify its Volumes only"
            )
        self._counters.expected_bytes = row.read_bytes
        base = stack.enter_context(self._catalog.base_list(row.job_id))
        self._comparison = _DiskComparison(self._messages, base)
        own = VolumeDirectory.open(self._job.places.volumes).own_files()
        return Disk(parse_text(row.fileset_text), row.job, self._comparison, scratch=None, own_files=own)

    def volumes(self, new_decoder: Callable[[], Decoder], stack: ExitStack) -> Iterator[tuple[ReadSession, _JobCheck]]:
        del stack
        places = self._job.places
        volumes: Repository = VolumeDirectory.open(places.volumes, keys=read_volume_keys(places.volume_keys))
        jobs = [self._catalog.job(number) for number in self._job.jobids]
        self._counters.expected_bytes = sum(one.read_bytes for one in jobs)
        for one in jobs:
            session = Session(one.vol_session_id, one.vol_session_time)
            media = self._catalog.media(one.job_id)
            read = volumes.read(media, session, on_damage=lambda damage: self._messages.error(str(damage)))
            yield read, _JobCheck(one, _known(self._catalog, one), new_decoder(), self._messages, self._counters)


def _known(catalog: Catalog, job: Job) -> KnownEntries:
    """The entries of this Job alone; deleted marks are not among them."""
    known = KnownEntries()
    for row in catalog.tree(job.job_id):
        if row.job_id == job.job_id:
            known.add(row)
    return known


class _JobCheck:
    """Checks each record of one Job, their number and their order. What is wrong is reported and counted."""

    def __init__(self, job: Job, known: KnownEntries, decoder: Decoder, messages: Messages, counters: Counters) -> None:
        self._job, self._messages, self._known = job, messages, known
        self._last_index = self._found = 0
        decoder.know(known.digests)
        self._check = RecordCheck(
            decoder,
            messages,
            counters,
            messages.entry_error,
            self._entry,
            known=known,
            native=LIBRARY,
            on_page=self._page,
        )

    def checked(self, session: ReadSession) -> Iterator[None]:
        for some in session.runs():
            if isinstance(some, Run):
                self._check.run(some.data, some.begin, some.end)
            else:
                self._check.record(some.stream, some.file_index, some.data)
            yield

    def _entry(self, attributes: Attributes) -> None:
        """A restore needs the first name of a file ahead of the others, which is how every program saves them."""
        if attributes.file_index > self._last_index:
            self._last_index = attributes.file_index
            self._found += self._known.has(attributes.file_index)
        else:
            text = f"FileIndex {attributes.file_index} lies behind {self._last_index}: the Volume was changed"
            self._messages.error(f"{printable(attributes.path)}: {text}")

    def _page(self, entries: NativeEntries) -> None:
        """Their order is right."""
        self._last_index = entries.last_index
        self._found += entries.found

    def close(self) -> None:
        self._check.end()
        if lost := self._known.count - self._found:
            self._messages.error(f"JobId {self._job.job_id}: {lost:,} entries of the catalog are not on its Volumes")
        found, known = self._check.entries, self._job.files + self._job.deleted
        if found != known:
            self._messages.error(
                f"JobId {self._job.job_id}: {found:,} entries on its Volumes, {known:,} in the catalog"
            )


class _DiskComparison:
    """Takes the records of a walk and tells what differs from the tree of a Job."""

    def __init__(self, messages: Messages, base: BaseList) -> None:
        self._messages, self._base = messages, base
        self._path = b""
        self._digest_record = b""
        self.found = 0
        self.on_digest: Callable[[int, int, bytes], None] = lambda _index, _stream, _digest: None

    def entry(self, file_index: int, options: Options) -> None:
        """Its attributes record says all."""

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
        self._messages.info(f"{printable(path)} {how}")

    def close(self, failures: list[bytes]) -> None:
        """What the walk did not meet is gone."""
        for row in self._base.unseen(failures):
            self._differs(row.path, "is gone")
