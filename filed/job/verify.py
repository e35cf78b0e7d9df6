"""Verify: are the Volumes whole, and is the disk still what they hold?

Volumes: each record of the Jobs is read, decoded, and checked against its digest, signature and size, and against the
catalog. The disk is in `verify_disk.py`.
"""

from __future__ import annotations

from filed.catalog import Catalog, Job
from filed.job.context import JobContext
from filed.job.decode.record_check import RecordCheck
from filed.job.description import VerifyJob
from filed.job.keys import keyring
from filed.job.verify_disk import compare_disk
from filed.pipeline import Decoder, Workers
from filed.process.outcome import JobStatus, Outcome
from filed.storage import VolumeDirectory
from filed.volume import Session


def verify(job: VerifyJob, context: JobContext) -> Outcome:
    """The Volumes of `job.jobids`, or with `disk` the tree of the last of them against the disk."""
    context.parent.started(0, "")
    with Catalog.read(job.directory) as catalog:
        if job.disk:
            found = compare_disk(job, context, catalog)
            return context.ended(JobStatus.DIFFERENCES if found else _status(context))
        directory = VolumeDirectory.open(job.directory)
        jobs = [catalog.job(number) for number in job.jobids]
        context.counters.expected_bytes = sum(one.read_bytes for one in jobs)
        with Workers() as workers:
            for one in jobs:
                _volumes(context, catalog, directory, one, Decoder(keyring(job.keys), workers))
    return context.ended(_status(context))


def _status(context: JobContext) -> JobStatus:
    totals = context.counters.totals
    return JobStatus.ERROR if totals.errors else JobStatus.WARNINGS if totals.warnings else JobStatus.OK


def _volumes(context: JobContext, catalog: Catalog, directory: VolumeDirectory, job: Job, decoder: Decoder) -> None:
    """Check each record of one Job. What is wrong is told and counted."""
    check = RecordCheck(decoder, context.messages, context.counters, lambda _error, text: context.messages.error(text))
    session = Session(job.vol_session_id, job.vol_session_time)
    media = catalog.media(job.job_id)
    for record in directory.read_session(media, session, on_damage=lambda damage: context.messages.error(str(damage))):
        check.record(record.stream, record.file_index, record.data)
        context.cancellation.check()
    check.end()
    known = job.files + job.deleted
    if check.entries != known:
        context.messages.error(
            f"JobId {job.job_id}: {check.entries:,} entries on its Volumes, {known:,} in the catalog"
        )
