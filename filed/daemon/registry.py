"""Who is here: the visits of Directors, their Jobs, and the Jobs that have ended. Kept by the daemon alone.

The last Jobs are kept in a file, so that a status shows them after a restart.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import tempfile
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from filed.agents.pulse import Pulse
from filed.director.house import Ending
from filed.director.status import EndedJob, RunningJob
from filed.errors import printable

KEPT = 10  # Jobs that have ended
STATE_FILE = "filed-{name}.state"


class Visit:
    """One visit's process, seen from the daemon."""

    def __init__(self, pid: int, channel: socket.socket, bell: int, pulse: Pulse, caller: str) -> None:
        self.pid, self.channel, self.bell, self.pulse, self.caller = pid, channel, bell, pulse, caller
        self.job: RunningJob | None = None  # known once the Director has said it
        self.trusted = False  # has it proved who it is?
        self.begun = False  # has its Job left the queue?
        self.program = 0  # the process group of a program that its Job runs now
        self.dismissed = False  # killed, and not gone yet

    def ring(self, ending: Ending) -> None:
        """Ask it to end. More than once does no harm."""
        with contextlib.suppress(OSError):
            os.write(self.bell, ending.value.encode())

    def running(self) -> RunningJob | None:
        """What it is about, with the counters of now."""
        if self.job is None:
            return None
        counters = self.pulse.counters
        return replace(
            self.job,
            files=counters.files,
            seen=counters.files_seen,
            job_bytes=counters.bytes_written,
            read_bytes=counters.bytes_read,
            errors=counters.errors,
            bandwidth=self.pulse.bandwidth,
            entry=printable(self.pulse.entry),
        )

    def close(self) -> None:
        self.channel.close()
        os.close(self.bell)


def may_begin(visits: Iterable[Visit], visit: Visit, most: int) -> bool:
    """Whether a visit's Job is one of the first `most`. visits: the oldest first; Jobs begin in that order."""
    jobs = [each for each in visits if each.job is not None and each.job.job_id]
    begun = sum(each.begun for each in jobs)
    waiting = [each for each in jobs if not each.begun]
    return visit.begun or visit in waiting[: max(most - begun, 0)]


def tiresome(visits: Iterable[Visit], most: int) -> Visit | None:
    """Who has to go before another stranger may come: the oldest of the caller that has the most. None when there is room.

    So that whoever calls often and says nothing stands in his own way, and in no Director's.
    """
    strangers = [each for each in visits if not each.trusted and not each.dismissed]
    if len(strangers) < most:
        return None
    callers = Counter(each.caller for each in strangers)
    return max(strangers, key=lambda each: callers[each.caller])


class EndedJobs:
    """The last Jobs, the oldest first. path: where they are kept."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._jobs: deque[EndedJob] = deque(_load(path), maxlen=KEPT)

    def add(self, job: EndedJob) -> None:
        """Kept on the disk as far as that goes: a status is not worth a Job."""
        self._jobs.append(job)
        with contextlib.suppress(OSError):
            _store(self._path, [asdict(each) for each in self._jobs])

    def __iter__(self) -> Iterator[EndedJob]:
        return iter(self._jobs)


def state_path(work: Path, name: str) -> Path:
    return work / STATE_FILE.format(name=name.replace("/", "_"))


def _load(path: Path) -> list[EndedJob]:
    """Nothing when there is no such file, or it holds something else."""
    try:
        return [EndedJob(**job) for job in json.loads(path.read_bytes())]
    except (OSError, ValueError, TypeError):
        return []


def _store(path: Path, jobs: list[dict[str, Any]]) -> None:
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".filed-state-", delete=False) as file:
        written = Path(file.name)
        try:
            json.dump(jobs, file)
            file.flush()
            written.replace(path)
        except OSError:
            written.unlink()
            raise
