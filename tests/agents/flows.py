"""A small job room for tests: drives an agent through a whole Job, and notes what came of it."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from filed.agents import (
    Action,
    Agent,
    AgentJob,
    AgentStream,
    Begin,
    Entry,
    EntryFlag,
    EntryType,
    Kind,
    Level,
    Library,
    Outcome,
    Replace,
    Settings,
    Severity,
    Status,
    StatusPage,
    Verdict,
    Want,
    Watchdog,
    WholePage,
    WholeStream,
)
from filed.catalog import SealedState, fits
from filed.errors import FiledError, ItemError
from filed.process.exit_report import describe_exit, describe_hang
from filed.process.memory import GuardedMemory

READ_BYTES = 256 << 10
DEFAULTS = Settings()


@dataclass
class Recorder:
    """HostServices that remember. `verdicts`: by path, else TAKE. `secrets`: by name."""

    verdicts: dict[bytes, int] = field(default_factory=dict)
    secrets: dict[str, bytes] = field(default_factory=dict)
    messages: list[tuple[Severity, str]] = field(default_factory=list)
    states: list[tuple[bytes, int]] = field(default_factory=list)
    watermarks: list[int] = field(default_factory=list)
    expected: list[tuple[int, int]] = field(default_factory=list)
    held: list[bytes] = field(default_factory=list)
    asked: list[tuple[bytes, Entry]] = field(default_factory=list)

    def message(self, severity: Severity, text: str) -> None:
        self.messages.append((severity, text))

    def match(self, path: bytes, entry: Entry) -> int:
        self.asked.append((path, entry))
        return self.verdicts.get(path, Verdict.TAKE)

    def put_state(self, state: bytes, state_format: int) -> bool:
        self.states.append((state, state_format))
        return fits(SealedState("test", "", state_format, state))

    def watermark(self, position: int) -> None:
        self.watermarks.append(position)

    def expect(self, entries: int, size: int) -> None:
        self.expected.append((entries, size))

    def hold(self, token: bytes) -> None:
        self.held.append(token)

    def secret(self, name: str) -> bytes | None:
        return self.secrets.get(name)

    @property
    def texts(self) -> list[str]:
        return [text for _, text in self.messages]


@dataclass
class Saved:
    """What one backup brought: name -> (entry, content, small streams); the errors of single entries."""

    entries: dict[bytes, tuple[Entry, bytes | None, list[tuple[int, bytes]]]] = field(default_factory=dict)
    links: dict[bytes, bytes] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    holes: dict[bytes, list[tuple[int, int]]] = field(default_factory=dict)
    pages: list[int] = field(default_factory=list)
    complete: bool = False


def take_all(job: AgentJob) -> Saved:
    """Everything that a backup's Job lists, read to the end."""
    saved = Saved()
    memory = GuardedMemory(READ_BYTES)
    while (page := job.next_page()) is not None:
        saved.pages.append(len(page))
        found = dict.fromkeys(range(len(page)), page)
        wanted = [number for number, entry in enumerate(page.entries) if page.inline(entry) is None and entry.streams]
        while job.fetches and wanted:
            answer = job.fetch([Want(page.entries[n].cookie, page.entries[n].streams) for n in wanted])
            for number, entry in zip(wanted, answer.entries, strict=False):
                found[number] = answer
                page.entries[number] = entry
            wanted = wanted[len(answer) :]
        for number, (entry, name) in enumerate(page):
            inline = found[number].inline(entry)
            content = None if inline is None else bytes(inline)
            saved.links[name] = found[number].link(entry)
            small = list(found[number].tlvs(entry))
            readable = entry.streams & AgentStream.DATA.bit and not entry.flags & EntryFlag.FAILED
            if content is None and readable:
                try:
                    if job.parallel:
                        content = read_beside(job, entry.cookie, name)
                    else:
                        content = read_all(job, entry.cookie, memory, saved.holes.setdefault(name, []))
                except ItemError as error:
                    saved.errors.append(str(error))
            saved.entries[name] = (entry, content, small)
    saved.complete = job.complete
    return saved


def read_beside(job: AgentJob, cookie: int, name: bytes) -> bytes:
    """One stream without holes, of an agent that can have several open; here there is one."""
    memory, content = GuardedMemory(READ_BYTES), bytearray()
    stream = job.open_parallel(cookie)
    stream.waits((b"/@BAD/two",))
    while not (chunk := stream.read(memory.address, memory.size)).last:
        content += memory.view[: chunk.len]
    stream.goes_on()
    stream.close()
    return bytes(content + memory.view[: chunk.len])


def read_all(job: AgentJob, cookie: int, memory: GuardedMemory, holes: list[tuple[int, int]]) -> bytes:
    """One stream, holes filled with zeros and noted as (offset, length)."""
    job.open_stream(cookie, AgentStream.DATA)
    content, how = bytearray(), Status.E_FAIL
    try:
        while True:
            chunk = job.read(memory.address, memory.size)
            if chunk.offset > len(content):
                holes.append((len(content), chunk.offset - len(content)))
                content += bytes(chunk.offset - len(content))
            content += memory.view[: chunk.len]
            if chunk.last:
                how = Status.OK
                break
    except ItemError:
        how = Status.E_IO
        raise
    finally:
        if job.stream_open:
            job.close_stream(how)
    return bytes(content)


