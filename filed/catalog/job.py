"""What the catalog knows of a Job, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Final, NewType

JobId = NewType("JobId", int)

GOOD: Final = frozenset({"T", "W"})
"""Statuses of a Job that others may build on."""

MAX_NAME_BYTES: Final = 127 - len(".2026-11-23_10.25.18_03") - 1
"""What a session label has room for; the last one for a counter of three digits."""


class Level(StrEnum):
    """Letters of session labels and catalog."""

    FULL = "F"
    DIFFERENTIAL = "D"
    INCREMENTAL = "I"


class Status(StrEnum):
    """Letters of session labels and catalog; RUNNING is only ever in the catalog."""

    RUNNING = "R"
    OK = "T"
    WARNINGS = "W"
    ERROR = "E"
    FATAL = "f"
    CANCELED = "A"


@dataclass(frozen=True, slots=True)
class NewJob:
    """What is known when a Job begins. since: epoch seconds, 0 for a Full. base: the Job it builds on."""

    name: str
    client: str
    level: str
    fileset_digest: str
    fileset_name: str = ""
    fileset_text: str = ""
    since: int = 0
    base: JobId | None = None
    type: str = "B"
    encrypted: bool = False


@dataclass(frozen=True, slots=True)
class JobTotals:
    """What is known when it ends. files: entries saved, without the deleted ones. bytes: as written, read_bytes: as read."""

    files: int = 0
    bytes: int = 0
    read_bytes: int = 0
    errors: int = 0
    deleted: int = 0


@dataclass(frozen=True, slots=True)
class JobMedia:
    """A stretch of a Volume that holds records of a Job, none but of these FileIndexes; they are 0 when it holds labels only.

    start: offset of the first block; end: of the last byte.
    """

    volume: str
    first_index: int
    last_index: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Job:
    """A row of `job`. Times are epoch seconds, 0 when not yet known; level, type and status are single letters."""

    job_id: JobId
    job: str
    name: str
    client: str
    type: str
    level: str
    status: str
    start_time: int
    end_time: int
    since: int
    base_job_id: JobId | None
    fileset_name: str
    fileset_digest: str
    fileset_text: str
    vol_session_id: int
    vol_session_time: int
    files: int
    bytes: int
    read_bytes: int
    errors: int
    deleted: int
    failure: str
    encrypted: int = 0  # 1: what it saved is

    @property
    def good(self) -> bool:
        return self.status in GOOD

    @property
    def running(self) -> bool:
        return self.status == Status.RUNNING


@dataclass(frozen=True, slots=True)
class Volume:
    """A Volume the catalog knows. bytes: up to the last byte any Job in the catalog wrote; jobs: how many did."""

    name: str
    created: int
    jobs: int
    bytes: int


def unique_name(name: str, now: float, number: int, zone: tzinfo | None = None) -> str:
    """`Name.2026-11-23_10.25.18_03`, in local time unless a zone is given."""
    when = datetime.fromtimestamp(now, UTC).astimezone(zone)
    return f"{name}.{when:%Y-%m-%d_%H.%M.%S}_{number:02d}"
