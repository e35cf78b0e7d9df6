"""What a verify wants of its far end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from filed.fileset import FileSet, Options
from filed.pipeline import Decoder
from filed.process.outcome import JobStatus
from filed.storage import FileId, ReadSession
from filed.wire.stream import Buffer


class DiskCheck(Protocol):
    """Takes what a walk of the disk finds. on_digest: to be called with each digest record."""

    on_digest: Callable[[int, int, bytes], None]

    def entry(self, file_index: int, options: Options) -> None:
        """The next attributes record will have this FileIndex."""

    def write(self, file_index: int, stream: int, data: Buffer) -> None:
        """One record."""

    def close(self, failures: list[bytes]) -> None:
        """The walk has ended. failures: paths that could not be looked at, with all below them."""


class RecordsCheck(Protocol):
    """Checks the records of Volumes."""

    def checked(self, session: ReadSession) -> Iterator[None]:
        """All of them, some at each step."""

    def close(self) -> None:
        """All records have come."""


@dataclass(frozen=True, slots=True)
class Disk:
    """What is walked. job: the unique name that agents are told.  scratch: for tables; None: where temporary files lie.

    own_files: device and inode of the files that a backup there does not save.
    """

    fileset: FileSet
    job: str
    check: DiskCheck
    scratch: Path | None
    own_files: Callable[[], frozenset[FileId]] = frozenset


class VerifyEnd(Protocol):
    """What is verified. errors_are: how a verify ends that could not look at everything."""

    job_id: int
    errors_are: JobStatus

    @property
    def found(self) -> int:
        """How much differs."""

    def disk(self, stack: ExitStack) -> Disk | None:
        """None: its Volumes are verified."""

    def volumes(
        self, new_decoder: Callable[[], Decoder], stack: ExitStack
    ) -> Iterator[tuple[ReadSession, RecordsCheck]]:
        """Each read session of the Volumes, and what checks its records."""
