"""Jobs run by a real Director, and what its report and its catalog say of them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from tests.live.bacula import TIMEOUT_S, Bacula
from tests.live.jobs import rows, status_of


def run(bacula: Bacula, *jobs: str) -> list[int]:
    """Run Jobs at once, each as the console's `run job=...`, to their ends, however those are. Returns their JobIds."""
    said = bacula.console(*(f"run job={job} yes" for job in jobs), "wait")
    found = [int(number) for number in re.findall(r"JobId=(\d+)", said)]
    assert len(found) == len(jobs), said
    for job_id in found:
        expect_report(bacula, job_id)
    return found


def expect_report(bacula: Bacula, job_id: int, seconds: float = TIMEOUT_S) -> None:
    """Wait for the summary of a Job: it is written a little after the Job's end."""
    bacula.expect(f"JobId:                  {job_id}\n", seconds)


def saved(bacula: Bacula, *jobs: str) -> list[int]:
    """Run backups to their good ends."""
    found = run(bacula, *jobs)
    assert [status_of(bacula, job_id) for job_id in found] == ["T"] * len(found), bacula.messages()
    return found


def report(bacula: Bacula, job_id: int) -> list[str]:
    """The lines that somebody wrote about a Job, without date; the Director's summary is left out."""
    pattern = re.compile(rf"^\S+ [\d:]+ (\S+) JobId {job_id}: (.*)$", re.MULTILINE)
    return [f"{who}: {text}" for who, text in pattern.findall(bacula.messages())]


def summary(bacula: Bacula, job_id: int) -> dict[str, str]:
    """The Director's summary of a Job, which it writes at its end."""
    found = bacula.messages().rpartition(f"JobId:                  {job_id}\n")[2].partition("\n\n")[0]
    return {key.strip(): value.strip() for key, value in re.findall(r"^  ([^:\n]+):(.*)$", found, re.MULTILINE)}


def files(bacula: Bacula, job_id: int) -> dict[str, tuple[object, ...]]:
    """The catalog's rows of a Job: name -> (whether it is marked as deleted, digest, LStat)."""
    query = bacula.release.select_files("File.FileIndex <= 0, File.MD5, File.LStat")
    return {str(name): rest for name, *rest in rows(bacula, f"{query} WHERE JobId = {job_id} ORDER BY FileId")}


def restored(bacula: Bacula, job_ids: str, tree: Path) -> Path:
    """Restore Jobs to the usual place, empty before, to a good end. Returns where the tree is."""
    where = bacula.root / "restored"
    shutil.rmtree(where, ignore_errors=True)
    assert status_of(bacula, restore(bacula, job_ids)) == "T", bacula.messages()
    return where / tree.relative_to("/")


def restore(bacula: Bacula, job_ids: str, *more: str) -> int:
    """Restore all of some Jobs, to whatever end. Returns the JobId."""
    said = bacula.console(f"restore client={bacula.client} jobid={job_ids} {' '.join(more)} all done yes", "wait")
    found = re.search(r"Job queued. JobId=(\d+)", said)
    assert found is not None, said
    expect_report(bacula, int(found[1]))
    return int(found[1])
