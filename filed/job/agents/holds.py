"""What agents hold that outlives a process: a token of each, on the disk before the agent holds it, until it has let go.

One small file for each in a directory beside the Job's tables. A file whose process is gone is a thing left held: `left`.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final
from zlib import crc32

from filed.catalog import ProcessMark
from filed.errors import JobError, printable
from filed.process.system import lock_file, open_file, sync_directory

DIRECTORY: Final = "filed-held"


class Hold:
    """Of one instance. agent: id; line: the Plugin line, "" for File lines; number: of instances of that line."""

    def __init__(self, scratch: Path, agent: str, line: str, number: int) -> None:
        self._directory = scratch / DIRECTORY
        self._about = {"agent": agent, "line": line}
        self._mark = ProcessMark.of(os.getpid())
        self._path = (
            self._directory / f"{self._mark.pid}-{self._mark.start}-{agent}-{crc32(line.encode()):08x}-{number}"
        )
        self.token = b""

    def keep(self, token: bytes) -> None:
        """On the disk when it returns; b"" takes it away. Raises JobError when it cannot be written."""
        try:
            self._write(token) if token else self._forget()
        except OSError as error:
            raise JobError(f"cannot write {printable(bytes(self._path))}: {error.strerror}") from error
        self.token = token

    def _write(self, token: bytes) -> None:
        self._directory.mkdir(mode=0o700, exist_ok=True)
        text = json.dumps(self._about | {"token": base64.b64encode(token).decode(), "process": asdict(self._mark)})
        scratch = self._path.with_name(self._path.name + ".new")
        descriptor = open_file(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            os.write(descriptor, text.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        scratch.replace(self._path)
        sync_directory(self._directory)

    def _forget(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()


@dataclass(frozen=True, slots=True)
class Held:
    """What a process that is gone has left held."""

    agent: str
    line: str
    token: bytes
    path: Path

    @contextmanager
    def claimed(self) -> Iterator[bool]:
        """Whether it is ours to let go: no other process is at it, or has been."""
        try:
            descriptor = open_file(self.path)
        except FileNotFoundError:
            yield False
            return
        try:
            lock_file(descriptor, wait=False)
            yield self.path.exists()
        except BlockingIOError:
            yield False
        finally:
            os.close(descriptor)

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)


def left(scratch: Path) -> list[Held]:
    """Of processes that are gone for certain. A file that says nothing that can be read is passed over."""
    try:
        paths = sorted((scratch / DIRECTORY).iterdir())
    except OSError:
        return []
    found = []
    for path in paths:
        try:
            known = json.loads(path.read_text())
            held = Held(str(known["agent"]), str(known["line"]), base64.b64decode(known["token"]), path)
            gone = not ProcessMark(**known["process"]).alive()
        except (OSError, ValueError, TypeError, KeyError):
            continue
        if gone:
            found.append(held)
    return found
