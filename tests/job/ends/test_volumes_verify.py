"""Is the disk still what a Job holds?"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from filed.catalog import Level
from filed.job.description import Places, VerifyJob
from filed.process.outcome import JobStatus, Severity
from tests.system_agents.jobs import Place, Ran, line


def save(jobs: Place, root: Path) -> int:
    ran = jobs.backup(line("filesystem"), files=[os.fsencode(root)])
    assert ran.outcome.status is JobStatus.OK
    return ran.outcome.jobid


def against_disk(jobs: Place, jobid: int) -> Ran:
    return jobs.run(VerifyJob(Places.within(jobs.volumes), (jobid,), jobs.setup(line("filesystem")), disk=True))


def test_a_disk_as_it_was_saved_is_no_difference(jobs: Place, tree: Path) -> None:
    ran = against_disk(jobs, save(jobs, tree))
    assert ran.outcome.status is JobStatus.OK, ran.messages


def content(root: Path) -> None:
    before = (root / "sub" / "other").stat()
    (root / "sub" / "other").write_text("OTHER")
    os.utime(root / "sub" / "other", ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda root: (root / "new").write_text("x"), "/new is new"),
        (lambda root: (root / "sub" / "other").unlink(), "/sub/other is gone"),
        (lambda root: (root / "sub" / "other").chmod(0o600), "/sub/other differs in mode"),
        (lambda root: os.utime(root / "file", (1, 1)), "/file differs in mtime"),
        (lambda root: ((root / "link").unlink(), (root / "link").symlink_to("sub")), "target"),
        (content, "/sub/other its content has changed"),
    ],
)
def test_each_difference_is_told(jobs: Place, tree: Path, change, told: str) -> None:
    jobid = save(jobs, tree)
    change(tree)
    ran = against_disk(jobs, jobid)
    assert ran.outcome.status is JobStatus.DIFFERENCES
    assert any(told in text for text in ran.texts()), ran.texts()


def test_a_verify_reads_and_tells_agents_nothing_of_states(jobs: Place, tmp_path: Path) -> None:
    from tests.system_agents.plan import ROOT, Item, write_plan

    plan = write_plan(tmp_path / "plan", Item("/@TRACE/a", "A"), ROOT)
    trace = line("trace", plan=plan, trace=str(jobs.trace), state="one")
    saved = jobs.backup(trace, files=[b"/@TRACE"])
    jobs.calls()
    ran = jobs.run(VerifyJob(Places.within(jobs.volumes), (saved.outcome.jobid,), jobs.setup(trace), disk=True))
    assert ran.outcome.status is JobStatus.OK, ran.messages
    calls = jobs.calls()
    assert any(call.startswith("begin kind=4") for call in calls)
    assert "commit" not in calls
    assert calls[-2:] == ["end done", "destroy"] or calls[-2] == "end failed"


def longer(root: Path) -> None:
    before = (root / "sub" / "other").stat()
    (root / "sub" / "other").write_text("longer than before")
    os.utime(root / "sub" / "other", ns=(before.st_atime_ns, before.st_mtime_ns))


def a_nanosecond(root: Path) -> None:
    stat = (root / "sub" / "other").stat()
    os.utime(root / "sub" / "other", ns=(stat.st_atime_ns, stat.st_mtime_ns ^ 1))


@pytest.mark.parametrize(("change", "told"), [(longer, "differs in size"), (a_nanosecond, "differs in mtime")])
def test_the_smallest_differences_are_told_alone(jobs: Place, tree: Path, change, told: str) -> None:
    jobid = save(jobs, tree)
    change(tree)
    ran = against_disk(jobs, jobid)
    assert [text for text in ran.texts(Severity.INFO) if text.startswith(f"{tree}/")] == [f"{tree}/sub/other {told}"]


def test_the_disk_is_held_against_the_tree_of_an_incremental_not_its_records(jobs: Place, tree: Path) -> None:
    first = save(jobs, tree)
    (tree / "sub" / "other").unlink()
    ran = jobs.backup(line("filesystem"), files=[os.fsencode(tree)], level=Level.INCREMENTAL)
    assert against_disk(jobs, ran.outcome.jobid).outcome.status is JobStatus.OK
    both = jobs.verify(first, ran.outcome.jobid)
    assert both.outcome.status is JobStatus.OK, "the deletion is an entry of the catalog, too"
