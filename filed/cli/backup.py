"""`filed backup`: save paths, or a Job of a conf."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import click

from filed.cli import options
from filed.cli.agents import default_setup
from filed.cli.console import Console, duration_words, size_words
from filed.cli.exit import Exit, exit_of
from filed.cli.output import message, report
from filed.cli.place import place_for_backup
from filed.cli.run import run_job
from filed.fileset import FileSet, Include, Options
from filed.fileset.typed import exclude_as_typed
from filed.job.description import BackupJob, Level, Places
from filed.process.outcome import JobStatus, Outcome

LEVELS = {level.name.lower(): level for level in Level}
EXAMPLES = """
\b
Examples:
  filed backup -s /mnt/disk /etc /home                     a Full, the first time
  filed backup -s /mnt/disk --level incremental /etc /home what changed since
  filed backup -s /mnt/disk --encrypt pair.pem /home       encrypted for pair.pem
  filed backup -c filed.conf --job Nightly                 a Job of a conf
"""


@click.command(epilog=EXAMPLES)
@options.directory
@click.option(
    "-c", "--conf", type=click.Path(path_type=Path, dir_okay=False), help="A conf with Job, FileSet, Storage."
)
@click.option("--job", "job_name", metavar="NAME", help="The Job of the conf; without a conf, a name of your own.")
@click.option("--level", type=click.Choice(list(LEVELS)), help="Default full; with a conf, the Job's.")
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
@click.option(
    "--exclude", multiple=True, metavar="PATTERN", help="Leave out paths that match, as in a FileSet. Repeats."
)
@click.option(
    "--max-volume-bytes", type=click.IntRange(0), default=0, metavar="N", help="Begin another Volume at this size."
)
@options.told
@click.argument("paths", nargs=-1, type=click.Path())
def backup(  # noqa: PLR0917  one argument for each option
    storage: Path | None,
    conf: Path | None,
    job_name: str | None,
    level: str | None,
    compress: str | None,
    digest: str | None,
    keys: str | None,
    plain: bool,  # noqa: FBT001
    sparse: bool,  # noqa: FBT001
    one_filesystem: bool,  # noqa: FBT001
    exclude: tuple[str, ...],
    max_volume_bytes: int,
    as_json: bool,  # noqa: FBT001
    quiet: bool,  # noqa: FBT001
    verbose: bool,  # noqa: FBT001
    paths: tuple[str, ...],
) -> int:
    """Save PATHs, with everything below them, into a directory of Volumes.

    An incremental saves what changed since the last good backup of the same paths, and notes what was deleted. The Volumes
    are Bacula's own: bls and bextract read them.
    """
    if conf is not None:
        from filed.cli.conf_job import conf_job  # noqa: PLC0415  the conf's grammar is 50 ms that paths do not need

        if paths:
            raise click.UsageError("give PATHs, or a conf with a FileSet, not both")
        if compress or digest or exclude or keys or max_volume_bytes:
            raise click.UsageError(
                "with a conf, its FileSet, Storage and FileDaemon say how; --level and -s may differ"
            )
        job = conf_job(conf, job_name, storage, level=LEVELS[level] if level else None)
    else:
        if not paths:
            raise click.UsageError("what is to be saved? Give PATHs, or a conf with -c.")
        choice = Options(
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
            level=LEVELS[level or "full"],
            fileset=_fileset(paths, choice, exclude),
            agents=default_setup(),
            keys=options.saving_keys(keys),
            max_volume_bytes=max_volume_bytes,
        )
    options.check_key_files(job.keys)
    job = replace(job, plain=plain)
    made = place_for_backup(job.places.volumes)
    begun = time.monotonic()
    with Console("backup", quiet=quiet or as_json, verbose=verbose) as console:
        outcome = run_job(job, console)
    if quiet and not as_json and outcome.status is JobStatus.OK:
        return Exit.GOOD
    report_backup(outcome, time.monotonic() - begun, as_json=as_json, made=job.places.volumes if made else None)
    return exit_of(outcome.status)


def _fileset(paths: tuple[str, ...], choice: Options, exclude: tuple[str, ...]) -> FileSet:
    files = tuple(dict.fromkeys(options.path_bytes(path) for path in paths))
    excludes = tuple(exclude_as_typed(os.fsencode(pattern)) for pattern in exclude)
    return FileSet(includes=(Include(options=(choice,), files=files),), excludes=excludes, name="command line")


def _saved(read: int, stored: int) -> str:
    if not read:
        return "nothing to read"
    share = round(100 * (1 - stored / read))
    return f"{share} % saved" if share >= 0 else f"{-share} % larger: many tiny files"


def report_backup(outcome: Outcome, seconds: float, *, as_json: bool, made: Path | None = None) -> None:
    """made: the directory of Volumes, when it was made for this Job."""
    totals = outcome.totals
    if as_json:
        report(
            json.dumps(
                {
                    "jobid": outcome.jobid,
                    "level": outcome.level,
                    "status": outcome.status.value,
                    "files": totals.files,
                    "bytes": totals.job_bytes,
                    "read_bytes": totals.read_bytes,
                    "stored_bytes": totals.stored_bytes,
                    "deleted": totals.deleted,
                    "errors": totals.errors,
                    "warnings": totals.warnings,
                    "volumes": list(outcome.volumes),
                    "created": made is not None,
                    "seconds": round(seconds, 3),
                    "text": outcome.text,
                }
            )
        )
        return
    if not outcome.status.good:
        what = "was canceled" if outcome.status is JobStatus.CANCELED else "failed"
        number = f" (JobId {outcome.jobid})" if outcome.jobid else ""
        message(f"filed: the Job {what}{number}: {outcome.text}")
        return
    saved = _saved(totals.read_bytes, totals.job_bytes)
    lines = [
        f"JobId {outcome.jobid}, {outcome.level}: {outcome.status.words}",
        f"  {totals.files:,} files, {size_words(totals.read_bytes)} read, {size_words(totals.job_bytes)} stored ({saved})",
        f"  {duration_words(seconds)}, {size_words(totals.read_bytes / max(seconds, 0.001))}/s",
        f"  on {', '.join(outcome.volumes)}",
    ]
    if made is not None:
        lines.append(f"  {made} did not exist: it was made")
    if totals.deleted:
        lines.insert(2, f"  {totals.deleted:,} deleted since the last backup")
    if totals.errors:
        lines.append(f"  {totals.errors:,} errors: some entries could not be saved, see the messages above")
    report("\n".join(lines))
