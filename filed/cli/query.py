"""`filed jobs`, `ls`, `find`, `diff`: what the catalog knows."""

from __future__ import annotations

import json
import os
import stat as st
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from filed.catalog import Catalog, Change, FileRow, Job, Level, path_glob
from filed.cli import options
from filed.cli.choice import chosen_job, good_job
from filed.cli.console import size_words
from filed.cli.exit import Exit
from filed.cli.output import answer
from filed.cli.table import print_table
from filed.errors import printable
from filed.process.outcome import JobStatus
from filed.wire.attributes import FileType, decode_stat

_LEVELS = {Level.FULL: "Full", Level.DIFFERENTIAL: "Diff", Level.INCREMENTAL: "Incr"}
_STATUS = {JobStatus.WARNINGS: "warnings", JobStatus.ERROR: "failed", JobStatus.FATAL: "failed", JobStatus.OK: "OK"}


@click.command(epilog="\b\nExamples:\n  filed jobs -s /mnt/disk\n  filed jobs -s /mnt/disk --json | jq '.[-1].jobid'")
@options.storage
@options.as_json
def jobs(storage: Path | None, as_json: bool) -> int:  # noqa: FBT001
    """List the Jobs of a directory of Volumes, the oldest first."""
    with Catalog.read(options.needed_storage(storage)) as catalog:
        found = catalog.jobs()
        if as_json:
            answer(json.dumps([_job_json(job) for job in found]))
            return Exit.GOOD
    rows = [
        (
            str(job.job_id),
            _LEVELS[Level(job.level)],
            _STATUS.get(JobStatus(job.status), JobStatus(job.status).words.lower()),
            _when(job.start_time)[:-3],
            f"{job.files:,}",
            size_words(job.bytes),
            str(job.base_job_id or ""),
            "yes" if job.encrypted else "",
            job.name,
        )
        for job in found
    ]
    print_table(("JobId", "Level", "Status", "Started", "Files", "Stored", "Base", "Enc", "Name"), rows)
    return Exit.GOOD


@click.command(
    epilog="\b\nExamples:\n  filed ls -s /mnt/disk                   the newest good backup, all of it\n"
    "  filed ls -s /mnt/disk -l 7 /etc/ssh     what JobId 7 has below a directory"
)
@options.storage
@options.as_json
@click.option("-l", "--long", "long_form", is_flag=True, help="Mode, owner, size and time too.")
@options.at
@click.argument("words", nargs=-1, metavar="[JOBID|latest] [PATH]...")
def ls(storage: Path | None, as_json: bool, long_form: bool, at: int | None, words: tuple[str, ...]) -> int:  # noqa: FBT001
    """List the tree as it was at a Job; without a JobId, at the newest good one."""
    with Catalog.read(options.needed_storage(storage)) as catalog:
        job, paths = chosen_job(catalog, words, at)
        rows = catalog.tree(job.job_id, paths)
        return _print_rows(rows, as_json=as_json, long_form=long_form, with_job=False)


@click.command(
    epilog="\b\nExamples:\n  filed find -s /mnt/disk '*.conf'      by name, in every Job\n"
    "  filed find -s /mnt/disk '/etc/*pass*'  by path"
)
@options.storage
@options.as_json
@click.option("--job", "job_ids", type=int, multiple=True, metavar="JOBID", help="Only in this Job. Repeats.")
@click.argument("pattern")
def find(storage: Path | None, as_json: bool, job_ids: tuple[int, ...], pattern: str) -> int:  # noqa: FBT001
    """Find saved versions of files by a pattern with *, ? and [...]: of names, or of paths when it has a slash."""
    with Catalog.read(options.needed_storage(storage)) as catalog:
        wanted = [catalog.job(number).job_id for number in job_ids]
        rows = catalog.find(path_glob(os.fsencode(pattern)), wanted)
        return _print_rows(rows, as_json=as_json, long_form=True, with_job=True)


