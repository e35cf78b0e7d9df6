"""An estimate: what a backup would save, counted and perhaps listed; nothing is read, nothing sent.

The agents list, the FileSet and the Selection choose, as in a backup. Lines go to the parent as `listing` events.
"""

from __future__ import annotations

import functools
import grp
import pwd
import re
import stat as st
import time
from contextlib import ExitStack

from filed.agents import Begin, BeginFlag, Entry, EntryType, Kind, Status
from filed.agents import Outcome as AgentOutcome
from filed.errors import AgentError
from filed.fileset import agent_text, expanded
from filed.job.agents import lines
from filed.job.agents.instance import begin
from filed.job.agents.libraries import Libraries
from filed.job.agents.sealed import Sealed
from filed.job.agents.states import known_states
from filed.job.backup import AGENT_LEVELS
from filed.job.context import JobContext
from filed.job.description import EstimateJob, Level
from filed.job.encode.attributes import encode_entry_stat
from filed.job.encode.options_plan import OptionsPlans
from filed.job.select.chosen import Chosen, Lister
from filed.job.select.entry_filter import EntryFilter
from filed.job.select.hard_links import HardLinks
from filed.job.select.selection import selection_of
from filed.pipeline import RecordQueue, Workers
from filed.process.outcome import JobStatus, Outcome
from filed.wire.attributes import decode_stat

BATCH_LINES = 200
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def estimate(job: EstimateJob, context: JobContext) -> Outcome:
    """Count into the totals: files, and the sizes of regular files as `job_bytes`."""
    with ExitStack() as stack:
        context.parent.started(job.who.job_id, job.level)
        instances = lines.instances(
            Libraries(job.agents, context.messages, context.cancellation, context.status_page),
            expanded(job.fileset, context.cancellation.pipe, context.messages.warning),
            context.messages,
            stack,
        )
        workers = stack.enter_context(Workers())
        links = stack.enter_context(HardLinks(job.who.work))
        queue = RecordQueue(lambda _index, _stream, _data: None)  # nothing is put into it
        selection = selection_of(job.changes, job.who.work, stack)
        choosing = EntryFilter(OptionsPlans(None, workers, queue), selection, links, context.messages, context.counters)
        counting = _Counting(context, job, links)
        states = known_states(context.messages, job.who.work)
        if states is not None:
            stack.enter_context(states)
        base = None if job.level is Level.FULL else job.changes.base_job
        sealed = Sealed(states, base, job.fileset.digest(), job.who.director)
        for instance in instances:
            found = sealed.find(instance.agent.descriptor.id, instance.line)
            why = Begin(
                kind=Kind.ESTIMATE,
                level=AGENT_LEVELS[job.level],
                state_why=found.why,
                flags=BeginFlag.ACCURATE if job.changes.accurate else 0,
                since=(job.changes.since, 0),
                job=job.who.job,
                base_job=sealed.base_job,
                state=found.blob,
                state_format=found.format,
                fileset=agent_text(instance.fileset),
            )
            try:
                agent_job = stack.enter_context(begin(instance, why, context.messages, context.cancellation))
            except AgentError as error:
                if error.code != Status.E_UNSUPPORTED:
                    raise
                context.messages.warning(f"{error}; estimated without")
                continue
            lister = Lister(agent_job, instance.matcher, instance.command, instance.prefixes)
            while (page := agent_job.next_page()) is not None:
                choice = choosing.page(lister, page)
                context.counters.deleted(sum(1 for _ in choice.deleted))
                for chosen in choice.chosen:
                    if chosen.doubt is not None and not chosen.doubt.likely:
                        continue  # an estimate reads no content
                    link = page.link(chosen.entry) if chosen.entry.link_len else b""
                    counting.count(chosen, link)
                context.counters.show()
                context.cancellation.check()
            agent_job.end(AgentOutcome.DONE)
        counting.tell()
    return context.ended(JobStatus.OK)


class _Counting:
    """The totals, and the lines that wait to be told."""

    def __init__(self, context: JobContext, job: EstimateJob, links: HardLinks) -> None:
        self._context, self._job, self._links = context, job, links
        self._lines: list[str] = []
        self._listed = 0

    def count(self, chosen: Chosen, link: bytes) -> None:
        entry, counters = chosen.entry, self._context.counters
        if entry.type == EntryType.OBJECT:
            return
        counters.files()
        if entry.type == EntryType.REGULAR and not self._is_another_name(entry, chosen):
            counters.encoded(entry.size)
        if self._job.listing and (not self._job.limit or self._listed < self._job.limit):
            self._listed += 1
            self._lines.append(listing_line(entry, chosen.path, link, by_mtime=self._job.by_mtime))
            if len(self._lines) >= BATCH_LINES:
                self.tell()

    def tell(self) -> None:
        if self._lines:
            self._context.parent.send({"event": "listing", "lines": self._lines})
            self._lines = []

    def _is_another_name(self, entry: Entry, chosen: Chosen) -> bool:
        inode = chosen.options_plan.shared_inode(entry)
        if inode is None:
            return False
        if self._links.first(inode) is not None:
            return True
        self._links.saved(inode, self._context.counters.totals.files, chosen.path)
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
        return pwd.getpwuid(number).pw_name
    except (KeyError, OverflowError):
        return str(number)


@functools.lru_cache(maxsize=1000)
def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except (KeyError, OverflowError):
        return str(number)
