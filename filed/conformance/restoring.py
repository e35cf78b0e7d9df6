"""Checks of a restore: what was read comes back below `where`, byte for byte, and nothing outside of it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from filed.agents import (
    Action,
    AgentJob,
    AgentStream,
    Change,
    EntryFlag,
    EntryType,
    Has,
    Kind,
    Outcome,
    Replace,
    Saved,
    Status,
)
from filed.conformance.room import Room, Skipped
from filed.conformance.walk import Reading, Seen
from filed.errors import ItemError

_UMASK_MATTERS = 0o777
_PIECE = 40_000  # what was read is written in other pieces than it was read in
_GAP = 100_000
_TRIED = 5  # files that are written with gaps
_REFUSING = {
    Replace.NEVER: "a file that exists",
    Replace.IFNEWER: "a file that is as new as the entry",
    Replace.IFOLDER: "a file that is as old as the entry",
}


_GIVING_WAY = {Replace.ALWAYS: 0, Replace.IFNEWER: -3600, Replace.IFOLDER: 3600}  # seconds from the time of the entry
_OTHER = {
    Replace.ALWAYS: "a file with another content",
    Replace.IFNEWER: "a file that is older than the entry",
    Replace.IFOLDER: "a file that is newer than the entry",
}


@dataclass(slots=True)
class Brought:
    """What a restore did with each entry."""

    actions: dict[bytes, Action]
    errors: dict[bytes, str]
    by_host: int = 0


def restore(room: Room) -> None:
    """A Full restored below a new directory, and compared; then again, with replace NEVER."""
    with source(room) as (seen, spool):
        where = room.directory("parent") / "restored"  # which is not there yet: its making is the agent's, too
        brought = bring_back(room, seen, spool, where)
        for name, error in brought.errors.items():
            room.warn(f"an entry could not be restored: {error}", "", name)
        if brought.actions and set(brought.actions.values()) == {Action.SKIP}:
            room.failed("it skips every entry, though replace is ALWAYS: nothing is restored", "restore_entry")
        there = _compare(room, seen, brought, where)
        left = f"; {brought.by_host:,} by the host's file system agent" if brought.by_host else ""
        room.note(f"{len(seen):,} entries given back, {there:,} compared on the disk{left}")
        if there:
            for replace, which in _REFUSING.items():
                again = bring_back(room, seen, spool, where, replace)
                for name, action in again.actions.items():
                    entry = seen[name].entry
                    compared = replace == Replace.NEVER or entry.valid & Has.MTIME
                    replaced = action in (Action.WANT, Action.CREATED) and entry.type == EntryType.REGULAR
                    if replaced and compared and _on_disk(where, name).is_file():
                        text = f"replace {replace.name}, and it asks for the data of {which}"
                        room.failed(text, "restore_entry", name)
            _compare(room, seen, brought, where)


def replaced(room: Room) -> None:
    """Files that are there with another content: those that `replace` gives way are as they were saved afterwards."""
    with source(room) as (seen, spool):
        where = room.directory("replaced")
        brought = bring_back(room, seen, spool, where)
        files = [
            one
            for one in seen.values()
            if one.entry.type == EntryType.REGULAR and one.entry.valid & Has.MTIME
            if brought.actions.get(one.name) == Action.WANT and _on_disk(where, one.name).is_file()
        ]
        if not files:
            raise Skipped("it leaves no files below where")
        for replace_, seconds in _GIVING_WAY.items():
            for one in files:
                file, time = _on_disk(where, one.name), one.entry.mtime + seconds
                file.unlink()  # it may be read-only
                file.write_bytes(b"another content")
                os.utime(file, (time, time))
            again = bring_back(room, {one.name: one for one in files}, spool, where, replace_)
            for name in (one.name for one in files if again.actions.get(one.name) == Action.SKIP):
                room.failed(
                    f"replace {replace_.name}, and it leaves {_OTHER[replace_]} as it is", "restore_entry", name
                )
            _compare(room, seen, again, where)
        room.note(f"{len(files):,} files replaced")


def plan(room: Room) -> None:
    """A dry run: it says whether it could, and leaves no trace."""
    if not room.subject.restore:
        raise Skipped("its restore may not be called")
    where = room.directory("planned")
    with room.agent() as (agent, _):
        if not agent.plans:
            raise Skipped("it has no plan of a restore")
        why = replace(room.why(Kind.RESTORE, where=bytes(where)), saved=Saved(job=room.why().job, dry_run=True))
        with room.begun(agent, why) as job:
            job.end(Outcome.DONE)
    if any(where.iterdir()):
        room.failed("a dry run made something below where", "plan")


def order(room: Room) -> None:
    """Directories before what is in them, and files whose directories never come: as in a restore of several Jobs."""
    with source(room) as (seen, spool):
        there = 0
        for what, first in (("before", True), ("without", False)):
            chosen = {name: one for name, one in seen.items() if first or one.entry.type != EntryType.DIRECTORY}
            if first:
                chosen = dict(sorted(chosen.items(), key=lambda item: item[1].entry.type != EntryType.DIRECTORY))
            where = room.directory(what)
            brought = bring_back(room, chosen, spool, where)
            for name, error in brought.errors.items():
                room.failed(f"with directories {what} their content an entry could not be restored: {error}", "", name)
            there += _compare(room, chosen, brought, where)
        room.note(f"{there:,} entries compared on the disk")


def gaps(room: Room) -> None:
    """Content with a gap between two writes and one at its end: both are zeros, whatever was in the file before."""
    with source(room) as (seen, spool):
        where = room.directory("gaps")
        bring_back(room, seen, spool, where)
        files = [
            one for one in seen.values() if one.entry.type == EntryType.REGULAR and _on_disk(where, one.name).is_file()
        ]
        if not files:
            raise Skipped("it leaves no files below where")
        expected = b"head" + bytes(_GAP) + b"tail" + bytes(_GAP)
        with room.agent() as (agent, _), room.begun(agent, room.why(Kind.RESTORE, where=os.fsencode(where))) as job:
            tried = [one for one in files[:_TRIED] if _with_gaps(job, one, where, len(expected))]
            job.commit()
            job.end(Outcome.DONE)
        for one in tried:
            if _on_disk(where, one.name).read_bytes() != expected:
                room.failed("restored content: a gap in the offsets is not a hole of zeros", "write", one.name)
        room.note(f"{len(tried):,} files written with gaps")


def _with_gaps(job: AgentJob, one: Seen, where: Path, size: int) -> bool:
    """Was the entry written so? An agent may know that this is none of its content, and refuse it."""
    try:
        if _begun(job, one, where, Replace.ALWAYS) != Action.WANT:
            if job.restoring:
                job.restore_done(Status.OK)
            return False
        job.restore_stream(AgentStream.DATA, size)
        job.write(b"head", 0, last=False)
        job.write(b"tail", 4 + _GAP, last=False)
        job.write(b"", size, last=True)
        job.restore_done(Status.OK)
    except ItemError:
        with contextlib.suppress(ItemError):
            if job.restoring:
                job.restore_done(Status.E_CORRUPT)
        return False
    return True


def corrupt(room: Room) -> None:
    """Digests that do not match: told with restore_done, and the Job goes on. What was written is kept, under whatever name."""
    with source(room) as (seen, spool):
        where, whole = room.directory("corrupt"), room.directory("whole")
        bring_back(room, seen, spool, whole)
        brought = bring_back(room, seen, spool, where, how=lambda _name: Status.E_CORRUPT)
        if _files(where) < _files(whole):
            rule = f"of {_files(whole):,} files whose digest did not match, {_files(where):,} are kept: their owner decides"
            room.failed(rule, "restore_done")
        room.note(f"{len(brought.actions):,} entries said to be corrupt")


def _files(where: Path) -> int:
    """Files and not names: a further name of a damaged file need not be made."""
    return len({(file.stat().st_dev, file.stat().st_ino) for file in where.rglob("*") if file.is_file()})


def given_up(room: Room) -> None:
    """A restore that ends in the middle of a file, FAILED and CANCELLED: `end` comes, `commit` does not."""
    with source(room) as (seen, spool):
        for outcome in (Outcome.FAILED, Outcome.CANCELLED):
            where = room.directory(outcome.name.lower())
            with room.agent() as (agent, _), room.begun(agent, room.why(Kind.RESTORE, where=os.fsencode(where))) as job:
                for one in _ordered(seen):
                    with contextlib.suppress(ItemError):
                        if _begun(job, one, where, Replace.ALWAYS) == Action.WANT and one.pieces:
                            job.restore_stream(AgentStream.DATA, one.size)
                            offset, length, at = one.pieces[0]
                            spool.seek(at)
                            job.write(spool.read(min(length, _PIECE)), offset, last=False)
                            break
                        if job.restoring:
                            job.restore_done(Status.E_FAIL)
                job.end(outcome)


def links(room: Room) -> None:
    """A symbolic link stands below `where`, on the way to an entry: nothing is written through it."""
    with source(room) as (seen, spool):
        names = [one.name for one in seen.values() if one.entry.type == EntryType.REGULAR and one.name.count(b"/") > 1]
        if not names:
            raise Skipped("no entry lies in a directory")
        where, outside = room.directory("where"), room.directory("outside")
        top = names[0].split(b"/")[1]
        (where / os.fsdecode(top)).symlink_to(outside)
        brought = bring_back(room, seen, spool, where)
        escaped = next(outside.rglob("*"), None)
        if escaped is not None:
            room.failed(
                f"it wrote outside of where, through a link that stood there: {escaped.relative_to(outside)}",
                "restore_entry",
            )
        refused = len(brought.errors)
        room.note(
            f"{refused:,} entries refused, nothing outside" if escaped is None else f"{refused:,} entries refused"
        )


# ---- a source, and the way back -----------------------------------------------------------------------------------


@contextlib.contextmanager
def source(room: Room) -> Iterator[tuple[dict[bytes, Seen], BinaryIO]]:
    """A Full with its contents."""
    if not room.library.descriptor.can_restore:
        raise Skipped("it has no restore calls")
    if not room.subject.restore:
        raise Skipped("--no-restore")
    with (room.scratch / "contents").open("w+b") as spool:
        seen = room.saved(reading=Reading(spool=spool))
        spool.flush()
        yield seen, spool


def _ordered(seen: dict[bytes, Seen]) -> Iterable[Seen]:
    """Restore objects come before files, as on a Volume's way back."""
    whole = [
        one for one in seen.values() if one.entry.change != Change.DELETED and not one.entry.flags & EntryFlag.FAILED
    ]
    whole = [one for one in whole if not one.error]
    return sorted(whole, key=lambda one: one.entry.type != EntryType.OBJECT)


