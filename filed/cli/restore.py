"""`filed restore`: the tree as it was at a Job, or parts of it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import click

from filed.catalog import Catalog, Job
from filed.cli import options
from filed.cli.choice import chosen_job
from filed.cli.console import Console, duration_words, size_words
from filed.cli.exit import exit_of
from filed.cli.output import answer, message, report
from filed.cli.run import run_job
from filed.errors import printable
from filed.job.description import Places, Replace, RestoreJob
from filed.process.outcome import JobStatus, Outcome

EXAMPLES = """
\b
Examples:
  filed restore -s /mnt/disk --where /tmp/r              the newest backup, below /tmp/r
  filed restore -s /mnt/disk 7 --where /tmp/r /etc       /etc as it was at JobId 7
  filed restore -s /mnt/disk --at 2026-11-30 --where /tmp/r /etc     at the end of that day
  filed restore -s /mnt/disk --where / --replace ifnewer back in place, older files only
"""


@click.command(epilog=EXAMPLES)
@options.directory
@options.conf_file
@click.option(
    "--where", required=True, type=options.PathType(path_type=Path), help="Restore below here; / is in place."
)
@click.option(
    "--replace",
    type=click.Choice([r.value for r in Replace]),
    default="always",
    show_default=True,
    help="What to do with a file that is there already.",
)
@options.at
@click.option(
    "--option",
    "chosen",
    multiple=True,
    metavar="AGENT:KEY=VALUE",
    help="An agent's option for this restore; `filed agent options AGENT` marks those that can be chosen.",
)
@click.option(
    "--dry-run", is_flag=True, help="Only list what would be restored, and ask the agents whether they could."
)
@options.keys
@options.accept_unsigned
@options.volume_keys
@options.told
@click.argument("words", nargs=-1, metavar="[JOBID|latest] [PATH]...")
def restore(  # noqa: PLR0917  one argument for each option
    storage: Path | None,
    conf: Path | None,
    where: Path,
    replace: str,
    at: int | None,
    chosen: tuple[str, ...],
    dry_run: bool,  # noqa: FBT001
    keys: str | None,
    accept_unsigned: bool,  # noqa: FBT001
    volume_keys: tuple[Path, ...],
    as_json: bool,  # noqa: FBT001
    quiet: bool,  # noqa: FBT001
    verbose: bool,  # noqa: FBT001
    words: tuple[str, ...],
) -> int:
    """Restore a Job's tree, or only the PATHs given, below WHERE.

    Without a JobId it is the newest good backup, and with PATHs the newest one of a Job that holds them. A restore of an Incremental reads the Jobs it builds on, too: the tree is as it was at that Job.
    """
    directory, agents, key_files = options.setting(storage, conf, keys, accept_unsigned=accept_unsigned)
    with Catalog.read(directory) as catalog:
        job, paths = chosen_job(catalog, words, at)
        if dry_run:
            _list(catalog, job, paths, as_json=as_json)
    description = RestoreJob(
        places=Places.within(directory, volume_keys),
        jobid=job.job_id,
        # `..` as the kernel takes it; a link that it goes through is the user's own. Path.resolve raises for a loop.
        where=Path(os.path.realpath(where)),
        agents=agents,
        paths=paths,
        replace=Replace(replace),
        keys=key_files,
        options=tuple(map(_option, chosen)),
        dry_run=dry_run,
    )
    begun = time.monotonic()
    with Console("restore", quiet=quiet or as_json, verbose=verbose) as console:
        outcome = run_job(description, console)
    if dry_run:
        return exit_of(outcome.status)
    if not quiet or as_json or outcome.status is not JobStatus.OK:
        report_restore(outcome, job, where, time.monotonic() - begun, as_json=as_json)
    return exit_of(outcome.status)


def _option(text: str) -> tuple[str, str, str]:
    """Agent, key and value of one --option."""
    agent, colon, pair = text.partition(":")
    key, equals, value = pair.partition("=")
    if not (agent.strip() and colon and key.strip() and equals):
        raise click.BadParameter(f"{text!r} is not AGENT:KEY=VALUE", param_hint="--option")
    return agent.strip(), key.strip(), value.strip()


def _list(catalog: Catalog, job: Job, paths: tuple[bytes, ...], *, as_json: bool) -> None:
    names = (row.path for row in catalog.tree(job.job_id, paths))
    if as_json:
        answer(json.dumps({"jobid": job.job_id, "paths": [os.fsdecode(name) for name in names]}))
    else:
        for name in names:
            answer(printable(name))


def report_restore(outcome: Outcome, job: Job, where: Path, seconds: float, *, as_json: bool) -> None:
    totals = outcome.totals
    if as_json:
        report(
            json.dumps(
                {
                    "jobid": job.job_id,
                    "status": outcome.status.value,
                    "files": totals.files,
                    "bytes": totals.read_bytes,
                    "skipped": totals.skipped,
                    "errors": totals.errors,
                    "warnings": totals.warnings,
                    "seconds": round(seconds, 3),
                    "text": outcome.text,
                }
            )
        )
        return
    rate = size_words(totals.read_bytes / max(seconds, 0.001))
    report(f"Restore of JobId {job.job_id} to {where}: {outcome.status.words}")
    report(f"  {totals.files:,} files, {size_words(totals.read_bytes)} in {duration_words(seconds)}, {rate}/s")
    if totals.skipped:
        report(f"  {totals.skipped:,} left as they were (--replace)")
    if totals.errors or totals.warnings:
        report(f"  {totals.errors:,} errors, {totals.warnings:,} warnings: see the messages above")
    if outcome.text:
        message(f"filed: {outcome.text}")
