"""How a Job ended, in the letters and words the field uses."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from enum import StrEnum


class JobStatus(StrEnum):
    """The letters of a Job's state, as the catalog and the end-of-session label have them."""

    RUNNING = "R"
    OK = "T"
    WARNINGS = "W"
    ERROR = "E"
    FATAL = "f"
    CANCELED = "A"
    DIFFERENCES = "D"
    INCOMPLETE = "I"  # stopped by a Director, and may be resumed

    @property
    def good(self) -> bool:
        return self in (JobStatus.OK, JobStatus.WARNINGS)

    @property
    def words(self) -> str:
        return _WORDS[self]


_WORDS = {
    JobStatus.RUNNING: "running",
    JobStatus.OK: "OK",
    JobStatus.WARNINGS: "OK, with warnings",
    JobStatus.ERROR: "Error",
    JobStatus.FATAL: "Fatal error",
    JobStatus.CANCELED: "Canceled",
    JobStatus.DIFFERENCES: "Differences",
    JobStatus.INCOMPLETE: "Incomplete",
}


class Severity(StrEnum):
    """How much a message of a Job weighs."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    FATAL = "fatal"


@dataclass(slots=True)
class Totals:
    """What a Job counts while it runs. All sizes in bytes."""

    files: int = 0  # attribute records sent, or files restored, or files verified
    read_bytes: int = 0  # plain bytes read from the agents
    job_bytes: int = 0  # file data after compression and encryption
    stored_bytes: int = 0  # growth of the Volumes
    deleted: int = 0
    skipped: int = 0
    errors: int = 0  # counted errors: one entry or one stream each
    warnings: int = 0
    comm_bytes: int = 0  # said to Storage Daemons
    compressed_comm_bytes: int = 0  # the same as it went over the line

    @property
    def when_saved(self) -> JobStatus:
        """How a backup ends whose data is safe."""
        return JobStatus.WARNINGS if self.errors or self.warnings else JobStatus.OK


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a Job. `text` is the reason when it is not good."""

    status: JobStatus
    totals: Totals
    jobid: int = 0
    level: str = ""
    volumes: tuple[str, ...] = ()
    text: str = ""

    def event(self) -> dict[str, object]:
        totals = asdict(self.totals)
        return {
            "event": "outcome",
            "status": self.status.value,
            "jobid": self.jobid,
            "level": self.level,
            "volumes": list(self.volumes),
            "text": self.text,
            "totals": totals,
        }

    @classmethod
    def from_event(cls, event: dict[str, object]) -> Outcome:
        """The inverse of `event`. Raises ValueError, TypeError or KeyError for anything else."""
        found = event["totals"]
        if not isinstance(found, dict):
            raise TypeError("totals are a mapping")
        totals = Totals(**{f.name: int(found[f.name]) for f in fields(Totals)})
        volumes = event["volumes"]
        if not isinstance(volumes, list):
            raise TypeError("volumes are a list")
        return cls(
            status=JobStatus(str(event["status"])),
            totals=totals,
            jobid=int(str(event["jobid"])),
            level=str(event["level"]),
            volumes=tuple(map(str, volumes)),
            text=str(event["text"]),
        )
