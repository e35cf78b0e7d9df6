"""A restore from a directory of Volumes: the tree as it was at one Job.

The chain of Jobs is read oldest first, and of each Job only the records that are still the last word about their path.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from types import TracebackType
from typing import Self

from filed.agents import Saved
from filed.catalog import Catalog, facts_of, state_of
from filed.errors import CatalogError, JobError, printable
from filed.job.context import JobContext
from filed.job.decode.batches import Gathering
from filed.job.decode.receive import Receiving
from filed.job.decode.wanted import Wanted, choose
from filed.job.description import RestoreJob
from filed.pipeline import Decoder
from filed.storage import ReadSession, Repository, VolumeDirectory
from filed.volume import Damage, FileIndexes, Session, read_volume_keys
from filed.wire.attributes import Attributes, FileType
from filed.wire.restore_object import RestoreObject

SLASH = ord("/")
NAMED = 20  # entries that a damaged Volume took with it; the rest is counted


class VolumesRestore:
    """A RestoreEnd; a context manager."""

    job_id = 0

    def __init__(self, job: RestoreJob, context: JobContext) -> None:
        self._job, self._messages, self._counters = job, context.messages, context.counters
        self.saved = Saved()
        self._open = ExitStack()
        keys = read_volume_keys(job.places.volume_keys)
        self._volumes: Repository = VolumeDirectory.open(job.places.volumes, create=False, keys=keys)
        self._catalog = self._open.enter_context(Catalog.read(job.places.catalog))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self._open.__exit__(kind, value, tb)

    def dry_run(self) -> list[bytes] | None:
        job = self._job
        if not job.dry_run:
            return None
        self.saved = self._saved(choose(self._catalog, job.jobid, job.paths))
        plugins = dict.fromkeys(row.plugin_id for row in self._catalog.tree(job.jobid, job.paths))
        return [self._catalog.plugin_command(number) for number in plugins]

    def rounds(self, receiving: Receiving) -> Iterator[tuple[ReadSession, Gathering]]:
        """One for each Job of the chain that has something. Raises JobError when none has."""
        job = self._job
        wanted = choose(self._catalog, job.jobid, job.paths)
        if not wanted:
            what = "the paths given" if job.paths else "the Job"
            raise JobError(f"nothing to restore: {what} hold no entry at JobId {job.jobid}; see `filed ls`")
        self._counters.expected_bytes = sum(part.data_bytes for part in wanted)
        self.saved = self._saved(wanted)
        for part in wanted:
            receiving.begin(part, self._objects(part))
            if not job.paths:
                receiving.objects()
            yield self._read(part, receiving.gathering())
            self._tell_missing(part)
        receiving.parents(self._parents())

    def _saved(self, wanted: Sequence[Wanted]) -> Saved:
        job = self._catalog.job(self._job.jobid)
        base = self._catalog.job(job.base_job_id) if job.base_job_id is not None else None
        return Saved(
            job.job,
            base.job if base is not None else "",
            job.start_time,
            part=bool(self._job.paths),
            dry_run=self._job.dry_run,
            oldest_first=True,
            entries=sum(part.file_indexes.count for part in wanted),
            size=sum(part.data_bytes for part in wanted),
            jobs=len(wanted),
        )

    def begin_session(self, session: Session, decoder: Decoder) -> None:
        """All Jobs of a chain are ours: their digests show soon."""

    def mark_restored(self, agent: str) -> None:
        if not self._catalog.has_states(agent):
            return  # and the catalog may lie on a disk that is read-only
        try:
            with Catalog.open(self._catalog.path) as writable:
                writable.mark_restored(agent)
        except CatalogError as error:
            self._messages.warning(
                f"{error}; run a Full next: an Incremental of agent {agent} would build on what is no more"
            )

    def finish(self) -> None:
        """Nothing is left to do."""

    def _read(self, part: Wanted, gathering: Gathering) -> tuple[ReadSession, Gathering]:
        def damaged(damage: Damage) -> None:
            gathering.damaged(f"{damage}; what lies there is not restored")

        selection = FileIndexes(part.file_indexes.ranges())
        return self._volumes.read(part.media, part.session, selection, on_damage=damaged), gathering

    def _parents(self) -> Iterator[Attributes]:
        """The directories above the paths chosen, as they were, the outermost first."""
        chosen = {path.rstrip(b"/") for path in self._job.paths}
        above = {path[: at + 1] for path in chosen for at, byte in enumerate(path) if at and byte == SLASH}
        chain = [job.job_id for job in reversed(self._catalog.chain(self._job.jobid))]
        for path in sorted(above):
            if any(path.startswith(one + b"/") for one in chosen):
                continue  # it was chosen with one of them
            row = next((row for job_id in chain if (row := self._catalog.entry(job_id, path))), None)
            if row is not None and row.type == FileType.DIRECTORY and not row.plugin_id:
                yield Attributes(row.file_index, row.type, row.path, row.lstat, extended=row.extended)

    def _objects(self, part: Wanted) -> list[RestoreObject]:
        """What agents want back before their files; what we keep ourselves among it is not theirs."""
        objects = self._catalog.restore_objects(part.job.job_id)
        return [item for item in objects if not state_of(item) and not facts_of(item)]

    def _tell_missing(self, part: Wanted) -> None:
        """Name what the catalog has and the Volumes did not give."""
        missing, job_id, error = part.file_indexes, part.job.job_id, self._messages.error
        if not missing.count:
            return
        rows = (row for row in self._catalog.tree(self._job.jobid, self._job.paths) if row.job_id == job_id)
        for row in islice((row for row in rows if row.file_index in missing), NAMED):
            error(f"{printable(row.path)}: it is not on the Volumes of JobId {job_id}")
        if missing.count > NAMED:
            error(f"{missing.count - NAMED:,} further entries are not on the Volumes of JobId {job_id}")
