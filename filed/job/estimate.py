"""An estimate: what a backup would save, counted and perhaps listed; nothing is read, nothing sent.

The agents list, the FileSet and the Selection choose, as in a backup. Lines go to the parent as `listing` events.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from filed.agents import EntryType, Feature, Page, Status
from filed.agents import Outcome as AgentOutcome
from filed.catalog import BaseRow
from filed.errors import AgentError, JobError
from filed.fileset import agent_text, expanded
from filed.job.agents.instance import Lister, begin
from filed.job.agents.libraries import Libraries
from filed.job.agents.lines import instances
from filed.job.context import JobContext
from filed.job.description import DryRun, EstimateJob
from filed.job.ends.estimate_end import EstimateEnd
from filed.job.select.chosen import Chosen
from filed.job.select.entry_filter import EntryFilter
from filed.job.select.hard_links import HardLinks, shared_inode
from filed.job.select.listing import Listing
from filed.job.select.taken_names import TakenNames
from filed.process.outcome import JobStatus, Outcome

BATCH_LINES = 200
BATCH_CHARACTERS = 100_000  # a sixth of what the parent takes as one event


def estimate(job: EstimateJob | DryRun, context: JobContext) -> Outcome:
    """Count into the totals: files, the sizes of regular files as `job_bytes`, and what is deleted."""
    messages, counters, cancellation = context.messages, context.counters, context.cancellation
    with ExitStack() as stack:
        end = _far_end(job, context, stack)
        basis, browse = end.basis, job.browse if isinstance(job, EstimateJob) else None
        context.parent.started(end.job_id, basis.level.name.capitalize())
        libraries = Libraries(job.agents, messages, cancellation, context.status_page)
        made = instances(libraries, expanded(job.fileset, cancellation.pipe, messages.warning), messages, stack)
        links = stack.enter_context(HardLinks(end.scratch))
        taken = stack.enter_context(TakenNames(end.scratch))
        counting = _Counting(context, end, links)
        selection, lists = end.selection(stack), job.fileset.has_lists
        entry_filter = EntryFilter(selection, links, taken, messages, counters, own=end.own_files, lists=lists)
        listing = Listing(entry_filter, counting, counters, cancellation)
        for instance in made:
            found = instance.find_state(basis.states)
            try:
                why = replace(basis.begin(found, agent_text(instance.fileset)), browse=browse)
                if browse is not None and Feature.BROWSE not in instance.agent.descriptor.features:
                    raise JobError(f"agent {instance.agent.label} cannot list one directory alone")
                agent_job = stack.enter_context(begin(instance, why, messages, cancellation))
            except AgentError as error:
                if error.code != Status.E_UNSUPPORTED:
                    raise
                messages.warning(f"{error}; estimated without")
                continue
            listing.instance(instance.lister())
            agent_job.end(AgentOutcome.DONE)
        if isinstance(job, DryRun):
            listing.deletions()
        counting.tell()
    return context.ended(JobStatus.OK)


def _far_end(job: EstimateJob | DryRun, context: JobContext, stack: ExitStack) -> EstimateEnd:
    if isinstance(job, DryRun):
        from filed.job.ends.volumes_estimate import VolumesEstimate  # noqa: PLC0415  what a Job does not need costs its start

        return VolumesEstimate(job, context, stack)
    from filed.job.ends.director_estimate import DirectorEstimate  # noqa: PLC0415

    return DirectorEstimate(job, context, stack)


class _Counting:
    """A Taker that counts, and the lines that wait to be told."""

    def __init__(self, context: JobContext, end: EstimateEnd, links: HardLinks) -> None:
        self._counters, self._send = context.counters, context.parent.send
        self._end, self._links = end, links
        self._lines: list[str] = []
        self._characters = 0

    def deleted(self, row: BaseRow) -> None:
        self._counters.deleted()
        self._list(self._end.deleted_line(row))

    def passed_over(self, item: Chosen) -> None:
        """It is not counted."""

    def unchanged(self, lister: Lister, chosen: list[Chosen]) -> set[int]:  # noqa: ARG002  the Protocol's signature
        """An estimate reads no content: times and size say what is likely."""
        return {item.entry.cookie for item in chosen if item.check is not None and not item.check.likely}

    def take(self, lister: Lister, page: Page, chosen: list[Chosen]) -> None:  # noqa: ARG002  as above
        for item in chosen:
            self._count(item, page.link(item.entry) if item.entry.link_len else b"")

    def finish(self) -> None:
        """Nothing waits."""

    def tell(self) -> None:
        if self._lines:
            self._send({"event": "listing", "lines": self._lines})
            self._lines, self._characters = [], 0

    def _count(self, item: Chosen, link: bytes) -> None:
        entry = item.entry
        if entry.type == EntryType.OBJECT:
            return
        self._counters.files()
        if entry.type == EntryType.REGULAR and not item.without_content and not self._is_another_name(item):
            self._counters.encoded(entry.size)
        self._list(self._end.line(item, link))

    def _list(self, line: str | None) -> None:
        if line is not None:
            self._lines.append(line)
            self._characters += len(line)
            if len(self._lines) >= BATCH_LINES or self._characters >= BATCH_CHARACTERS:
                self.tell()

    def _is_another_name(self, item: Chosen) -> bool:
        inode = shared_inode(item.entry, item.options)
        if inode is None:
            return False
        if self._links.first(inode) is not None:
            return True
        self._links.saved(inode, self._counters.totals.files, item.path)
        return False
