"""A backup, told in order: what is left behind when it fails, and what must hold when it is good."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from filed.catalog import Catalog, Level, NewJob, ProcessMark
from filed.fileset import Options
from filed.process.outcome import JobStatus, Severity
from filed.storage import VolumeDirectory
from filed.wire.attributes import FileType
from tests.agents.compile import compile_agent
from tests.system_agents.jobs import Place, line


def sizes(jobs: Place) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in sorted(jobs.volumes.glob("Vol-*"))}


def test_a_good_job_is_in_the_catalog_and_on_the_volume_with_the_same_numbers(jobs: Place) -> None:
    ran = jobs.backup(line("good"), files=[b"/@GOOD"])
    assert ran.outcome.status is JobStatus.OK
    assert ran.job is not None
    totals = ran.outcome.totals
    assert (ran.job.files, ran.job.bytes, ran.job.read_bytes) == (totals.files, totals.job_bytes, totals.read_bytes)
    assert totals.files == 12  # eight small ones, big, link, two directories
    (scanned,) = VolumeDirectory.open(jobs.volumes).scan()
    assert scanned.ended is not None
    assert scanned.ended.end is not None
    assert (scanned.ended.end.files, scanned.ended.end.status) == (12, "T")
    assert totals.stored_bytes < sum(sizes(jobs).values()) < totals.stored_bytes + 1000  # the Volume's label beside


@pytest.mark.parametrize("failing", [{"fail": "next_entries:-20"}, {"page": "0"}])
def test_a_job_that_fails_is_cut_off_its_volume(jobs: Place, tmp_path: Path, failing: dict[str, str]) -> None:
    jobs.backup(line("good"), files=[b"/@GOOD"])
    before = sizes(jobs)
    agent = "good" if "page" in failing else "trace"
    ran = jobs.backup(line(agent, **failing), files=[b"/@GOOD" if agent == "good" else b"/@TRACE"])
    assert ran.outcome.status is JobStatus.FATAL
    assert sizes(jobs) == before


def test_the_first_job_that_fails_leaves_no_volume(jobs: Place) -> None:
    assert jobs.backup(line("trace", fail="next_entries:-20"), files=[b"/@TRACE"]).outcome.status is JobStatus.FATAL
    assert sizes(jobs) == {}
    assert (
        sorted(path.name for path in jobs.volumes.iterdir() if "sqlite" not in path.name and path.name[0] != ".") == []
    )


def test_what_a_crash_left_on_the_volume_is_cut_off_by_the_next_job(jobs: Place) -> None:
    jobs.backup(line("good"), files=[b"/@GOOD"])
    jobs.backup(line("bad", sin="crash-commit"), files=[b"/@BAD"], name="Sealed")
    jobs.backup(line("bad", sin="kill-read"), files=[b"/@BAD"], name="Dead")
    ran = jobs.backup(line("good"), files=[b"/@GOOD"])
    assert ran.outcome.status is JobStatus.OK
    damage: list[object] = []
    scanned = VolumeDirectory.open(jobs.volumes).scan(damage.append)
    assert damage == []
    assert [one.label.name for one in scanned if one.label is not None] == ["Test", "Sealed", "Test"]
    assert jobs.verify(1, 2, ran.outcome.jobid).outcome.status is JobStatus.OK


def test_a_job_that_died_without_a_word_is_marked_by_the_next(jobs: Place) -> None:
    jobs.volumes.mkdir(mode=0o700)
    with Catalog.open(jobs.volumes, create=True) as catalog:
        dead = catalog.begin_job(
            NewJob("Dead", "c", "F", "x"), 1_800_000_000, ProcessMark(os.getpid(), 1, "other boot")
        )
    ran = jobs.backup(line("good"), files=[b"/@GOOD"])
    assert ran.outcome.status is JobStatus.OK
    assert any(
        f"{dead.job} (JobId 1) ended without a status (its process is gone); marked failed" in text
        for text in ran.texts()
    )
    with Catalog.read(jobs.volumes) as catalog:
        assert catalog.job(1).status == "f"


def test_a_directory_that_cannot_be_made_is_named(jobs: Place, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    from filed.cli.run import run_job
    from filed.fileset import FileSet, Include
    from filed.job.description import BackupJob, Places
    from tests.system_agents.jobs import Recorder

    fileset = FileSet(includes=(Include(files=(b"/@GOOD",)),))
    job = BackupJob(Places.within(tmp_path / "file" / "under"), "J", "c", Level.FULL, fileset, jobs.setup(line("good")))
    outcome = run_job(job, Recorder())
    assert outcome.status is JobStatus.FATAL
    assert str(tmp_path / "file") in outcome.text


def test_a_job_goes_on_in_new_volumes_and_comes_back(jobs: Place, tmp_path: Path) -> None:
    from filed.fileset import FileSet, Include, Options, Signature
    from filed.job.description import BackupJob, Places

    fileset = FileSet(includes=(Include((Options(signature=Signature.MD5),), (b"/@GOOD",)),))
    setup = jobs.setup(line("good", big="1000000"))
    ran = jobs.run(
        BackupJob(Places.within(jobs.volumes), "J", "c", Level.FULL, fileset, setup, max_volume_bytes=200_000)
    )
    assert ran.outcome.status is JobStatus.OK
    assert len(ran.outcome.volumes) >= 5
    assert all(size <= 200_000 for size in sizes(jobs).values())
    assert jobs.verify(ran.outcome.jobid).outcome.status is JobStatus.OK
    back = jobs.restore(ran.outcome.jobid, tmp_path / "r", line("good", restore="disk", big="1000000"))
    assert back.outcome.status is JobStatus.OK
    assert (tmp_path / "r" / "@GOOD" / "big").stat().st_size == 1_000_000


def test_a_job_with_counted_errors_is_good_with_warnings_everywhere(jobs: Place) -> None:
    ran = jobs.backup(line("bad", sin="read-error"), files=[b"/@BAD"])
    assert ran.outcome.status is JobStatus.WARNINGS
    assert ran.job is not None
    assert (ran.job.status, ran.job.errors) == ("W", 2)
    (scanned,) = VolumeDirectory.open(jobs.volumes).scan()
    assert scanned.ended is not None
    assert scanned.ended.end is not None
    assert scanned.ended.end.status == "W"


def test_files_that_had_one_inode_number_after_another_are_not_linked(tmp_path: Path) -> None:
    compile_agent("good.c", tmp_path, "good", ["ONE_INODE"])
    jobs = Place(tmp_path / "volumes", (tmp_path,))
    ran = jobs.backup(line("good"), files=[b"/@GOOD"])
    assert ran.outcome.status is JobStatus.WARNINGS
    told = [text for text in ran.texts(Severity.WARNING) if "one inode with" in text]
    assert len(told) == ran.outcome.totals.warnings == 1  # and then none is believed
    assert {row.type for row in jobs.tree(ran.outcome.jobid).values()}.isdisjoint({FileType.HARD_LINK})
    back = jobs.restore(ran.outcome.jobid, tmp_path / "to", line("good", restore="disk"))
    assert back.outcome.status is JobStatus.OK
    sizes = [path.stat().st_size for path in (tmp_path / "to").rglob("*") if path.is_file() and not path.is_symlink()]
    assert len(set(sizes)) == len(sizes) == 9


def test_attributes_that_could_not_be_saved_leave_the_job_with_warnings(jobs: Place) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:  # ext4 keeps 4 KiB of them, tmpfs far more
        file = Path(name) / "file"
        file.write_bytes(b"x")
        for number in range(100):
            os.setxattr(file, f"user.{number}", bytes(60_000))
        ran = jobs.backup(line("filesystem"), files=[bytes(file)], options=Options(xattrsupport=True))
    assert (ran.outcome.status, ran.outcome.totals.errors) == (JobStatus.WARNINGS, 1)
    assert any("Not all attributes" in text for text in ran.texts())
