"""`filed verify`: are the Volumes whole, and is the disk still what they hold?"""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from filed.catalog import Catalog
from filed.cli import options
from filed.cli.choice import chosen_job, good_jobs
from filed.cli.console import Console, duration_words, size_words
from filed.cli.exit import exit_of
from filed.cli.output import report
from filed.cli.run import run_job
from filed.job.description import Places, VerifyJob
from filed.process.outcome import JobStatus


@click.command(
    epilog="\b\nExamples:\n  filed verify -s /mnt/disk            every good Job, against its own digests\n"
    "  filed verify -s /mnt/disk 7          JobId 7 and the Jobs it builds on\n"
    "  filed verify -s /mnt/disk --disk     the newest backup against the disk; exit code 4: they differ"
)
@options.directory
@options.conf_file
@click.option("--disk", is_flag=True, help="Compare the Job's tree with what is on the disk now.")
@options.keys
@options.accept_unsigned
@options.volume_keys
@options.told
@click.argument("words", nargs=-1, metavar="[JOBID|latest]")
def verify(  # noqa: PLR0917  one argument for each option
    storage: Path | None,
    conf: Path | None,
    disk: bool,  # noqa: FBT001
    keys: str | None,
    accept_unsigned: bool,  # noqa: FBT001
    volume_keys: tuple[Path, ...],
    as_json: bool,  # noqa: FBT001
    quiet: bool,  # noqa: FBT001
    verbose: bool,  # noqa: FBT001
    words: tuple[str, ...],
) -> int:
    """Read Jobs back from their Volumes and check every record; or compare a Job's tree with the disk."""
    directory, agents, key_files = options.setting(storage, conf, keys, accept_unsigned=accept_unsigned)
    if words[1:] or (words and not words[0].isdecimal() and words[0] != "latest"):
        raise click.UsageError(f"{words[-1]}: a verify takes one JobId or `latest`, and no paths")
    with Catalog.read(directory) as catalog:
        if disk:
            jobids = [chosen_job(catalog, words)[0].job_id]
        elif words:
            jobids = [job.job_id for job in catalog.chain(chosen_job(catalog, words)[0].job_id)]
        else:
            jobids = [job.job_id for job in good_jobs(catalog)]
    description = VerifyJob(Places.within(directory, volume_keys), tuple(jobids), agents, disk=disk, keys=key_files)
    begun = time.monotonic()
    with Console("verify", quiet=quiet or as_json, verbose=verbose) as console:
        outcome = run_job(description, console)
    totals, seconds = outcome.totals, time.monotonic() - begun
    if as_json:
        report(
            json.dumps(
                {
                    "jobids": jobids,
                    "status": outcome.status.value,
                    "files": totals.files,
                    "bytes": totals.read_bytes,
                    "errors": totals.errors,
                    "seconds": round(seconds, 3),
                    "text": outcome.text,
                }
            )
        )
    elif not quiet or outcome.status is not JobStatus.OK:
        what = "the disk against " if disk else ""
        words_of = {JobStatus.OK: "no difference" if disk else "all is well", JobStatus.DIFFERENCES: "it differs"}
        verdict = words_of.get(outcome.status, outcome.status.words)
        report(f"Verified {what}JobId {', '.join(map(str, jobids))}: {verdict}")
        report(f"  {totals.files:,} entries, {size_words(totals.read_bytes)} in {duration_words(seconds)}")
        if totals.errors or outcome.text:
            report(f"  {totals.errors:,} errors {outcome.text}".rstrip())
    return exit_of(outcome.status)
