"""What `.status` answers, for programs: `key=value` lines. The version spoken says in which form.

Until 9 a `header` begins with its own name, and what runs and has ended follows as it is. From 11 on each answer is framed:

    \\n header: \\n\\n key=value lines \\n error=0 \\n errmsg= \\n\\n
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from filed.config.keys import NO_TLS, Tls
from filed.director.status import (
    DaemonStatus,
    EndedJob,
    RunningJob,
    day,
    level_word,
    short_size,
    status_word,
)
from filed.wire.version import Version

HEADER, RUNNING, TERMINATED, STATISTICS, RESOURCES = "header", "running", "terminated", "statistics", "resources"
WORDS: Final = (HEADER, RUNNING, TERMINATED, STATISTICS, RESOURCES)
PAIRS_FROM: Final = 2
"""The `api` from which on ended Jobs are `key=value` lines as well, and not a table."""
CLOCK: Final = "%Y-%m-%d %H:%M:%S"
_END: Final = "\nerror=0\nerrmsg=\n\n"
Pair = tuple[str, object]


@dataclass(frozen=True, slots=True)
class Resource:
    """The FileDaemon resource of the conf, as far as programs are shown it."""

    working_directory: str = ""
    pid_directory: str = ""
    plugin_directory: str = ""
    heartbeat_interval_s: int = 0
    maximum_concurrent_jobs: int = 0
    port: int | str = 0
    address: str = ""
    sd_connect_timeout_s: int = 0
    maximum_bandwidth_per_job: int = 0
    comm_compression: bool = True
    disabled_commands: tuple[str, ...] = ()
    tls: Tls = NO_TLS
    pki_encryption: bool = False
    pki_signatures: bool = False
    pki_cipher: str = ""
    pki_digest: str = ""


NO_RESOURCE: Final = Resource()


def dot_status_text(
    status: DaemonStatus, version: Version, what: str, now: float, *, api: int = 0, resource: Resource = NO_RESOURCE
) -> Iterator[str]:
    """what: one of WORDS."""
    if not version.framed_status:
        yield from _plain(status, version, what, now)
    elif what == HEADER:
        yield "\nheader:\n\n" + _pairs(*_header(status, version, resource)) + _END
    elif what == RUNNING:
        yield from _framed("running", [_running(job, now) for job in _with_visits_last(status.running)])
    elif what == TERMINATED and api < PAIRS_FROM:
        yield from map(_row, status.ended)
    elif what == TERMINATED:
        yield from _framed("terminated", [_ended(job) for job in status.ended])
    elif what == RESOURCES:
        yield "\nresource:\n\n" + _pairs(*_resource(status, resource)) + _END
    elif api < PAIRS_FROM:
        yield f"Update Statistics: stopped interval=0 secs lastupdate={day(0)}\n\n"
    else:
        never = _pairs(("status", "stopped"), ("interval", 0), ("lasttimestamp_epoch", 0), ("lasttimestamp", _clock(0)))
        yield f"\ncollector:\n\ncollector_backends: [\n]\n\ncollector_update:\n\n{never}\n{_END}"


def _plain(status: DaemonStatus, version: Version, what: str, now: float) -> Iterator[str]:
    """As until 9: nothing of statistics and resources."""
    if what == HEADER:
        yield "header:\n" + _pairs(*_header_facts(status, version, status.agents), *_program(status)) + "\n"
    elif what == RUNNING:
        for job in status.running:
            if job.job_id:
                yield "\n" + _pairs(*_running(job, now)) + "\n"
    elif what == TERMINATED:
        yield from map(_row, status.ended)


def _framed(name: str, groups: Iterable[Iterable[Pair]]) -> Iterator[str]:
    yield f"\n{name}:\n"
    lead = "\n"
    for group in groups:
        yield lead + _pairs(*group)
        lead = "\n\n"
    yield _END


def _header(status: DaemonStatus, version: Version, resource: Resource) -> Iterator[Pair]:
    names = [name.partition(" ")[0] for name in status.agents]
    for pair in _header_facts(status, version, names):
        yield pair
        if pair[0] == "trace":
            yield "tags", ""
    yield "pkiencryption", int(resource.pki_encryption)
    yield "pkisignature", int(resource.pki_signatures)
    yield "pkicipher", resource.pki_cipher
    yield "pkidigest", resource.pki_digest
    yield "fips", 0
    yield "crypto", status.crypto
    yield "gpfs", "false"
    yield "program", status.program


def _header_facts(status: DaemonStatus, version: Version, plugins: Iterable[str]) -> tuple[Pair, ...]:
    return (
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
        ("plugins", ",".join(plugins)),
    )


def _program(status: DaemonStatus) -> tuple[Pair, ...]:
    return ("program", status.program), ("crypto", status.crypto)


def _with_visits_last(running: Iterable[RunningJob]) -> list[RunningJob]:
    """Jobs, and then Directors that are here without one."""
    return sorted(running, key=lambda job: not job.job_id)


def _running(job: RunningJob, now: float) -> tuple[Pair, ...]:
    tls = int(bool(job.cipher))
    if not job.job_id:
        at = ("DirectorConnected_epoch", int(job.started)), ("DirectorConnected", _clock(job.started))
        return *at, ("DirTLS", tls)
    seconds = max(now - job.started, 1)
    return (
        ("JobId", job.job_id),
        ("Job", job.job),
        ("VSS", 0),
        ("Level", job.level),
        ("Type", job.type or "I"),
        ("Status", "R" if job.type else "C"),
        ("StartTime_epoch", int(job.started)),
        ("StartTime", _clock(job.started)),
        ("JobFiles", job.files),
        ("JobBytes", job.job_bytes),
        ("Bytes/sec", int(job.job_bytes / seconds)),
        ("Errors", job.errors),
        ("Bwlimit", job.bandwidth),
        ("ReadBytes", job.read_bytes),
        ("ReadBytes/sec", int(job.read_bytes / seconds)),
        ("Files Examined", max(job.seen, job.files)),
        ("Processing file", job.entry),
        ("DirTLS", tls),
    )


def _ended(job: EndedJob) -> tuple[Pair, ...]:
    return (
        ("jobid", job.job_id),
        ("level", job.level or " "),
        ("type", job.type),
        ("status", job.status),
        ("status_desc", status_word(job)),
        ("jobbytes", job.job_bytes),
        ("jobfiles", job.files),
        ("job", job.job),
        ("name", job.name),
        ("starttime_epoch", int(job.started)),
        ("starttime", _clock(job.started)),
        ("endtime_epoch", int(job.ended)),
        ("endtime", _clock(job.ended)),
        ("errors", job.errors),
    )


def _resource(status: DaemonStatus, resource: Resource) -> tuple[Pair, ...]:
    tls = resource.tls
    return (
        ("Name", status.name),
        ("WorkingDirectory", resource.working_directory),
        ("PidDirectory", resource.pid_directory),
        ("SubsysDirectory", ""),
        ("ScriptsDirectory", ""),
        ("PluginDirectory", resource.plugin_directory),
        ("HeartbeatInterval", resource.heartbeat_interval_s),
        ("MaximumConcurrentJobs", resource.maximum_concurrent_jobs),
        ("FDPort", resource.port),
        ("FDAddress", resource.address),
        ("SDConnectTimeout", resource.sd_connect_timeout_s),
        ("MaximumNetworkBufferSize", 0),
        ("MaximumBandwidthPerJob", resource.maximum_bandwidth_per_job),
        ("CommCommpression", _yes(resource.comm_compression)),  # so spelled, and looked for
        ("DisableCommand", ",".join(resource.disabled_commands)),
        ("TLSEnable", _yes(tls.enable)),
        ("TLSPSKEnable", _yes(tls.psk)),
        ("TLSRequire", _yes(tls.require)),
        ("TLSAuthenticate", "false"),
    )


def _row(job: EndedJob) -> str:
    return (
        f"{job.job_id:>6}\t{level_word(job):<6}\t{job.files:>8,}\t{short_size(job.job_bytes):>10}"
        f"\t{status_word(job):<7}\t{day(job.ended)}\t{job.name}\n"
    )


def job_lines(jobs: Iterable[tuple[int, str, int]]) -> Iterator[str]:
    """`.status current` and `.status last`: JobId, status letter and errors of each."""
    for job_id, status, errors in jobs:
        yield f"JobId={job_id} JobStatus={status} JobErrors={errors}\n"


def _pairs(*pairs: Pair) -> str:
    return "".join(f"{key}={value}\n" for key, value in pairs)


def _yes(value: object) -> str:
    return "true" if value else "false"


def _clock(seconds: float) -> str:
    return time.strftime(CLOCK, time.localtime(seconds))
