"""`filed backup`: save paths, or a Job of a conf."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import click

from filed.cli import options
from filed.cli.agents import default_setup
from filed.cli.backup_report import report_backup, report_dry_run
from filed.cli.console import Console
from filed.cli.exit import Exit, exit_of
from filed.cli.output import answer
from filed.cli.place import place_for_backup
from filed.cli.run import run_job
from filed.cli.what_to_save import WhatToSave, what_to_save
from filed.errors import printable
from filed.fileset import Options
from filed.job.description import BackupJob, DryRun, Level, Places
from filed.process.outcome import JobStatus

LEVELS = {level.name.lower(): level for level in Level}
EXAMPLES = """
\b
Examples:
  filed backup -s /mnt/disk /etc /home                     a Full the first time, then what changed
  filed backup -s /mnt/disk --level full /etc /home        everything again
  filed backup -s /mnt/disk --dry-run /etc /home           what would be saved
  filed backup -s /mnt/disk --encrypt pair.pem /home       encrypted for pair.pem
  filed backup -c filed.conf --job Nightly                 a Job of a conf
"""


@click.command(epilog=EXAMPLES)
@options.directory
@click.option(
    "-c", "--conf", type=click.Path(path_type=Path, dir_okay=False), help="A conf with Job, FileSet, Storage."
)
@click.option("--job", "job_name", metavar="NAME", help="The Job of the conf; without a conf, a name of your own.")
@click.option("--level", type=click.Choice(list(LEVELS)), help="Default incremental; with a conf, the Job's.")
@click.option("--dry-run", is_flag=True, help="Only list what would be saved: + new, M changed, - deleted.")
@click.option(
    "--compress",
    metavar="HOW",
    help="gzip1..gzip9, lzo, zstd1..zstd19, none. [default: gzip1, which every Bacula reads]",
)
@click.option("--digest", metavar="HOW", help="md5, sha1, sha256, sha512, xxh64, xxh3_128, none. [default: sha256]")
@options.encrypt
@click.option("--plain", is_flag=True, help="Not encrypted, even if it builds on a Job that is.")
@click.option("--sparse/--no-sparse", default=True, help="Leave out long runs of zeros. [default: yes]")
@click.option("--one-filesystem/--all-filesystems", default=True, help="Stay on each path's own. [default: one]")
@what_to_save
@click.option(
    "--max-volume-bytes", type=click.IntRange(0), default=0, metavar="N", help="Begin another Volume at this size."
)
@options.told
def backup(
    *,
    storage: Path | None,
    conf: Path | None,
    job_name: str | None,
    level: str | None,
    dry_run: bool,
    compress: str | None,
    digest: str | None,
    keys: str | None,
    plain: bool,
    sparse: bool,
    one_filesystem: bool,
    what: WhatToSave,
    max_volume_bytes: int,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Save PATHs, with everything below them, into a directory of Volumes.

    An incremental saves what changed since the last good backup of the same paths, and notes what was deleted; the first is a
    full. The Volumes are Bacula's own: bls and bextract read them.
    """
    if conf is not None:
        from filed.cli.conf_job import conf_job  # noqa: PLC0415  the conf's grammar is 50 ms that paths do not need

        if what.names_paths:
            raise click.UsageError("give PATHs, or a conf with a FileSet, not both")
        if compress or digest or what.is_given or keys or max_volume_bytes:
            raise click.UsageError(
                "with a conf, its FileSet, Storage and FileDaemon say how; --level and -s may differ"
            )
        job = conf_job(conf, job_name, storage, level=LEVELS[level] if level else None)
    else:
        if not what.names_paths:
            raise click.UsageError("what is to be saved? Give PATHs, or a conf with -c.")
        keep = Options(
            signature=options.parse_digest(digest or "sha256"),
            compression=options.parse_compression(compress or "gzip1"),
            sparse=sparse,
            onefs=one_filesystem,
            aclsupport=True,
            xattrsupport=True,
        )
        job = BackupJob(
            places=Places.within(options.needed_storage(storage)),
            name=job_name or "Backup",
            client=options.host_name(),
            level=LEVELS[level or "incremental"],
            fileset=what.fileset(keep),
            agents=default_setup(),
            keys=options.saving_keys(keys),
            max_volume_bytes=max_volume_bytes,
            level_asked=level is not None,
        )
    options.check_key_files(job.keys)
    job = replace(job, plain=plain)
    if dry_run:
        return _dry_run(job, as_json=as_json, quiet=quiet, verbose=verbose)
    made = place_for_backup(job.places.volumes)
    begun = time.monotonic()
    with Console("backup", quiet=quiet or as_json, verbose=verbose) as console:
        outcome = run_job(job, console)
    if quiet and not as_json and outcome.status is JobStatus.OK:
        return Exit.GOOD
    report_backup(outcome, time.monotonic() - begun, as_json=as_json, made=job.places.volumes if made else None)
    return exit_of(outcome.status)


def _dry_run(job: BackupJob, *, as_json: bool, quiet: bool, verbose: bool) -> int:
    lines: list[str] = []
    with Console("backup", quiet=quiet or as_json, verbose=verbose) as console:
        outcome = run_job(DryRun(job), console, listed=lines.extend if as_json else _show)
    report_dry_run(outcome, lines, as_json=as_json)
    return exit_of(outcome.status)


def _show(lines: list[str]) -> None:
    for line in lines:
        answer(printable(line.encode("utf-8", "surrogateescape")))
