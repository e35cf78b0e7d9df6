"""What `status client` shows, in the layout that consoles know; `dot_status.py` has the same for programs.

The values come from whoever keeps the Jobs; nothing here looks anything up but the time zone.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from filed import __version__
from filed.wire.version import Version

T = TypeVar("T")

LEVEL_WORDS = {"F": "Full", "D": "Differential", "I": "Incremental", "B": "Base", "": ""}
TYPE_WORDS = {"B": "Backup", "R": "Restore", "V": "Verify", "I": "System"}
STATUS_WORDS = {
    "T": "OK",
    "W": "OK -- with warnings",
    "E": "Error",
    "f": "Error",
    "A": "Cancel",
    "D": "Diffs",
    "I": "Incomplete",
}
LINE = "=" * 67
DAY = "%d-%b-%y %H:%M"


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A Job, or a visit without one (job_id 0). level, type: one letter, "" when not known yet.  bandwidth: bytes a second.

    cipher: of the Director's connection, "" when it is not encrypted.
    """

    job_id: int
    job: str
    director: str
    started: float
    level: str = ""
    type: str = ""
    files: int = 0
    seen: int = 0
    job_bytes: int = 0
    read_bytes: int = 0
    errors: int = 0
    bandwidth: int = 0
    entry: str = ""
    cipher: str = ""


@dataclass(frozen=True, slots=True)
class EndedJob:
    job_id: int
    name: str
    level: str
    type: str
    files: int
    job_bytes: int
    errors: int
    status: str
    ended: float
    text: str = ""  # why it is not good
    job: str = ""  # the unique name
    started: float = 0.0


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    """All that is asked about. jobs_run: since the start.  jobs_at_once: as many may run.  ended: the oldest first.  program: who stands in bacula-fd's place."""

    name: str
    started: float
    pid: int
    platform: str
    jobs_run: int = 0
    jobs_at_once: int = 0
    debug: int = 0
    trace: int = 0
    bandwidth: int = 0
    agents: tuple[str, ...] = ()
    running: tuple[RunningJob, ...] = ()
    ended: tuple[EndedJob, ...] = ()
    memory_bytes: int = 0
    program: str = f"filed {__version__}"
    crypto: str = ssl.OPENSSL_VERSION

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> DaemonStatus:
        """The inverse of `as_dict`, also after a way as JSON."""
        lists = {
            "agents": tuple(told["agents"]),
            "running": tuple(RunningJob(**job) for job in told["running"]),
            "ended": tuple(EndedJob(**job) for job in told["ended"]),
        }
        return cls(**{field.name: told[field.name] for field in fields(cls)} | lists)


def status_text(status: DaemonStatus, version: Version, now: float) -> Iterator[str]:
    """The lines of `status client`, each with its end."""
    yield "\n"
    yield f"{status.name} Version: {version.text} ({version.long_date})  {status.platform.replace(',', ' ')}\n"
    yield f" {status.program} in the place of bacula-fd. Crypto: {status.crypto}\n"
    jobs = [job for job in status.running if job.job_id]
    most = f" max={status.jobs_at_once}" if version.framed_status else ""
    yield f"Daemon started {day(status.started)}. Jobs: run={status.jobs_run} running={len(jobs)}{most}.\n"
    yield f" Sizes: debug={status.debug} trace={status.trace} bwlimit={status.bandwidth // 1000}kB/s\n"
    if status.agents:
        yield f" Agents: {', '.join(status.agents)}\n"
    yield "\nRunning Jobs:\n"
    for job in jobs:
        yield from _running(job, now)
    if not jobs:
        yield "No Jobs running.\n"
    for visit in status.running:
        if not visit.job_id:
            yield f"Director connected {'using TLS ' if visit.cipher else ''}at: {day(visit.started)}\n"
    yield "====\n"
    yield "\nTerminated Jobs:\n"
    yield " JobId  Level    Files      Bytes   Status   Finished        Name \n"
    yield LINE + "\n"
    for ended in status.ended:
        yield (
            f"{ended.job_id:>6}  {level_word(ended):<7} {ended.files:>8,} {short_size(ended.job_bytes):>10}"
            f"  {status_word(ended):<7}  {day(ended.ended)} {ended.name}\n"
        )
    yield "====\n"


def _running(job: RunningJob, now: float) -> Iterator[str]:
    rate = int(job.job_bytes / max(now - job.started, 1))
    kind = " ".join(filter(None, (LEVEL_WORDS.get(job.level, ""), TYPE_WORDS.get(job.type, "")))) or "Waiting"
    yield f"JobId {job.job_id} Job {job.job} is running.\n"
    yield f"    {kind} Job started: {day(job.started)}\n"
    yield (
        f"    Files={job.files:,} Bytes={job.job_bytes:,} AveBytes/sec={rate:,} LastBytes/sec={rate:,} Errors={job.errors}\n"
        f"    Bwlimit={job.bandwidth:,} ReadBytes={job.read_bytes:,}\n"
    )
    yield f"    Files: Examined={max(job.seen, job.files):,} {'Restored' if job.type == 'R' else 'Backed up'}={job.files:,}\n"
    if job.entry:
        yield f"    Processing file: {job.entry}\n"


def level_word(job: EndedJob) -> str:
    if job.type == "B":
        word = LEVEL_WORDS.get(job.level, "")
        return word if len(word) <= len("Full") else word[:4]
    return {"R": "Restore", "V": "Verify"}.get(job.type, "")


def status_word(job: EndedJob) -> str:
    return STATUS_WORDS.get(job.status, "Other")


def day(seconds: float) -> str:
    return time.strftime(DAY, time.localtime(seconds))


def short_size(size: int) -> str:
    """1548600 as `1.548 M`, as job lists have it."""
    for power, letter in ((4, "T"), (3, "G"), (2, "M"), (1, "K")):
        if size >= 1000**power:
            thousandths = size * 1000 // 1000**power  # cut, not rounded: as consoles show it everywhere
            return f"{thousandths // 1000}.{thousandths % 1000:03} {letter}"
    return str(size)