@click.command(
    epilog="\b\nExamples:\n  filed diff -s /mnt/disk 3 7             what happened between two Jobs\n"
    "  filed diff -s /mnt/disk 3 7 /etc        in one directory"
)
@options.storage
@options.as_json
@click.argument("before", type=int)
@click.argument("after", type=int)
@click.argument("paths", nargs=-1)
def diff(storage: Path | None, as_json: bool, before: int, after: int, paths: tuple[str, ...]) -> int:  # noqa: FBT001
    """Show what differs between the trees of two Jobs: + added, - removed, M changed. Exit code 4 when something does."""
    found = False
    with Catalog.read(options.needed_storage(storage)) as catalog:
        old, new = good_job(catalog, before).job_id, good_job(catalog, after).job_id
        changes = catalog.diff(old, new, [options.path_bytes(path) for path in paths])
        if as_json:
            listed = [_change_json(change) for change in changes]
            answer(json.dumps(listed))
            found = bool(listed)
        else:
            for change in changes:
                found = True
                what = f" ({', '.join(change.what)})" if change.what else ""
                answer(f"{change.kind.value} {printable(change.path)}{what}")
    return Exit.DIFFERENCES if found else Exit.GOOD


def _print_rows(rows: Iterator[FileRow], *, as_json: bool, long_form: bool, with_job: bool) -> int:
    if as_json:
        _print_json_array(_row_json(row) for row in rows)
        return Exit.GOOD
    for row in rows:
        name = printable(row.path)
        if row.link and row.type in (FileType.SYMLINK, FileType.HARD_LINK):
            name += f" -> {printable(row.link)}"
        if not long_form:
            answer(name)
            continue
        stat = decode_stat(row.lstat)
        job = f"{row.job_id:>6} " if with_job else ""
        if row.type == FileType.DELETED:
            answer(f"{job}{'(deleted)':>39} {name}")
            continue
        mode = st.filemode(stat.mode & 0xFFFF_FFFF)
        answer(f"{job}{mode} {stat.uid:>5} {stat.gid:>5} {max(stat.size, 0):>13,} {_when(stat.mtime)} {name}")
    return Exit.GOOD


def _print_json_array(items: Iterable[dict[str, Any]]) -> None:
    """An array, written item by item: a million of them need no memory."""
    separator = "["
    for item in items:
        answer(separator + json.dumps(item), end="")
        separator = ",\n"
    answer("[]" if separator == "[" else "]")


def _job_json(job: Job) -> dict[str, Any]:
    """The fields of a Job; its number is `jobid`, as in every other document."""
    return {_JSON_NAMES.get(name, name): getattr(job, name) for name in Job.__slots__}


_JSON_NAMES = {"job_id": "jobid", "base_job_id": "base_jobid"}


def _row_json(row: FileRow) -> dict[str, Any]:
    """Paths that are no UTF-8 come as JSON strings with lone surrogates, as Python's os.fsdecode has them."""
    stat = decode_stat(row.lstat)
    return {
        "path": os.fsdecode(row.path),
        "jobid": row.job_id,
        "fileindex": row.file_index,
        "type": FileType(row.type).name.lower(),
        "link": os.fsdecode(row.link),
        "mode": stat.mode,
        "uid": stat.uid,
        "gid": stat.gid,
        "size": stat.size,
        "mtime": stat.mtime,
        "digest": row.digest.hex(),
    }


def _change_json(change: Change) -> dict[str, Any]:
    return {"change": change.kind.value, "path": os.fsdecode(change.path), "what": list(change.what)}


def _when(seconds: int) -> str:
    try:
        return f"{datetime.fromtimestamp(seconds, UTC).astimezone():%Y-%m-%d %H:%M:%S}"
    except (OverflowError, ValueError, OSError):  # a time that no calendar has; it was on the disk, so it is shown
        return f"@{seconds}"
