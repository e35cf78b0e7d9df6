"""Verify: are the Volumes whole, and is the disk still what they hold?

Volumes: each record of the Jobs is read, decoded, and checked against its digest, signature and size, and against the
catalog. The disk is in `verify_disk.py`.
"""

from __future__ import annotations

from filed.catalog import Catalog, Job
from filed.job.context import Workplace
from filed.job.decode.record_check import RecordCheck
from filed.job.description import VerifyJob
from filed.job.keys import keyring
from filed.job.verify_disk import compare_disk
from filed.pipeline import Decoder, Workers
from filed.process.outcome import JobStatus, Outcome
from filed.storage import VolumeDirectory
from filed.volume import Session


def verify(job: VerifyJob, place: Workplace) -> Outcome:
    """The Volumes of `job.jobids`, or with `disk` the tree of the last of them against the disk."""
    place.started(0, "")
    with Catalog.read(job.directory) as catalog:
        if job.disk:
            found = compare_disk(job, place, catalog)
            return place.ended(JobStatus.DIFFERENCES if found else _status(place))
        directory = VolumeDirectory.open(job.directory)
        jobs = [catalog.job(number) for number in job.jobids]
        place.expected = sum(one.read_bytes for one in jobs)
        with Workers() as workers:
            for one in jobs:
                _volumes(place, catalog, directory, one, Decoder(keyring(job.keys), workers))
    return place.ended(_status(place))


def _status(place: Workplace) -> JobStatus:
    totals = place.totals
    return JobStatus.ERROR if totals.errors else JobStatus.WARNINGS if totals.warnings else JobStatus.OK


def _volumes(place: Workplace, catalog: Catalog, directory: VolumeDirectory, job: Job, decoder: Decoder) -> None:
    """Check each record of one Job. What is wrong is told and counted."""
    check = RecordCheck(place, decoder, lambda _error, text: place.error(text))
    session = Session(job.vol_session_id, job.vol_session_time)
    media = catalog.media(job.job_id)
    for record in directory.read_session(media, session, on_damage=lambda damage: place.error(str(damage))):
        check.record(record.stream, record.file_index, record.data)
        place.check_canceled()
    check.end()
    known = job.files + job.deleted
    if check.entries != known:
        place.error(f"JobId {job.job_id}: {check.entries:,} entries on its Volumes, {known:,} in the catalog")
