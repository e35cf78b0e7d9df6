"""Jobs run by a real Director, and what its report and its catalog say of them."""

from __future__ import annotations

import os
import re
import sqlite3

from tests.live.bacula import Bacula


def run(bacula: Bacula, *jobs: str) -> list[int]:
    """Run Jobs at once, each as the console's `run job=...`, to their ends, however those are. Returns their JobIds."""
    said = bacula.console(*(f"run job={job} yes" for job in jobs), "wait")
    found = [int(number) for number in re.findall(r"JobId=(\d+)", said)]
    assert len(found) == len(jobs), said
    for job_id in found:
        expect_report(bacula, job_id)
    return found


def expect_report(bacula: Bacula, job_id: int) -> None:
    """Wait for the summary of a Job: it is written a little after the Job's end."""
    bacula.expect(f"JobId:                  {job_id}\n")


def rows(bacula: Bacula, query: str) -> list[tuple[object, ...]]:
    catalog = sqlite3.connect(bacula.work / "catalog.db", timeout=20)
    catalog.text_factory = os.fsdecode
    try:
        return catalog.execute(query).fetchall()
    finally:
        catalog.close()


def status(bacula: Bacula, job_id: int) -> str:
    return str(rows(bacula, f"SELECT JobStatus FROM Job WHERE JobId = {job_id}")[0][0])


def saved(bacula: Bacula, *jobs: str) -> list[int]:
    """Run backups to their good ends."""
    found = run(bacula, *jobs)
    assert [status(bacula, job_id) for job_id in found] == ["T"] * len(found), bacula.messages()
    return found


def report(bacula: Bacula, job_id: int) -> list[str]:
    """The lines that somebody wrote about a Job, without date; the Director's summary is left out."""
    pattern = re.compile(rf"^\S+ [\d:]+ (\S+) JobId {job_id}: (.*)$", re.MULTILINE)
    return [f"{who}: {text}" for who, text in pattern.findall(bacula.messages())]


def summary(bacula: Bacula, job_id: int) -> dict[str, str]:
    """The Director's summary of a Job, which it writes at its end."""
    parts = re.split(r"^\S+ [\d:]+ \S+ JobId \d+: (?:Error: )?Bacula ", bacula.messages(), flags=re.MULTILINE)
    (found,) = [part for part in parts if f"JobId:                  {job_id}\n" in part]
    return {key.strip(): value.strip() for key, value in re.findall(r"^  ([^:\n]+):(.*)$", found, re.MULTILINE)}
