"""Checks of a backup as Jobs make it: Full, Verify, estimate, and hosts with other pages and buffers."""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from filed.agents import (
    Agent,
    AgentJob,
    AgentStream,
    EntryFlag,
    EntryType,
    Feature,
    Has,
    Kind,
    Outcome,
    Severity,
    Status,
)
from filed.agents.abi import MIN_READ_BYTES, VERSION_1_1, WantOption, version
from filed.agents.callbacks import MAX_WATERMARK
from filed.agents.shape import LIST_PAGE_BYTES, HostShape
from filed.conformance.room import Room, Skipped
from filed.conformance.walk import Reading, Seen, digest_of, read_whole, walk
from filed.conformance.witness import Witness
from filed.errors import AgentError, ItemError, printable
from filed.process.system import resident_bytes

FLAT_BYTES = 48 << 20  # the host's own pages and buffers, and what malloc keeps of an agent's
ENOUGH_ENTRIES = 20_000  # of which nothing may be kept, to see it
SEED = 1
_SHOWN = 5
_REREAD = 20  # entries that are read again
_DAY_S = 86_400


def backup(room: Room) -> None:
    """A Full, read to the end, committed; what is said about entries is held against what was read."""
    if not room.library.descriptor.can_backup:
        raise Skipped("it has no backup calls")
    names: Counter[bytes] = Counter()
    seen: list[Seen] = []
    with room.agent() as (agent, witness):
        with room.begun(agent, room.why()) as job:

            def frame(_page: object) -> None:
                if job.overwritten:
                    room.failed(f"it wrote over {job.overwritten} of bp_batch, which is the host's", "next_entries")

            for one in walk(job, Reading(at_page=frame)):
                names[one.name] += 1
                seen.append(one)
            complete = job.complete
            job.commit()
            job.end(Outcome.DONE)
        _told(room, witness)
    _entries(room, seen, names)
    if not seen:
        room.warn("it listed nothing at all; give it something to save with --path, --plugin or --option")
        if complete:
            room.warn("COMPLETE with nothing listed: everything the base has is taken for deleted", "next_entries")
    data = sum(one.size for one in seen)
    room.note(f"{len(seen):,} entries, {data:,} bytes; COMPLETE: {'yes' if complete else 'no'}")


def _told(room: Room, witness: Witness) -> None:
    texts = [text for severity, text in witness.messages if severity >= Severity.WARNING]
    for text in texts[:_SHOWN]:
        room.warn(f"it told a user: {text}")
    if len(texts) > _SHOWN:
        room.warn(f"and {len(texts) - _SHOWN:,} messages more, or as many as are kept")
    for _, text in witness.messages:
        if text.startswith(f"agent {room.library.descriptor.label}: end: "):
            room.warn(f"its error is only logged: {text}", "end")


def _entries(room: Room, seen: list[Seen], names: Counter[bytes]) -> None:
    for name, count in names.items():
        if count > 1:
            room.warn(f"an entry is listed {count} times", "next_entries", name)
    for name in directories_before_their_content(seen):
        room.failed("a directory is listed before what is in it", "next_entries", name)
    for name in _of_one_inode_and_different(seen):
        room.warn("another name of its inode has another type, size or time", "next_entries", name)
    for name in _of_one_inode_with_other_content(seen):
        room.failed("a name of an inode has another content than its first name", "next_entries", name)
    tomorrow = time.time() + _DAY_S
    if (
        late := next((one for one in seen if one.entry.valid & Has.MTIME and one.entry.mtime > tomorrow), None)
    ) is not None:
        room.warn("a time lies in the future", "next_entries", late.name)
    for one in seen:
        entry, name = one.entry, one.name
        if one.error:
            room.warn(f"an entry could not be read: {one.error}", "", name)
        if entry.flags & EntryFlag.FAILED:
            room.warn("an entry is FAILED: it is counted as an error", "next_entries", name)
        if entry.type != EntryType.REGULAR:
            continue
        if entry.valid & Has.SIZE and entry.size and not entry.streams & AgentStream.DATA.bit:
            room.warn("a regular file has a size and no DATA: it is stored without content", "next_entries", name)
        if not one.read:
            continue
        if entry.valid & Has.SIZE and entry.size != one.size:
            _size(room, one, f"a size of {entry.size:,} bytes is announced and {one.size:,} are read", entry.size)
        if one.announced is not None and one.announced != one.size:
            text = f"open_stream says {one.announced:,} bytes and {one.size:,} are read"
            _size(room, one, text, one.announced, "open_stream")