def bring_back(  # noqa: PLR0917  the parts of a restore
    room: Room,
    seen: dict[bytes, Seen],
    spool: BinaryIO,
    where: Path,
    replace: Replace = Replace.ALWAYS,
    how: Callable[[bytes], Status] = lambda _name: Status.OK,
) -> Brought:
    """A whole restore Job. What the agent leaves to the host goes to the file system agent, as in every Job."""
    brought = Brought({}, {})
    why = room.why(Kind.RESTORE, where=os.fsencode(where))
    with ExitStack() as stack:
        agent, _ = stack.enter_context(room.agent())
        jobs = [stack.enter_context(room.begun(agent, why))]
        for one in _ordered(seen):
            job = jobs[0]
            try:
                action = brought.actions[one.name] = _begun(job, one, where, replace)
                if action == Action.HOST:
                    if len(jobs) == 1:
                        jobs.append(stack.enter_context(room.begun(stack.enter_context(room.plain_files()), why)))
                    job = jobs[1]
                    action = brought.actions[one.name] = _begun(job, one, where, replace)
                    brought.by_host += 1
                if action in (Action.WANT, Action.CREATED):
                    if action == Action.WANT:
                        _write(job, one, spool)
                    for stream, data in one.small:
                        job.restore_stream(AgentStream(stream), len(data))
                        job.write(data, 0, last=True)
                    job.restore_done(how(one.name))
            except ItemError as error:
                brought.errors[one.name] = error.text
                with contextlib.suppress(ItemError):
                    if job.restoring:
                        job.restore_done(Status.E_FAIL)
        for job in jobs:
            job.commit()
            job.end(Outcome.DONE)
    return brought


