"""An estimate for a Director: what it knows of the Jobs before came with the command, and it gets the lines of `ls -l`."""

from __future__ import annotations

import functools
import re
import stat as st
import time
from contextlib import ExitStack
from pathlib import Path

from filed.agents import Entry, EntryType, Kind
from filed.catalog import BaseRow
from filed.job.agents.base_states import BaseStates, Basis
from filed.job.agents.states_file import known_states
from filed.job.context import JobContext
from filed.job.description import EstimateJob, Level
from filed.job.encode.attributes import encode_entry_stat
from filed.job.select.chosen import Chosen
from filed.job.select.director_level import selection_by_director
from filed.job.select.selection import Selection
from filed.process.system import group_name, user_name
from filed.storage import FileId
from filed.wire.attributes import decode_stat

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class DirectorEstimate:
    """An EstimateEnd."""

    def __init__(self, job: EstimateJob, context: JobContext, stack: ExitStack) -> None:
        self._job = job
        self._listed = 0
        self.job_id = job.who.job_id
        self.scratch: Path | None = job.who.work
        catalog = known_states(context.messages, job.who.work)
        if catalog is not None:
            stack.enter_context(catalog)
        base_job = None if job.level is Level.FULL else job.changes.base_job
        states = BaseStates(catalog, base_job, job.fileset.digest(), job.who.director)
        accurate = job.changes.accurate is not None
        self.basis = Basis(Kind.ESTIMATE, job.who.job, job.level, job.changes.since, accurate=accurate, states=states)

    def selection(self, stack: ExitStack) -> Selection:
        return selection_by_director(self._job.changes, self._job.who.work, stack)

    def own_files(self) -> frozenset[FileId]:
        return frozenset()

    def line(self, item: Chosen, link: bytes) -> str | None:
        if not self._job.listing or (self._job.limit and self._listed >= self._job.limit):
            return None
        self._listed += 1
        return listing_line(item.entry, item.path, link, by_mtime=self._job.by_mtime)

    def deleted_line(self, row: BaseRow) -> str | None:  # noqa: ARG002  the Protocol's signature
        return None


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