def _size(room: Room, one: Seen, text: str, announced: int, call: str = "next_entries") -> None:
    """Fewer bytes than announced is content that was cut, and nobody says so; more may have come since."""
    if one.size < announced:
        room.failed(f"{text}: the content is cut, and close_stream does not say BP_E_CHANGED", call, one.name)
    else:
        room.warn(text, call, one.name)


def _of_one_inode_and_different(seen: Iterable[Seen]) -> list[bytes]:
    """Names that cannot be hard links of the first one that is said to be of their inode."""
    first: dict[tuple[int, int], tuple[int, ...]] = {}
    different = []
    for one in seen:
        entry = one.entry
        if entry.nlink > 1 and entry.valid & Has.INO and entry.valid & Has.NLINK and entry.type != EntryType.DIRECTORY:
            kind = entry.type, entry.size, entry.mtime, entry.mtime_ns
            if first.setdefault((entry.dev, entry.ino), kind) != kind:
                different.append(one.name)
    return different


def _of_one_inode_with_other_content(seen: Iterable[Seen]) -> list[bytes]:
    """Names that a Job would store as links to a name with other bytes."""
    first: dict[tuple[int, ...], str] = {}
    different = []
    for one in seen:
        entry = one.entry
        if entry.nlink > 1 and entry.valid & Has.INO and entry.valid & Has.NLINK and entry.ino and one.read:
            look = entry.dev, entry.ino, entry.type, entry.size, entry.mtime, entry.mtime_ns
            if first.setdefault(look, one.digest) != one.digest:
                different.append(one.name)
    return different


def directories_before_their_content(seen: Iterable[Seen]) -> list[bytes]:
    """Directories that were listed before something in them."""
    listed: set[bytes] = set()
    early = []
    for one in seen:
        parent = one.name.rpartition(b"/")[0] or b"/"
        if parent in listed and one.name != b"/":
            early.append(parent)
            listed.discard(parent)
        if one.entry.type == EntryType.DIRECTORY:
            listed.add(one.name)
    return early


def verify(room: Room) -> None:
    """Read again for a comparison: the same entries, and no state."""
    _same_kind(room, Kind.VERIFY)


def estimate(room: Room) -> None:
    """Names and sizes alone; nothing is kept, nothing read."""
    why = room.why(Kind.ESTIMATE)
    with room.agent() as (agent, witness):
        try:
            job = agent.begin(why)
        except AgentError as error:
            if error.code == Status.E_UNSUPPORTED:
                raise Skipped("it refuses estimates, as it may") from None
            raise
        with job:
            room.context.cancellation.on_cancel(job)
            listed: set[bytes] = set()
            while (page := job.next_page()) is not None:
                listed.update(page.names)
            job.end(Outcome.DONE)
    if witness.states:
        room.failed("it keeps a state in an estimate", "put_state")
    before = room.saved()
    moving = set(before) ^ set(room.saved())
    absent, alone = len(set(before) - listed - moving), len(listed - set(before) - moving)
    room.note(
        f"{len(listed):,} entries; {absent:,} of a Full are not in the estimate, {alone:,} are in the estimate alone"
    )


def _same_kind(room: Room, kind: Kind) -> None:
    def again() -> dict[bytes, Seen]:
        with room.agent() as (agent, witness):
            try:
                seen = room.saved_by(agent, room.why(kind))
            except AgentError as error:
                if error.code == Status.E_UNSUPPORTED and error.call == "begin":
                    raise Skipped(f"it refuses {kind.name}, as it may") from None
                raise
        if witness.states:
            room.failed(f"it keeps a state in a Job of kind {kind.name}", "put_state")
        return seen

    room.compared(f"a Job of kind {kind.name}", again)


def parallel(room: Room) -> None:
    """Streams read beside each other have what each has alone; others are opened and closed unread."""
    before = room.saved()
    with room.agent() as (agent, _), room.begun(agent, room.why()) as job:
        if not job.parallel:
            raise Skipped("it has no parallel streams")
        read: dict[bytes, tuple[str, int]] = {}
        while (page := job.next_page()) is not None:
            wanted = [(entry.cookie, name) for entry, name in page if name in before and before[name].read]
            for first in range(0, len(wanted), job.parallel):
                read |= _side_by_side(job, wanted[first : first + job.parallel])
        job.commit()
        job.end(Outcome.DONE)
    with room.agent() as (agent, _), room.begun(agent, room.why()) as job:
        page = job.next_page()
        wanted = [(entry.cookie, name) for entry, name in page or () if name in read]
        for unread in [job.open_parallel(cookie) for cookie, _ in wanted[: job.parallel]]:
            unread.close(Status.E_CANCELLED)
        job.end(Outcome.FAILED)
    for name, (digest, size) in read.items():
        if (digest, size) != (before[name].digest, before[name].size):
            room.failed("read beside others an entry has another content than alone", "read", name)
    room.note(f"{len(read):,} streams, {job.parallel} at once")


