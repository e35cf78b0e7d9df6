"""Drives the pipe agent as a Job does, in this process."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from filed.agents import (
    Action,
    Agent,
    AgentJob,
    AgentStream,
    Begin,
    Entry,
    EntryType,
    Has,
    Kind,
    Library,
    Outcome,
    Replace,
    Settings,
    Severity,
    Status,
    StatusPage,
)
from tests.native_agents.host import OfVersion10

READ_BYTES = 256 << 10


@dataclass
class Host(OfVersion10):
    said: list[str] = field(default_factory=list)

    def message(self, _severity: Severity, text: str) -> None:
        self.said.append(text)

    def match(self, path: bytes, entry: Entry) -> int:
        raise AssertionError("it has no directories")

    def put_state(self, state: bytes, state_format: int) -> bool:
        raise AssertionError("it has no state")

    def secret(self, name: str) -> bytes | None:
        raise AssertionError("it has no secrets")


@dataclass
class Pipe:
    """The agent with its options. allow: `**` unless given."""

    library: Library
    allow: Sequence[str] = ("**",)
    options: tuple[tuple[str, str], ...] = ()
    host: Host = field(default_factory=Host)
    status_page: StatusPage = field(default_factory=StatusPage)

    @contextmanager
    def job(self, line: str, kind: Kind = Kind.BACKUP, where: bytes = b"") -> Iterator[AgentJob]:
        settings = Settings((*(("allow", pattern) for pattern in self.allow), *self.options))
        escaped = line.encode().replace(b"\\", b"\\\\").replace(b"\n", b"\\n")
        fileset = b"I\nO Mf\nN\nN\nP " + escaped + b"\nN\n"
        why = Begin(kind, fileset=fileset, where=where)
        with Agent(self.library, self.host, self.status_page, settings) as agent, agent.begin(why) as job:
            yield job

    def listed(self, line: str, kind: Kind = Kind.BACKUP) -> list[tuple[Entry, bytes]]:
        with self.job(line, kind) as job:
            found = list(job.next_page() or ())
            assert job.next_page() is None
            job.end(Outcome.DONE)
        return found

    def saved(self, line: str, opened: Callable[[AgentJob], None] = lambda _job: None) -> bytes:
        """What a backup stores. Raises AgentError when it is nothing whole. opened: told when the command runs."""
        buffer = ctypes.create_string_buffer(READ_BYTES)
        whole = bytearray()
        with self.job(line) as job:
            ((entry, _),) = job.next_page() or ()
            assert job.open_stream(entry.cookie, AgentStream.DATA) is None
            opened(job)
            while True:
                chunk = job.read(ctypes.addressof(buffer), READ_BYTES)
                assert chunk.offset == len(whole)
                whole += buffer.raw[: chunk.len]
                if chunk.last:
                    break
            job.close_stream()
            assert job.next_page() is None
            job.end(Outcome.DONE)
        return bytes(whole)

    def restored(  # noqa: PLR0917  of what a restore gives
        self,
        line: str,
        pieces: Sequence[tuple[int, bytes]],
        where: bytes = b"",
        how: Status = Status.OK,
        replace: Replace = Replace.ALWAYS,
        options: bytes = b"",
    ) -> Action:
        """Gives the pieces, (offset, bytes), back to the writer. options: the restore object ahead of them."""
        with self.job(line, Kind.RESTORE, where) as job:
            name = line.split(":")[1].encode()
            if options:
                given = Entry(type=EntryType.OBJECT, valid=int(Has.SIZE), size=len(options))
                assert job.restore_entry(given, b"RestoreOptions", where + b"/RestoreOptions", replace) == Action.WANT
                job.restore_stream(AgentStream.OBJECT, len(options))
                job.write(options, 0, last=True)
                job.restore_done(Status.OK)
            action = job.restore_entry(Entry(type=EntryType.REGULAR), name, where + name, replace)
            if action == Action.WANT:
                job.restore_stream(AgentStream.DATA, None)
                for offset, piece in pieces:
                    job.write(piece, offset, last=False)
                job.restore_done(how)
            job.commit()
            job.end(Outcome.DONE)
        return action


def eventually(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def wait_until_gone(pid: int) -> None:
    """A process that was killed goes a moment later; one whose new parent is slow to reap it has no command line any more."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if not Path(f"/proc/{pid}/cmdline").read_bytes():
                return
        except (FileNotFoundError, ProcessLookupError):
            return
        time.sleep(0.01)  # it is nobody's child here, so nobody is told
    raise AssertionError(f"process {pid} still runs")
