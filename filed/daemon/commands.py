"""The commands of the conf that take messages: they run beside the Job, one at a time for each destination, each for so long at the most.

Nothing waits for them but `finish`, once the Job has ended and everybody knows it. A destination whose command fails or hangs gets no
further one in this process: it may have taken all its time, and a Job may have any number of messages.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from filed.errors import printable
from filed.process.system import end_group, memory_file, read_at

TIMEOUT_S = 60.0
MOST_WAITING = 1000  # messages for one destination
SHOWN_BYTES = 200  # of what a command that failed had to say

Lost = Callable[[str, str], None]
"""(name of the destination, why): told when its messages do not arrive."""


@dataclass(frozen=True, slots=True)
class _Running:
    process: subprocess.Popen[bytes]
    said: int  # descriptor of what it prints as an error
    until: float


class _Destination:
    """What waits for it, the oldest first, and what runs."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[Sequence[str], bytes]] = deque()
        self.running: _Running | None = None
        self.failed = self.told = False


class Commands:
    """Of one client. patience_s: of each command."""

    def __init__(self, lost: Lost, patience_s: float = TIMEOUT_S) -> None:
        self._lost, self._patience_s = lost, patience_s
        self._destinations: dict[str, _Destination] = {}

    def run(self, name: str, words: Sequence[str], text: bytes) -> None:
        """Run it now, or when the destination's others have ended. name: of the destination.  text: for its input."""
        to = self._destinations.setdefault(name, _Destination())
        if len(to.waiting) >= MOST_WAITING:
            self._tell(name, f"{MOST_WAITING:,} messages wait for their turn already")
        elif not to.failed:
            to.waiting.append((words, text))
        self.look()

    def look(self) -> None:
        """See who has ended, end who takes too long, and begin the next. Waits for nobody."""
        for name, to in self._destinations.items():
            if to.running is not None:
                self._look_at(name, to, to.running)
            while to.waiting and to.running is None:
                try:
                    to.running = self._begin(*to.waiting.popleft())
                except (OSError, ValueError, IndexError) as error:
                    self._fail(name, str(error))

    def finish(self) -> None:
        """Wait until all have ended; the next of a destination begins when its last did well."""
        while running := [to.running for to in self._destinations.values() if to.running is not None]:
            oldest = min(running, key=lambda each: each.until)
            with contextlib.suppress(subprocess.TimeoutExpired):
                oldest.process.wait(max(oldest.until - time.monotonic(), 0))
            self.look()

    def _begin(self, words: Sequence[str], text: bytes) -> _Running:
        """Input and errors are files in memory: nobody has to feed or to empty a pipe. Raises as Popen does."""
        said = memory_file("said")
        try:
            with os.fdopen(memory_file("text"), "w+b") as file:
                file.write(text)
                file.seek(0)
                process = subprocess.Popen(
                    words, stdin=file, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True
                )
        except BaseException:
            os.close(said)
            raise
        return _Running(process, said, time.monotonic() + self._patience_s)

    def _look_at(self, name: str, to: _Destination, running: _Running) -> None:
        code = running.process.poll()
        if code is None and time.monotonic() < running.until:
            return
        if code is None:
            end_group(running.process.pid, signal.SIGKILL)
            running.process.wait()
            self._fail(name, f"it had not ended after {self._patience_s:g} s")
        elif code:
            said = printable(read_at(running.said, SHOWN_BYTES, 0).strip())
            self._fail(name, f"code {code} {said}")
        os.close(running.said)
        to.running = None

    def _fail(self, name: str, why: str) -> None:
        self._destinations[name].failed = True
        self._destinations[name].waiting.clear()
        self._tell(name, why)

    def _tell(self, name: str, why: str) -> None:
        to = self._destinations[name]
        if not to.told:
            to.told = True
            self._lost(name, why)
