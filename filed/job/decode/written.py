"""Does what an agent was given to write stand where it belongs? The host looks, where `dest` has become a regular file of this machine.

Of any content a bounded number of samples is kept. Agents that restore into a service leave nothing to be seen, and nothing is said.
"""

from __future__ import annotations

import os
import stat
import time
from typing import Final

from filed.errors import printable
from filed.job.context import Messages
from filed.process.outcome import Severity
from filed.process.system import open_file, read_at
from filed.wire.stream import Buffer

SAMPLES: Final = 64  # of one file at most: every piece, then every second, every fourth...
SAMPLE_BYTES: Final = 64  # the first of a piece
TICK_NS: Final = 10_000_000  # of the kernel's clock for stamps of inodes, which may be so far behind


class Written:
    """What one entry's agent was given. dest: where it belongs. Made before the agent is called about it."""

    def __init__(self, dest: bytes) -> None:
        self._dest = dest
        self._since_ns = time.time_ns() - TICK_NS
        self._samples: list[tuple[int, bytes]] = []
        self._pieces, self._every = 0, 1
        self._length = 0

    def add(self, content: Buffer, offset: int) -> None:
        """A piece was written."""
        self._length = offset + len(content)
        if self._pieces % self._every == 0:
            if len(self._samples) == SAMPLES:
                del self._samples[1::2]
                self._every *= 2
            self._samples.append((offset, bytes(content[:SAMPLE_BYTES])))
        self._pieces += 1

    def look(self, agent: str, path: bytes, messages: Messages) -> None:
        """Warn where the agent says that the file is complete, and it is not."""
        if missing := self.missing():
            messages.about_entry(Severity.WARNING, f"agent {agent}: write: {printable(path)}: {missing}")

    def missing(self) -> str:
        """The agent says that the file is complete: what is not as it was written; "" for nothing that can be seen."""
        try:
            file = open_file(self._dest)
        except OSError:
            return ""
        try:
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode) or found.st_ctime_ns < self._since_ns:
                return ""  # not what the agent made, or not by that name
            if found.st_size != self._length:
                return f"{self._length:,} bytes were written, and the file has {found.st_size:,}"
            for offset, content in self._samples:
                if read_at(file, len(content), offset) != content:
                    return f"what was written at byte {offset:,} is not there"
        except OSError:
            return ""
        finally:
            os.close(file)
        return ""
