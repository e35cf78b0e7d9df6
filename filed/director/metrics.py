"""What a console's `statistics` shows: numbers with names, as lines or as JSON.

Those of bacula-fd are about its own buffers; these are what there is here, under names of the same kind.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from filed.director.status import DaemonStatus


class Metric(NamedTuple):
    name: str
    value: int
    unit: str
    description: str


def metrics_text(status: DaemonStatus, *, json_form: bool) -> Iterator[str]:
    found = _metrics(status)
    if not json_form:
        yield from (f"{each.name}={each.value}\n" for each in found)
        return
    rows = [
        {
            "name": each.name,
            "value": each.value,
            "type": "Integer",
            "unit": each.unit,
            "description": each.description,
        }
        for each in found
    ]
    yield json.dumps(rows, indent=2) + "\n"


def _metrics(status: DaemonStatus) -> tuple[Metric, ...]:
    head = f"bacula.client.{status.name}"
    jobs = [job for job in status.running if job.job_id]
    return (
        Metric(f"{head}.jobs.ended", len(status.ended), "Number", "The number of ended Jobs that are remembered."),
        Metric(f"{head}.jobs.run", status.jobs_run, "Number", "The number of Jobs since the daemon began."),
        Metric(f"{head}.jobs.running", len(jobs), "Number", "The number of Jobs that run now."),
        Metric(f"{head}.memory.heap", status.memory_bytes, "Bytes", "The memory that the daemon holds."),
    )
