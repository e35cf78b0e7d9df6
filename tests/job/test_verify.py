"""Are the Volumes whole, and is the disk still what they hold?"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from filed.catalog import Catalog
from filed.job.description import VerifyJob
from filed.job.outcome import JobStatus
from tests.system_agents.jobs import Place, Ran, line


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "sub").mkdir(parents=True)
    (root / "file").write_text("content")
    (root / "sub" / "other").write_text("other")
    (root / "link").symlink_to("file")
    os.link(root / "file", root / "hard")
    return root


def save(jobs: Place, root: Path) -> int:
    ran = jobs.backup(line("filesystem"), files=[os.fsencode(root)])
    assert ran.outcome.status is JobStatus.OK
    return ran.outcome.jobid


def against_disk(jobs: Place, jobid: int) -> Ran:
    return jobs.run(VerifyJob(jobs.volumes, (jobid,), jobs.setup(line("filesystem")), disk=True))


def test_a_whole_job_is_read_and_counted(jobs: Place, tree: Path) -> None:
    ran = jobs.verify(save(jobs, tree))
    assert ran.outcome.status is JobStatus.OK
    assert ran.outcome.totals.files == 6
    assert ran.outcome.totals.read_bytes == len("content" + "other")


def test_entries_that_the_catalog_knows_and_the_volume_lacks_are_an_error(jobs: Place, tree: Path) -> None:
    jobid = save(jobs, tree)
    with Catalog.open(jobs.volumes) as catalog, catalog.database.transaction() as connection:
        connection.execute("UPDATE job SET files = 7")
    ran = jobs.verify(jobid)
    assert ran.outcome.status is JobStatus.ERROR
    assert any("6 entries on its Volumes, 7 in the catalog" in text for text in ran.texts())


def test_damage_is_told_with_the_volume(jobs: Place, tree: Path) -> None:
    jobid = save(jobs, tree)
    volume = jobs.volumes / "Vol-0001"
    data = bytearray(volume.read_bytes())
    data[data.index(b"content")] ^= 0xFF
    volume.write_bytes(data)
    ran = jobs.verify(jobid)
    assert ran.outcome.status is JobStatus.ERROR
    assert any("Vol-0001" in text for text in ran.texts())


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
    ran = jobs.run(VerifyJob(jobs.volumes, (saved.outcome.jobid,), jobs.setup(trace), disk=True))
    assert ran.outcome.status is JobStatus.OK, ran.messages
    calls = jobs.calls()
    assert any(call.startswith("begin kind=4") for call in calls)
    assert "commit" not in calls
    assert calls[-2:] == ["end done", "destroy"] or calls[-2] == "end failed"
