"""A restore for a Director, from the Storage Daemons that it names.

After each round our parent is told, and tells what comes next.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType
from typing import Self

from filed.agents import Saved
from filed.catalog import state_of
from filed.errors import JobError
from filed.job.agents import states_file
from filed.job.context import JobContext
from filed.job.decode.batches import Gathering
from filed.job.decode.known_digests import DigestsOfJobs
from filed.job.decode.receive import Receiving
from filed.job.decode.renaming import Renaming, parse_regexwhere, parse_where
from filed.job.description import NetworkRestore, Replace, StorageDaemon
from filed.job.ends.storage_daemon import count_lines, reach, session_of
from filed.pipeline import Decoder
from filed.process.channel import Event
from filed.storage import ReadSession
from filed.storage.daemon.read import DaemonReadSession
from filed.volume import Session

WHY_SKIPPED = {
    Replace.ALWAYS: "were left out by their agent",
    Replace.NEVER: "exist already",
    Replace.IFNEWER: "are not newer than what is there",
    Replace.IFOLDER: "are not older than what is there",
}


class DirectorRestore:
    """A RestoreEnd; a context manager."""

    def __init__(self, job: NetworkRestore, context: JobContext) -> None:
        self._job, self._context = job, context
        self.job_id = job.who.job_id
        self.saved = Saved()  # a Director names no Job
        self._names = Renaming(parse_where(job.where), parse_regexwhere(job.regexwhere), job.prelinks)
        self._digests = DigestsOfJobs(job.who.work)
        self._restored: list[str] = []  # ids of agents

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self._digests.close()

    def dry_run(self) -> None:
        """A Director has none."""

    def rounds(self, receiving: Receiving) -> Iterator[tuple[ReadSession, Gathering]]:
        """As many as the Director wants."""
        job, context = self._job, self._context
        # States that came along with a backup are for a person's eyes: what is restored is no base.
        receiving.begin(self._names, [item for item in job.objects if not state_of(item)])
        storage: StorageDaemon | None = job.storage
        while storage is not None:
            connection = reach(context, storage, job.who)
            yield DaemonReadSession(connection, session_of(job.who)), receiving.gathering()
            count_lines(context.counters, connection)
            context.counters.show()
            context.parent.send({"event": "round"})
            context = replace(context, storage=None)
            storage = _next(storage, context.parent.receive())
        receiving.objects()

    def begin_session(self, session: Session, decoder: Decoder) -> None:
        self._digests.begin(session, decoder)

    def mark_restored(self, agent: str) -> None:
        self._restored.append(agent)
        states_file.mark_restored(self._context.messages, self._job.who, agent)

    def finish(self) -> None:
        job, messages = self._job, self._context.messages
        for agent in self._restored:  # again: the file with the marks may have been restored itself
            states_file.mark_restored(messages, job.who, agent)
        if skipped := self._context.counters.totals.skipped:
            messages.info(
                f"skipped, since they {WHY_SKIPPED[job.replace]} (Replace = {job.replace}): {skipped:,} entries"
            )


def _next(storage: StorageDaemon, event: Event) -> StorageDaemon | None:
    """What the parent says after a round. Raises JobError when the Director broke off."""
    match event["event"]:
        case "again":
            return replace(storage, address=str(event["address"]), port=int(str(event["port"])), key=str(event["key"]))
        case "done":
            return None
    raise JobError("the Director broke the restore off")