def _side_by_side(job: AgentJob, wanted: list[tuple[int, bytes]]) -> dict[bytes, tuple[str, int]]:
    """The digest and the size of each, read at once."""
    streams = [job.open_parallel(cookie) for cookie, _ in wanted]
    streams[0].waits(tuple(name for _, name in wanted[1:]))
    with ThreadPoolExecutor(len(streams)) as pool:
        found = list(pool.map(digest_of, streams))
    streams[0].goes_on()
    for stream in streams:
        stream.close()
    return dict(zip((name for _, name in wanted), found, strict=True))


def browse(room: Room) -> None:
    """One directory alone: what lies directly in it, of each that is listed, and nothing else."""
    if Feature.BROWSE not in room.subject.about.features:
        raise Skipped("it cannot list one directory alone")
    with room.agent() as (agent, _):
        top = _browsed(room, agent, b"")
        for name in [name for name, kind in top.items() if kind == EntryType.DIRECTORY][:3]:
            deeper = [one for one in _browsed(room, agent, name) if one.removeprefix(name).count(b"/") > 1]
            strange = [one for one in _browsed(room, agent, name) if not one.startswith(name + b"/")]
            for one in (*deeper, *strange):
                room.failed(f"asked for {printable(name)} alone it lists another place", "next_entries", one)
    if not top:
        room.failed("it lists no topmost name", "next_entries")


def _browsed(room: Room, agent: Agent, path: bytes) -> dict[bytes, int]:
    """Name and type of what is listed."""
    found: dict[bytes, int] = {}
    with room.begun(agent, replace(room.why(Kind.ESTIMATE), browse=path)) as job:
        while (page := job.next_page()) is not None:
            found |= {name: entry.type for entry, name in page}
        if job.complete:
            room.failed("COMPLETE after a list of one directory", "next_entries", path)
        job.end(Outcome.DONE)
    return found


def needed(room: Room) -> None:
    """What bp_begin.keep_from says is about what is kept from then on: the list depends on level and state alone."""
    if room.subject.about.max_version < VERSION_1_1:
        raise Skipped("it speaks 1.0, which does not tell")
    why = replace(room.why(), keep_from=MAX_WATERMARK)
    room.compared("told that nothing older is needed", lambda: room.saved(why), "begin")


def later_host(room: Room) -> None:
    """A host of a later version: longer structs, a wider stride, features that nobody knows yet."""
    shape = HostShape(later_bytes=64, features=1 << 63 | 1 << 20)
    room.compared("a later host", lambda: room.saved(shape=shape))


def older_host(room: Room) -> None:
    """A host of 1.0, with the structs of that time: what an agent uses of later versions it has to look for."""
    first, about = version(1, 0), room.subject.about
    if not about.min_version <= first < about.max_version:
        raise Skipped("it speaks one version of those that this host speaks")
    room.compared("a host of 1.0", lambda: room.saved(shape=HostShape(version=first)))


def pages(room: Room) -> None:
    """Pages for one entry, for a few, and of a random size."""
    chance = random.Random(SEED)  # noqa: S311  which sizes are tried is no secret
    for most in (1, 3, chance.randrange(4, 200)):
        size = LIST_PAGE_BYTES + 4096 * chance.randrange(64)
        shape = HostShape(max_entries=most, list_bytes=size, fetch_bytes=size)
        what = f"pages of {size:,} bytes for {most} entries"
        room.compared(what, partial(room.saved, shape=shape), "next_entries")


def buffers(room: Room) -> None:
    """The smallest buffer that `read` may get, odd ones, a large one; each ends where memory cannot be touched."""
    chance = random.Random(SEED)  # noqa: S311
    ways = {
        f"a buffer of {MIN_READ_BYTES:,} bytes": lambda: MIN_READ_BYTES,
        "buffers of random sizes": lambda: MIN_READ_BYTES + 8 * chance.randrange(1 << 14),
        "a buffer of 4 MiB": lambda: 4 << 20,
    }
    for what, cap in ways.items():
        room.compared(what, partial(room.saved, reading=Reading(cap=cap)), "read")


