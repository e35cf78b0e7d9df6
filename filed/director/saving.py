"""What a Director has saved: a backup, its estimate, and a verify."""

from __future__ import annotations

import re
from dataclasses import replace

from filed.director import programs
from filed.director.conversation import Conversation
from filed.fileset import FileSet, Include
from filed.job.description import EstimateJob, NetworkBackup
from filed.wire import director as said
from filed.wire import reply
from filed.wire.frame import Signal
from filed.wire.reply import MessageType

_LISTING = re.compile(r" listing=(/.*)?$", re.DOTALL)


def estimate(visit: Conversation, command: said.EstimateCommand) -> bool:
    visit.begin_listing()
    fileset = visit.needed_fileset if visit.known.level_word else _to_look_at(visit.needed_fileset)
    job = EstimateJob(
        visit.who,
        visit.known.level,
        fileset,
        visit.facts.setup,
        visit.changes,
        command.listing,
        command.limit,
        visit.version.estimate_by_mtime,
    )
    outcome = visit.run(job)
    if not outcome.status.good:
        visit.say(MessageType.ERROR, outcome.text)
    answer = reply.ok_estimate(outcome.totals.files, outcome.totals.job_bytes)
    return visit.answer(answer, Signal.EOD)


def _to_look_at(fileset: FileSet) -> FileSet:
    """A console's `.ls` of a plugin names a path behind its line; an agent lists all it has, as bacula-fd's bpipe does."""

    def plain(include: Include) -> Include:
        return replace(include, plugins=tuple(_LISTING.sub("", line) for line in include.plugins))

    return replace(fileset, includes=tuple(map(plain, fileset.includes)))


def backup(visit: Conversation, command: said.BackupCommand) -> bool:
    asked = visit.known
    if command.file_index and asked.accurate_list is None:
        why = "cannot resume: the Director sent no list of files already saved; run the Job again"
        return visit.refuse(why, reply.BAD_BACKUP)
    if asked.fileset is None or asked.storage is None:
        return visit.refuse("the Director wants a backup without having said what, or where to", reply.BAD_BACKUP)
    asked.sent = command.file_index
    visit.note(type="B")
    visit.line.send(reply.OK_BACKUP)
    fileset = visit.needed_fileset
    if programs.run_all(visit, asked.scripts.once_open(), "ClientAfterVSS", visit.wanted):
        visit.failed = "ClientAfterVSS failed"
        return False
    visit.do(
        NetworkBackup(
            visit.who,
            asked.level,
            fileset,
            visit.facts.setup,
            visit.changes,
            asked.storage,
            visit.facts.keys,
        )
    )
    return False
