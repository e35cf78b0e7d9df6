"""An estimate: what a backup would save, counted and perhaps listed; nothing is read, nothing sent.

The agents list, the FileSet and the Selection choose, as in a backup. Lines go to the parent as `listing` events.
"""

from __future__ import annotations

import functools
import re
import stat as st
import time
from contextlib import ExitStack

from filed.agents import Entry, EntryType, Kind, Page, Status
from filed.agents import Outcome as AgentOutcome
from filed.catalog import BaseRow
from filed.errors import AgentError
from filed.fileset import agent_text, expanded
from filed.job.agents.base_states import BaseStates, Basis
from filed.job.agents.instance import Lister, begin
from filed.job.agents.libraries import Libraries
from filed.job.agents.lines import instances
from filed.job.agents.states_file import known_states
from filed.job.context import JobContext
from filed.job.description import EstimateJob, Level
from filed.job.encode.attributes import encode_entry_stat
from filed.job.select.chosen import Chosen
from filed.job.select.director_level import selection_by_director
from filed.job.select.entry_filter import EntryFilter
from filed.job.select.hard_links import HardLinks, shared_inode
from filed.job.select.listing import Listing
from filed.job.select.taken_names import TakenNames
from filed.process.outcome import JobStatus, Outcome
from filed.process.system import group_name, user_name
from filed.wire.attributes import decode_stat

BATCH_LINES = 200
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def estimate(job: EstimateJob, context: JobContext) -> Outcome:
    """Count into the totals: files, and the sizes of regular files as `job_bytes`."""
    messages, counters, cancellation = context.messages, context.counters, context.cancellation
    with ExitStack() as stack:
        context.parent.started(job.who.job_id, job.level)
        libraries = Libraries(job.agents, messages, cancellation, context.status_page)
        made = instances(libraries, expanded(job.fileset, cancellation.pipe, messages.warning), messages, stack)
        links = stack.enter_context(HardLinks(job.who.work))
        taken = stack.enter_context(TakenNames(job.who.work))
        selection = selection_by_director(job.changes, job.who.work, stack)
        counting = _Counting(context, job, links)
        entry_filter = EntryFilter(selection, links, taken, messages, counters)
        listing = Listing(entry_filter, counting, counters, cancellation)
        basis = _basis(job, context, stack)
        for instance in made:
            found = instance.find_state(basis.states)
            try:
                why = basis.begin(found, agent_text(instance.fileset))
                agent_job = stack.enter_context(begin(instance, why, messages, cancellation))
            except AgentError as error:
                if error.code != Status.E_UNSUPPORTED:
                    raise
                messages.warning(f"{error}; estimated without")
                continue
            listing.instance(instance.lister())
            agent_job.end(AgentOutcome.DONE)
        counting.tell()
    return context.ended(JobStatus.OK)


def _basis(job: EstimateJob, context: JobContext, stack: ExitStack) -> Basis:
    catalog = known_states(context.messages, job.who.work)
    if catalog is not None:
        stack.enter_context(catalog)
    base_job = None if job.level is Level.FULL else job.changes.base_job
    states = BaseStates(catalog, base_job, job.fileset.digest(), job.who.director)
    accurate = job.changes.accurate is not None
    return Basis(Kind.ESTIMATE, job.who.job, job.level, job.changes.since, accurate=accurate, states=states)


class _Counting:
    """A Taker that counts, and the lines that wait to be told."""

    def __init__(self, context: JobContext, job: EstimateJob, links: HardLinks) -> None:
        self._counters, self._send = context.counters, context.parent.send
        self._job, self._links = job, links
        self._lines: list[str] = []
        self._listed = 0

    def deleted(self, row: BaseRow) -> None:  # noqa: ARG002  the Protocol's signature
        self._counters.deleted()

    def passed_over(self, item: Chosen) -> None:
        """It is not counted."""

    def unchanged(self, lister: Lister, chosen: list[Chosen]) -> set[int]:  # noqa: ARG002  as above
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
            self._lines = []

    def _count(self, item: Chosen, link: bytes) -> None:
        entry = item.entry
        if entry.type == EntryType.OBJECT:
            return
        self._counters.files()
        if entry.type == EntryType.REGULAR and not item.without_content and not self._is_another_name(item):
            self._counters.encoded(entry.size)
        if self._job.listing and (not self._job.limit or self._listed < self._job.limit):
            self._listed += 1
            self._lines.append(listing_line(entry, item.path, link, by_mtime=self._job.by_mtime))
            if len(self._lines) >= BATCH_LINES:
                self.tell()

    def _is_another_name(self, item: Chosen) -> bool:
        inode = shared_inode(item.entry, item.options)
        if inode is None:
            return False
        if self._links.first(inode) is not None:
            return True
        self._links.saved(inode, self._counters.totals.files, item.path)
        return False


def listing_line(entry: Entry, path: bytes, link: bytes, *, by_mtime: bool) -> str:
    """As `ls -l` has it; its time is the ctime in 9.6.7, and the mtime in 15."""
    known = decode_stat(encode_entry_stat(entry, 0))
    mode = st.filemode(known.mode)
    mode = "f" + mode[1:] if mode[0] == "p" else mode
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(known.mtime if by_mtime else known.ctime))
    name = _one_line(path.rstrip(b"/") or b"/")
    target = f" -> {_one_line(link)}" if entry.type == EntryType.SYMLINK else ""
    return f"{mode}  {known.nlink:>2} {_user(known.uid)[:8]:<8} {_group(known.gid)[:8]:<8} {max(known.size, 0):>18} {when}  {name}{target}"


def _one_line(name: bytes) -> str:
    """Its bytes as they are, but for controls: they could forge a line."""
    text = name.decode("utf-8", "surrogateescape")
    return text if text.isprintable() else _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


@functools.lru_cache(maxsize=1000)
def _user(number: int) -> str:
    try:
        return user_name(number)
    except (KeyError, OverflowError):
        return str(number)


@functools.lru_cache(maxsize=1000)
def _group(number: int) -> str:
    try:
        return group_name(number)
    except (KeyError, OverflowError):
        return str(number)
