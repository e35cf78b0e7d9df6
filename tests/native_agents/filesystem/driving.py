"""Drives the filesystem agent as a Job does: lists, fetches, reads; and restores what was read."""

from __future__ import annotations

import ctypes
import os
import pickle
import stat
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from filed.agents import (
    Action,
    Agent,
    AgentJob,
    AgentStream,
    Begin,
    Entry,
    EntryFlag,
    EntryType,
    Has,
    Kind,
    Library,
    Outcome,
    Replace,
    Severity,
    Status,
    StatusPage,
    Verdict,
    Want,
    split_xattr,
)
from filed.errors import ItemError
from tests.native_agents.host import OfVersion10

ALL_STREAMS = sum(stream.bit for stream in AgentStream)
READ_BYTES = 256 << 10


@dataclass
class Item:
    """One entry as a Job would send it. pieces: (offset, bytes) of its data; size: where its data ends, None: has none."""

    entry: Entry
    name: bytes
    link: bytes = b""
    pieces: list[tuple[int, bytes]] = field(default_factory=list)
    size: int | None = None
    small: list[tuple[int, bytes]] = field(default_factory=list)
    trouble: str = ""
    inline: bool = False

    @property
    def data(self) -> bytes:
        whole = bytearray(self.size or 0)
        for offset, piece in self.pieces:
            whole[offset : offset + len(piece)] = piece
        return bytes(whole)

    @property
    def xattrs(self) -> dict[bytes, bytes]:
        return dict(split_xattr(data) for stream, data in self.small if stream == AgentStream.XATTR)

    def text_of(self, stream: AgentStream) -> bytes | None:
        return next((data for number, data in self.small if number == stream), None)


@dataclass
class Host(OfVersion10):
    """What the Job answers its agent; `rules` says a verdict for a directory's path, else TAKE."""

    rules: dict[bytes, Verdict] = field(default_factory=dict)
    said: list[tuple[Severity, str]] = field(default_factory=list)
    asked: list[tuple[bytes, Entry]] = field(default_factory=list)
    on_match: Callable[[bytes], None] | None = None

    def message(self, severity: Severity, text: str) -> None:
        self.said.append((severity, text))

    def match(self, path: bytes, entry: Entry) -> int:
        self.asked.append((path, entry))
        if self.on_match:
            self.on_match(path)
        return self.rules.get(path, Verdict.TAKE)

    def put_state(self, state: bytes, state_format: int) -> bool:
        raise AssertionError("this agent has no state")

    def secret(self, name: str) -> bytes | None:
        raise AssertionError("this agent has no secrets")

    def warnings(self) -> list[str]:
        return [text for severity, text in self.said if severity >= Severity.WARNING]


def escaped(path: bytes) -> bytes:
    return path.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")


def fileset_of(*paths: bytes | Path, markers: Iterable[bytes] = ()) -> bytes:
    """One Include block."""
    names = [os.fsencode(path) if isinstance(path, Path) else path for path in paths]
    lines = [b"I", *(b"Z " + marker for marker in markers), *(b"F " + escaped(name) for name in names), b"N"]
    return b"".join(line + b"\n" for line in lines)