def backup(
    library: Library,
    services: Recorder,
    status_page: StatusPage,
    settings: Settings = DEFAULTS,
    begin: Begin | None = None,
) -> Saved:
    """A whole backup, from create to destroy."""
    cancel_pipe, _ = os.pipe()
    with Agent(library, services, status_page, settings, cancel_pipe=cancel_pipe) as agent:
        agent.confirmed("job.0", b"7", 1)
        with agent.begin(begin or Begin(Kind.BACKUP, Level.FULL, job="job.1")) as job:
            saved = take_all(job)
            job.commit()
            job.end(Outcome.DONE)
    return saved


def restore(
    library: Library, services: Recorder, status_page: StatusPage, settings: Settings = DEFAULTS
) -> list[Action]:
    """A file of three chunks and a directory, given to the agent."""
    actions = []
    with Agent(library, services, status_page, settings) as agent, agent.begin(Begin(Kind.RESTORE, where=b"/r")) as job:
        file = Entry(type=EntryType.REGULAR, size=9)
        action = job.restore_entry(file, b"/@BAD/one", b"/r/@BAD/one", Replace.ALWAYS)
        actions.append(action)
        if action == Action.WANT:
            job.restore_stream(AgentStream.DATA, 9)
            for offset in (0, 3):
                job.write(memoryview(b"abc"), offset, last=False)
            job.write(bytearray(b"xyz"), 6, last=True)
            job.restore_done()
        directory = Entry(type=EntryType.DIRECTORY)
        actions.append(job.restore_entry(directory, b"/@BAD", b"/r/@BAD", Replace.ALWAYS))
        job.restore_done()
        job.commit()
        job.end(Outcome.DONE)
    return actions


def restore_by_page(
    library: Library, services: Recorder, status_page: StatusPage, settings: Settings = DEFAULTS
) -> int:
    """The same, whole and in one go. Returns how many were restored."""
    page = WholePage()
    for entry, name, streams in (
        (Entry(type=EntryType.REGULAR, size=9), b"/@BAD/one", [WholeStream(AgentStream.DATA, 9, b"abcabcxyz")]),
        (Entry(type=EntryType.DIRECTORY), b"/@BAD", []),
    ):
        page.add(entry[Entry._fields.index("cookie") :], name, b"", b"/r" + name, streams)
    with Agent(library, services, status_page, settings) as agent, agent.begin(Begin(Kind.RESTORE, where=b"/r")) as job:
        for _, error in job.restore_page(page, Replace.ALWAYS):
            if error is not None:
                raise error
        job.commit()
        job.end(Outcome.DONE)
    return job.handed.restored


RESTORES = (restore, restore_by_page)


def in_child(
    work: Callable[[StatusPage], object],
    *,
    timeout_s: float = 60,
    grace_s: float = 0.3,
    cancel_after_s: float | None = None,
) -> str:
    """Runs `work` in a forked process, watched as the supervisor watches; how it ended, in words.

    "ok: <result>" or "<error class>: <text>" when it ended by itself.
    """
    status_page = StatusPage()
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        _work_and_leave(work, status_page, writer)
    os.close(writer)
    try:
        return _watch(
            pid,
            reader,
            status_page,
            Watchdog(status_page, timeout_s, time.monotonic()),
            grace_s=grace_s,
            cancel_after_s=cancel_after_s,
        )
    finally:
        os.close(reader)


def _work_and_leave(work: Callable[[StatusPage], object], status_page: StatusPage, writer: int) -> None:
    faulthandler.disable()
    silence = os.open("/dev/null", os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    try:
        text = f"ok: {work(status_page)}"
    except FiledError as error:
        text = "\n".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())])
    except BaseException as error:
        text = f"BUG {type(error).__name__}: {error}"
    with contextlib.suppress(OSError):  # the sin of closing what is not its own
        os.write(writer, text.encode())
    os._exit(0)


def _watch(
    pid: int, reader: int, status_page: StatusPage, watchdog: Watchdog, *, grace_s: float, cancel_after_s: float | None
) -> str:
    said, begun, canceled_at, hang = b"", time.monotonic(), None, ""
    while True:
        if select.select([reader], [], [], 0.02)[0]:
            piece = os.read(reader, 1 << 16)
            if not piece:
                break
            said += piece
        now = time.monotonic()
        if canceled_at is None and watchdog.expired(now):
            hang, canceled_at = describe_hang(status_page, watchdog.silent_s(now)), now
            status_page.ask_cancel()
        elif canceled_at is None and cancel_after_s is not None and now - begun > cancel_after_s:
            canceled_at = now
            status_page.ask_cancel()
        elif canceled_at is not None and now - canceled_at > grace_s:
            hang = hang or f"killed: {describe_hang(status_page, now - canceled_at)}"
            os.kill(pid, signal.SIGKILL)
            break
    _, status = os.waitpid(pid, 0)
    if hang:
        return hang
    return said.decode() or describe_exit(status_page, os.waitstatus_to_exitcode(status))
