"""The file in which a Director's accurate list waits for the Job."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from filed.errors import JobError
from filed.wire.stream import Buffer

PREFIX = ".filed-accurate-"  # and the number of the process that has it
BUFFER_BYTES = 1 << 20


class AccurateFile:
    """Open for writing within `with`; `remove` when the Job is over. Only we can read it: it names every file there is."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._file = os.fdopen(descriptor, "wb", BUFFER_BYTES)

    @classmethod
    def create(cls, work: Path) -> Self:
        """Raises JobError when there is no room for it."""
        with _kept_in(work):
            descriptor, name = tempfile.mkstemp(prefix=f"{PREFIX}{os.getpid()}-", dir=work)
        return cls(Path(name), descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        """Raises JobError: what was appended last goes to the disk only now."""
        with _kept_in(self.path.parent):
            self._file.close()

    def append(self, packets: Buffer) -> None:
        """Whole packets, each behind its length as on the wire."""
        with _kept_in(self.path.parent):
            self._file.write(packets)

    def remove(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()


@contextlib.contextmanager
def _kept_in(work: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise JobError(f"the accurate list cannot be kept in {work}: {error.strerror}") from error


def remove_lists(work: Path, dead: Callable[[int], bool]) -> None:
    """Those that a process left which was killed. dead: has the process of that number ended?"""
    for path in work.glob(PREFIX + "*"):
        number = path.name.removeprefix(PREFIX).partition("-")[0]
        if number.isdigit() and dead(int(number)):
            with contextlib.suppress(OSError):
                path.unlink()
