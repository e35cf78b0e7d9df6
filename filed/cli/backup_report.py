"""What `filed backup` says at its end: of a Job, or of a dry run."""

from __future__ import annotations

import json
from pathlib import Path

from filed.cli.console import duration_words, size_words
from filed.cli.output import message, report
from filed.process.outcome import JobStatus, Outcome


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


def report_dry_run(outcome: Outcome, lines: list[str], *, as_json: bool) -> None:
    """lines: those that were not shown yet, as of `filed diff`."""
    totals = outcome.totals
    if as_json:
        report(
            json.dumps(
                {
                    "level": outcome.level,
                    "status": outcome.status.value,
                    "files": totals.files,
                    "bytes": totals.job_bytes,
                    "deleted": totals.deleted,
                    "errors": totals.errors,
                    "entries": [{"change": line[0], "path": line[2:]} for line in lines],
                    "text": outcome.text,
                }
            )
        )
    elif not outcome.status.good:
        message(f"filed: the dry run failed: {outcome.text}")
    else:
        deleted = f"; {totals.deleted:,} deleted since the last backup" if totals.deleted else ""
        report(f"{outcome.level}: {totals.files:,} files, {size_words(totals.job_bytes)} would be read{deleted}")
