"""Is the disk still what a Job holds?

The FileSet is walked once more by the agents that saved it, as for a Full, but the records go to a comparison instead of a Volume.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from filed.agents import Begin, Kind
from filed.agents import Level as AgentLevel
from filed.catalog import BaseList, Catalog
from filed.errors import JobError, printable
from filed.fileset import FileSet, Options, agent_text, expanded, parse_text
from filed.job.agents import lines
from filed.job.agents.instance import begin
from filed.job.agents.libraries import Libraries
from filed.job.context import JobContext
from filed.job.description import VerifyJob
from filed.job.encode.options_plan import OptionsPlans
from filed.job.encode.page_encoder import Sending
from filed.job.select.changed_since import Everything
from filed.job.select.chosen import Lister
from filed.job.select.hard_links import HardLinks
from filed.pipeline import RecordQueue, Workers
from filed.wire.attributes import Attributes, FileType, decode_stat, parse_attributes, parse_nanoseconds
from filed.wire.stream import DIGEST_STREAMS, Buffer, Stream


def compare_disk(job: VerifyJob, context: JobContext, catalog: Catalog) -> int:
    """Compare the tree at a Job with the disk. Returns how many paths differ."""
    row = catalog.job(job.jobids[-1])
    if not row.fileset_text:
        raise JobError(
            f"JobId {row.job_id} came from another File Daemon: its FileSet is not known; verify its Volumes only"
        )
    context.counters.expected_bytes = row.read_bytes
    fileset = for_digests(
        expanded(parse_text(row.fileset_text), context.cancellation.pipe, context.messages.warning),
        keys=job.keys is not None,
    )
    with ExitStack() as stack:
        base = stack.enter_context(catalog.base_list(row.job_id))
        workers = stack.enter_context(Workers())
        links = stack.enter_context(HardLinks())
        compare = _Comparison(context, base)
        queue = RecordQueue(compare.write)
        stack.callback(queue.discard)
        selection = _Tolerant(compare)
        sending = Sending(
            queue,
            OptionsPlans(None, workers, queue),
            selection,
            links,
            messages=context.messages,
            counters=context.counters,
            cancellation=context.cancellation,
        )
        compare.on_digest = sending.digest_went_out
        for instance in lines.instances(
            Libraries(job.agents, context.messages, context.cancellation, context.status_page),
            fileset,
            context.messages,
            stack,
        ):
            why = Begin(Kind.VERIFY, AgentLevel.NONE, job=row.job, fileset=agent_text(instance.fileset))
            agent_job = stack.enter_context(begin(instance, why, context.messages, context.cancellation))
            sending.instance(Lister(agent_job, instance.matcher, b"", instance.prefixes))
        queue.flush()
        compare.close(selection.failures)
    return compare.found


def for_digests(fileset: FileSet, *, keys: bool) -> FileSet:
    """The FileSet of a walk that wants digests only: nothing is compressed.

    keys: whether the backup signs or encrypts. Then it leaves no holes, which a digest would show.
    """

    def plain(options: Options) -> Options:
        return replace(options, compression=None, sparse=options.sparse and not keys)

    includes = tuple(replace(include, options=tuple(map(plain, include.options))) for include in fileset.includes)
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

    def __init__(self, context: JobContext, base: BaseList) -> None:
        self._context, self._base = context, base
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
        self._context.messages.info(f"{printable(path)} {how}")

    def close(self, failures: list[bytes]) -> None:
        """What the walk did not meet is gone."""
        for row in self._base.unseen(failures):
            self._differs(row.path, "is gone")