def filtered(room: Room) -> None:
    """A FileSet that drops most entries, a host that fetches few at a time and closes streams in the middle."""
    chance = random.Random(SEED)  # noqa: S311
    whole = room.saved()
    taken = set(chance.sample(range(len(whole)), (len(whole) + 1) // 2)) if whole else set()
    dropping = Reading(takes=taken.__contains__, wants=lambda: chance.randrange(1, 4))
    some = room.saved(reading=dropping)
    moving = {name for name, one in room.saved().items() if name not in whole or whole[name].what != one.what}
    for name, one in some.items():
        if name in whole and one.what != whole[name].what and name not in moving:
            room.failed("an entry comes out differently when others of its page were dropped", "fetch", name)
    cut = room.saved(reading=Reading(abandons=lambda number: number % 3 != 0, cap=lambda: MIN_READ_BYTES))
    for name, one in cut.items():
        if one.read and name in whole and one.what != whole[name].what and name not in moving:
            room.failed("an entry comes out differently when a stream before it was closed early", "open_stream", name)
    room.note(
        f"{len(some):,} of {len(whole):,} entries taken; then two of three streams closed after their first chunk"
    )


def reread(room: Room) -> None:
    """An entry flagged REREAD is opened a second time, and in its middle: the same bytes."""
    tried = 0
    with room.agent(quiet=True) as (agent, _), room.begun(agent, room.why()) as job:
        while (page := job.next_page()) is not None:
            for entry, name in page:
                offered = entry.flags & EntryFlag.REREAD and entry.streams & AgentStream.DATA.bit
                if offered and not entry.inline_off and tried < _REREAD:
                    tried += 1
                    _read_again(room, job, entry.cookie, name)
        job.end(Outcome.FAILED)  # not everything was read: there is nothing to commit
    if not tried:
        raise Skipped("no entry with a stream is flagged REREAD")
    room.note(f"{tried:,} entries read twice, and from their middle on")


def _read_again(room: Room, job: AgentJob, cookie: int, name: bytes) -> None:
    try:
        first = read_whole(job, cookie)
    except ItemError as error:
        room.warn(f"an entry could not be read: {error.text}", "", name)
        return
    for offset in (0, len(first) // 2):
        try:
            again = read_whole(job, cookie, offset)
        except ItemError as error:
            room.failed(
                f"an entry is REREAD, and cannot be opened at {offset:,} again: {error.text}", "open_stream", name
            )
            return
        if again != first[offset:]:
            room.failed(
                f"an entry is REREAD, and from {offset:,} on it has other bytes than before", "open_stream", name
            )
            return


def access_times(room: Room) -> None:
    """Files of this machine, read with noatime and with keepatime: their access times stay what they were."""
    if Feature.PLAIN_FILES not in room.subject.about.features:
        raise Skipped("its entries are no files of this machine")
    before = _access_times(_files(room))
    if not before:
        raise Skipped("it lists no files of this machine")
    for option in (WantOption.NOATIME, WantOption.KEEPATIME):
        room.saved(reading=Reading(options=option))
        after = _access_times(before)
        for path in before.keys() & after.keys():
            if before[path] != after[path]:
                text = f"the access time changes, though the FileSet asks for {option.name}"
                room.failed(text, "fetch", os.fsencode(path))
        before = after
    room.note(f"{len(before):,} files")


def _files(room: Room) -> list[str]:
    """The names it lists; nothing is read, which would change their times."""
    with room.agent(quiet=True) as (agent, _), room.begun(agent, room.why()) as job:
        if not job.fetches:
            raise Skipped("it has no fetch, which is where options come from")
        found = []
        while (page := job.next_page()) is not None:
            found += [os.fsdecode(name) for entry, name in page if entry.type == EntryType.REGULAR]
        job.end(Outcome.FAILED)
    return found


def _access_times(files: Iterable[str]) -> dict[str, int]:
    found = {}
    for path in files:
        with contextlib.suppress(OSError):
            found[path] = os.stat(path, follow_symlinks=False).st_atime_ns  # noqa: PTH116  a name of bytes
    return found


def memory(room: Room) -> None:
    """Listing keeps nothing: memory does not grow with the number of entries."""
    count, first, highest = 0, 0, 0
    with room.agent(quiet=True) as (agent, _), room.begun(agent, room.why()) as job:
        while (page := job.next_page()) is not None:
            count += len(page)
            highest = max(highest, resident_bytes())
            first = first or highest
        job.end(Outcome.FAILED)  # nothing was read: there is nothing to commit
    grown = highest - first
    text = f"{count:,} entries listed, memory grew by {grown / 1e6:.1f} MB"
    if grown > FLAT_BYTES and count:
        room.failed(f"{text}: {grown // count:,} bytes for each, kept to the end", "next_entries")
    elif count < room.subject.entries:
        room.failed(f"{text}; --entries asks for {room.subject.entries:,}: give a larger source", "next_entries")
    else:
        enough = count >= ENOUGH_ENTRIES
        room.note(text if enough else f"{text}; {ENOUGH_ENTRIES:,} would show what is kept of each (--entries)")