def _begun(job: AgentJob, one: Seen, where: Path, replace: Replace) -> Action:
    entry = one.entry._replace(change=0, flags=0, streams=0, size=one.size if one.read else one.entry.size)
    if one.read:
        entry = entry._replace(valid=entry.valid | Has.SIZE)
    dest = os.fsencode(_on_disk(where, one.name))
    return job.restore_entry(entry, one.name, dest, replace, one.link)


def _write(job: AgentJob, one: Seen, spool: BinaryIO) -> None:
    if not one.read:
        return
    stream = AgentStream.OBJECT if one.entry.type == EntryType.OBJECT else AgentStream.DATA
    job.restore_stream(stream, one.size)
    for offset, length, at in one.pieces:
        spool.seek(at)
        for start in range(0, length, _PIECE):
            job.write(spool.read(min(_PIECE, length - start)), offset + start, last=False)
    job.write(b"", one.size, last=True)


def _on_disk(where: Path, name: bytes) -> Path:
    return where / os.fsdecode(name.lstrip(b"/"))


# ---- comparing ----------------------------------------------------------------------------------------------------


def _compare(room: Room, seen: dict[bytes, Seen], brought: Brought, where: Path) -> int:
    """How many entries are on the disk as they were. An agent that restores to elsewhere leaves nothing below `where`."""
    made = [one for one in seen.values() if brought.actions.get(one.name) in (Action.WANT, Action.CREATED)]
    made = [one for one in made if one.name not in brought.errors]
    there = [one for one in made if os.path.lexists(_on_disk(where, one.name))]
    if not there:
        if made:
            room.note("it restores to elsewhere than below where: what came back cannot be compared here")
        return 0
    for one in made:
        file = _on_disk(where, one.name)
        for rule in _flaws(one, file):
            room.failed(rule, "restore_done", one.name)
    return len(there)


def _flaws(one: Seen, file: Path) -> Sequence[str]:
    entry = one.entry
    if not os.path.lexists(file):
        return () if entry.type == EntryType.OBJECT else ("an entry was restored, others are there, and it is not",)
    status = file.lstat()
    if entry.type == EntryType.SYMLINK:
        same = stat.S_ISLNK(status.st_mode) and os.fsencode(file.readlink()) == one.link
        return () if same else ("a symbolic link leads elsewhere than it did",)
    flaws = []
    if entry.type == EntryType.REGULAR and one.read:
        with file.open("rb") as content:
            if hashlib.file_digest(content, "sha256").hexdigest() != one.digest:
                flaws.append(
                    f"the restored content, {status.st_size:,} bytes, is not what was read, {one.size:,} bytes"
                )
    if entry.valid & Has.MODE and (status.st_mode ^ entry.mode) & _UMASK_MATTERS:
        flaws.append(f"the mode is {status.st_mode & 0o7777:o} and was {entry.mode & 0o7777:o}")
    if entry.valid & Has.MTIME and int(status.st_mtime_ns // 10**9) != entry.mtime:
        flaws.append(f"the modification time is {status.st_mtime_ns // 10**9} and was {entry.mtime}")
    return flaws
