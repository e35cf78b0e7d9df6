"""What `status client` and `.status` show, in the layout that consoles and graphical programs know.

The values come from whoever keeps the Jobs; nothing here looks anything up but the time zone.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Iterator
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
DAY, CLOCK = "%d-%b-%y %H:%M", "%Y-%m-%d %H:%M:%S"


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


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    """All that is asked about. jobs_run: since the start.  ended: the oldest first.  program: who stands in bacula-fd's place."""

    name: str
    started: float
    pid: int
    platform: str
    jobs_run: int = 0
    debug: int = 0
    trace: int = 0
    bandwidth: int = 0
    agents: tuple[str, ...] = ()
    running: tuple[RunningJob, ...] = ()
    ended: tuple[EndedJob, ...] = ()
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
    yield f"Daemon started {_day(status.started)}. Jobs: run={status.jobs_run} running={len(jobs)}.\n"
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
            yield f"Director connected {'using TLS ' if visit.cipher else ''}at: {_day(visit.started)}\n"
    yield "====\n"
    yield "\nTerminated Jobs:\n"
    yield " JobId  Level    Files      Bytes   Status   Finished        Name \n"
    yield LINE + "\n"
    for ended in status.ended:
        yield (
            f"{ended.job_id:>6}  {_level(ended):<7} {ended.files:>8,} {short_size(ended.job_bytes):>10}"
            f"  {_status_word(ended):<7}  {_day(ended.ended)} {ended.name}\n"
        )
    yield "====\n"


def _running(job: RunningJob, now: float) -> Iterator[str]:
    rate = int(job.job_bytes / max(now - job.started, 1))
    kind = " ".join(filter(None, (LEVEL_WORDS.get(job.level, ""), TYPE_WORDS.get(job.type, "")))) or "Waiting"
    yield f"JobId {job.job_id} Job {job.job} is running.\n"
    yield f"    {kind} Job started: {_day(job.started)}\n"
    yield (
        f"    Files={job.files:,} Bytes={job.job_bytes:,} AveBytes/sec={rate:,} LastBytes/sec={rate:,} Errors={job.errors}\n"
        f"    Bwlimit={job.bandwidth:,} ReadBytes={job.read_bytes:,}\n"
    )
    yield f"    Files: Examined={max(job.seen, job.files):,} {'Restored' if job.type == 'R' else 'Backed up'}={job.files:,}\n"
    if job.entry:
        yield f"    Processing file: {job.entry}\n"


HEADER, RUNNING, TERMINATED = "header", "running", "terminated"


def dot_status_text(status: DaemonStatus, version: Version, what: str, now: float) -> Iterator[str]:
    """`header`, `running` or `terminated`, as `key=value` lines. Nothing for `statistics` and `resources`."""
    if what == HEADER:
        yield (
            "header:\n"
            + _pairs(
                ("name", status.name),
                ("version", f"{version.text} ({version.long_date})"),
                ("uname", status.platform.replace(",", " ")),
                ("started_epoch", int(status.started)),
                ("started", _clock(status.started)),
                ("pid", status.pid),
                ("jobs_run", status.jobs_run),
                ("jobs_running", sum(1 for job in status.running if job.job_id)),
                ("winver", ""),
                ("debug", status.debug),
                ("trace", status.trace),
                ("bwlimit", status.bandwidth),
                ("plugins", ",".join(status.agents)),
                ("program", status.program),
                ("crypto", status.crypto),
            )
            + "\n"
        )
    elif what == RUNNING:
        for job in status.running:
            if job.job_id:
                yield "\n" + _running_pairs(job, now) + "\n"
    elif what == TERMINATED:
        for ended in status.ended:
            yield (
                f"{ended.job_id:>6}\t{_level(ended):<6}\t{ended.files:>8,}\t{short_size(ended.job_bytes):>10}"
                f"\t{_status_word(ended):<7}\t{_day(ended.ended)}\t{ended.name}\n"
            )


def _running_pairs(job: RunningJob, now: float) -> str:
    return _pairs(
        ("JobId", job.job_id),
        ("Job", job.job),
        ("VSS", 0),
        ("Level", job.level),
        ("Type", job.type),
        ("Status", "R"),
        ("StartTime_epoch", int(job.started)),
        ("StartTime", _clock(job.started)),
        ("JobFiles", job.files),
        ("JobBytes", job.job_bytes),
        ("Bytes/sec", int(job.job_bytes / max(now - job.started, 1))),
        ("Errors", job.errors),
        ("Bwlimit", job.bandwidth),
        ("ReadBytes", job.read_bytes),
        ("Files Examined", max(job.seen, job.files)),
        ("Processing file", job.entry),
        ("DirTLS", int(bool(job.cipher))),
    )


def job_lines(jobs: Iterable[tuple[int, str, int]]) -> Iterator[str]:
    """`.status current` and `.status last`: JobId, status letter and errors of each."""
    for job_id, status, errors in jobs:
        yield f"JobId={job_id} JobStatus={status} JobErrors={errors}\n"


def _pairs(*pairs: tuple[str, object]) -> str:
    return "".join(f"{key}={value}\n" for key, value in pairs)


def _level(job: EndedJob) -> str:
    if job.type == "B":
        word = LEVEL_WORDS.get(job.level, "")
        return word if len(word) <= len("Full") else word[:4]
    return {"R": "Restore", "V": "Verify"}.get(job.type, "")


def _status_word(job: EndedJob) -> str:
    return STATUS_WORDS.get(job.status, "Other")


def _day(seconds: float) -> str:
    return time.strftime(DAY, time.localtime(seconds))


def _clock(seconds: float) -> str:
    return time.strftime(CLOCK, time.localtime(seconds))


def short_size(size: int) -> str:
    """1548600 as `1.548 M`, as job lists have it."""
    for power, letter in ((4, "T"), (3, "G"), (2, "M"), (1, "K")):
        if size >= 1000**power:
            thousandths = size * 1000 // 1000**power  # cut, not rounded: as consoles show it everywhere
            return f"{thousandths // 1000}.{thousandths % 1000:03} {letter}"
    return str(size)