class Driver:
    """The library, and one Job at a time."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.status_page = StatusPage()

    @contextmanager
    def job(self, why: Begin, host: Host | None = None) -> Iterator[AgentJob]:
        with Agent(self.library, host or Host(), self.status_page) as agent, agent.begin(why) as job:
            yield job

    def listing(self, fileset: bytes, host: Host | None = None) -> list[Item]:
        """Names and attributes only."""
        found = []
        with self.job(Begin(Kind.ESTIMATE, fileset=fileset), host) as job:
            while (page := job.next_page()) is not None:
                found += [Item(entry, name, page.link(entry)) for entry, name in page]
            assert job.complete
            job.end(Outcome.DONE)
        return found

    def backup(
        self,
        fileset: bytes,
        host: Host | None = None,
        *,
        streams: int = ALL_STREAMS,
        options: int = 0,
        between: Callable[[bytes], None] | None = None,
        reading: Callable[[bytes, int], None] | None = None,
    ) -> list[Item]:
        """Everything. between: called with each name after it was listed, before it is fetched. reading: before each read."""
        saved: list[Item] = []
        with self.job(Begin(Kind.BACKUP, fileset=fileset), host) as job:
            while (page := job.next_page()) is not None:
                wanted = []
                for entry, name in page:
                    if entry.flags & EntryFlag.FAILED:
                        saved.append(Item(entry, name, trouble="failed"))
                    else:
                        wanted.append(Want(entry.cookie, entry.streams & streams, options))
                    if between:
                        between(name)
                saved += self.fetched(job, wanted, reading)
            job.commit()
            job.end(Outcome.DONE)
        return saved

    def fetched(
        self, job: AgentJob, wanted: list[Want], reading: Callable[[bytes, int], None] | None = None
    ) -> Iterator[Item]:
        """These entries of the last page, with what is in them."""
        while wanted:
            page = job.fetch(wanted)
            items = []
            for (entry, name), want in zip(page, wanted, strict=False):
                item = Item(entry, name, page.link(entry), small=list(page.tlvs(entry)))
                inline = page.inline(entry)
                if entry.flags & EntryFlag.FAILED:
                    item.trouble = "failed"
                elif inline is not None:
                    item.pieces, item.size, item.inline = [(0, bytes(inline))], len(inline), True
                elif want.streams & AgentStream.DATA.bit:
                    self.read(job, item, reading)
                items.append(item)
            yield from items
            wanted = wanted[len(page) :]

    def read(self, job: AgentJob, item: Item, reading: Callable[[bytes, int], None] | None = None) -> None:
        memory = ctypes.create_string_buffer(READ_BYTES)
        try:
            job.open_stream(item.entry.cookie, AgentStream.DATA)
        except ItemError as error:
            item.trouble = str(error)
            return
        how = Status.OK
        try:
            while True:
                if reading:
                    reading(item.name, sum(len(piece) for _, piece in item.pieces))
                chunk = job.read(ctypes.addressof(memory), READ_BYTES)
                if chunk.len:
                    item.pieces.append((chunk.offset, memory.raw[: chunk.len]))
                if chunk.last:
                    item.size = chunk.offset + chunk.len
                    break
        except ItemError as error:
            item.trouble, how = str(error), Status.E_IO
        try:
            job.close_stream(how)
        except ItemError as error:
            item.trouble = str(error)

    def restore(
        self,
        items: Sequence[Item],
        where: Path | None,
        host: Host | None = None,
        *,
        mode: Replace = Replace.ALWAYS,
        strip: bytes = b"",
        before: Callable[[bytes], None] | None = None,
        looked_for: int = 0,
    ) -> dict[bytes, str]:
        """Under `where` / name without `strip`. Hard links are made as a Job makes them. looked_for: streams that were saved if there
        were any. What was said of each name: an Action's name, or an error's text."""
        root = os.fsencode(where) if where else b""
        told: dict[bytes, str] = {}
        with self.job(Begin(Kind.RESTORE, where=root), host) as job:
            for item in linked(items):
                item.entry = item.entry._replace(streams=looked_for)
                dest = root + item.name.removeprefix(strip)
                link = root + item.link.removeprefix(strip) if item.entry.type == EntryType.HARDLINK else item.link
                if before:
                    before(dest)
                try:
                    told[dest] = self.put(job, item, dest, link, mode)
                except ItemError as error:
                    told[dest] = str(error)
            job.commit()
            job.end(Outcome.DONE)
        return told

    @staticmethod
    def put(job: AgentJob, item: Item, dest: bytes, link: bytes, mode: Replace, *, how: Status = Status.OK) -> str:
        action = job.restore_entry(item.entry, item.name, dest, mode, link)
        if action == Action.SKIP:
            return action.name
        try:
            if item.size is not None:
                job.restore_stream(AgentStream.DATA, item.size)
                for offset, piece in item.pieces:
                    end = offset + len(piece)
                    job.write(piece, offset, last=end == item.size)
                if not item.pieces or item.pieces[-1][0] + len(item.pieces[-1][1]) != item.size:
                    job.write(b"", item.size, last=True)
            for stream, data in item.small:
                job.restore_stream(AgentStream(stream), len(data))
                job.write(data, 0, last=True)
        except ItemError:
            job.restore_done(Status.E_FAIL)
            raise
        job.restore_done(how)
        return action.name


def linked(items: Sequence[Item]) -> list[Item]:
    """Later names of one inode become HARDLINK entries, as a Job sends them."""
    first: dict[tuple[int, int], bytes] = {}
    out = []
    for item in items:
        entry = item.entry
        key = (entry.dev, entry.ino)
        if entry.type != EntryType.DIRECTORY and entry.nlink > 1 and first.setdefault(key, item.name) != item.name:
            out.append(
                replace(
                    item, entry=entry._replace(type=EntryType.HARDLINK), link=first[key], pieces=[], size=None, small=[]
                )
            )
        else:
            out.append(item)
    return out


# ---- items that no backup made ----


def entry_of(
    kind: EntryType, mode: int, *, size: int | None = None, mtime: int = 1_500_000_000, rdev: int = 0
) -> Entry:
    valid = Has.MODE | Has.OWNER | Has.MTIME | Has.ATIME | (0 if size is None else Has.SIZE)
    return Entry(
        type=kind,
        mode=mode,
        uid=os.geteuid(),
        gid=os.getegid(),
        valid=valid,
        size=size or 0,
        mtime=mtime,
        atime=mtime,
        rdev=rdev,
    )


def file_item(name: bytes, data: bytes, *, mode: int = 0o644, mtime: int = 1_500_000_000) -> Item:
    entry = entry_of(EntryType.REGULAR, stat.S_IFREG | mode, size=len(data), mtime=mtime)
    return Item(entry, name, pieces=[(0, data)] if data else [], size=len(data))


def directory_item(name: bytes, mode: int = 0o755, mtime: int = 1_500_000_000) -> Item:
    return Item(entry_of(EntryType.DIRECTORY, stat.S_IFDIR | mode, mtime=mtime), name)


def link_item(name: bytes, target: bytes, mtime: int = 1_500_000_000) -> Item:
    return Item(entry_of(EntryType.SYMLINK, stat.S_IFLNK | 0o777, mtime=mtime), name, link=target)


def hard_link(name: bytes, first: bytes) -> Item:
    return Item(entry_of(EntryType.HARDLINK, stat.S_IFREG | 0o644), name, link=first)


@dataclass(frozen=True)
class Look:
    """What a test compares of a path."""

    kind: int
    mode: int
    owner: tuple[int, int]
    mtime_ns: int
    content: bytes
    rdev: int
    xattrs: dict[str, bytes]


def look(path: bytes) -> Look:
    status = os.lstat(path)
    kind = stat.S_IFMT(status.st_mode)
    content = b""
    if kind == stat.S_IFREG:
        with open(path, "rb") as file:
            content = file.read()
    elif kind == stat.S_IFLNK:
        content = os.readlink(path)
    names = os.listxattr(path, follow_symlinks=False)
    xattrs = {name: os.getxattr(path, name, follow_symlinks=False) for name in names}
    return Look(
        kind, status.st_mode, (status.st_uid, status.st_gid), status.st_mtime_ns, content, status.st_rdev, xattrs
    )


def tree(root: bytes) -> dict[bytes, Look]:
    """Every path below, relative; the root is b""."""
    found = {b"": look(root)}
    for directory, directories, files in os.walk(root):
        for name in directories + files:
            path = os.path.join(directory, name)
            found[path[len(root) :]] = look(path)
    return found


NOBODY = 65534


def as_nobody(work: Callable[[], object]) -> object:
    """What `work` returns in a child without any rights; picklable. As an ordinary user: simply in a child."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        answer: object = None
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            answer = work()
        except BaseException as error:
            answer = error
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(answer, pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    os.waitpid(child, 0)
    result = pickle.loads(data)
    if isinstance(result, BaseException):
        raise result
    return result


def deep_tree(root: Path, levels: int, name: str = "d" * 40) -> None:
    """root/name/name/..., a file `leaf` at the bottom and one on each hundredth level."""
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    for level in range(levels):
        os.mkdir(name, dir_fd=at)
        below = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=at)
        os.close(at)
        at = below
        if level % 100 == 99 or level == levels - 1:
            leaf = os.open("leaf", os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=at)
            os.write(leaf, b"level %d" % level)
            os.close(leaf)
    os.close(at)


def remove_deep(root: Path) -> None:
    """shutil.rmtree of Python 3.11 fails on paths beyond PATH_MAX."""
    subprocess.run(["rm", "-rf", "--", os.fspath(root)], check=True)


def differences(one: bytes | Path, other: bytes | Path) -> dict[bytes, tuple[Look | None, Look | None]]:
    """What two trees do not have in common, by relative path."""
    before, after = tree(os.fsencode(one)), tree(os.fsencode(other))
    return {
        path: (before.get(path), after.get(path))
        for path in before.keys() | after.keys()
        if before.get(path) != after.get(path)
    }
