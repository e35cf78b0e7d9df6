"""What a backup builds on."""

from __future__ import annotations

from filed.catalog import Level
from filed.fileset import Signature
from filed.process.outcome import Severity
from tests.job.conftest import Desk
from tests.system_agents.jobs import Place, line


def saved(jobs: Place, level: Level, **more):
    return jobs.backup(line("good", files="2", big="0"), files=[b"/@GOOD"], level=level, **more)


def test_the_first_job_is_a_full_whatever_was_asked_for_and_says_why(jobs: Place) -> None:
    ran = saved(jobs, Level.INCREMENTAL)
    assert ran.outcome.level == "Full"
    assert any("doing a Full instead of an Incremental" in text for text in ran.texts(Severity.INFO))
    assert ran.job is not None
    assert (ran.job.level, ran.job.base_job_id) == ("F", None)


def test_a_full_that_was_asked_for_needs_no_reason(jobs: Place) -> None:
    assert not any("instead of" in text for text in saved(jobs, Level.FULL).texts())


def test_an_incremental_builds_on_the_newest_job_and_a_differential_on_the_full(jobs: Place) -> None:
    full = saved(jobs, Level.FULL)
    first = saved(jobs, Level.INCREMENTAL)
    second = saved(jobs, Level.INCREMENTAL)
    third = saved(jobs, Level.DIFFERENTIAL)
    bases = [ran.job.base_job_id for ran in (first, second, third) if ran.job is not None]
    assert bases == [full.outcome.jobid, first.outcome.jobid, full.outcome.jobid]


def test_a_job_that_failed_is_no_base(jobs: Place) -> None:
    full = saved(jobs, Level.FULL)
    jobs.backup(line("good", page="0"), files=[b"/@GOOD"], level=Level.INCREMENTAL)
    ran = saved(jobs, Level.INCREMENTAL)
    assert ran.job is not None
    assert ran.job.base_job_id == full.outcome.jobid


def test_jobs_of_another_name_are_no_base(jobs: Place) -> None:
    saved(jobs, Level.FULL, name="Other")
    ran = saved(jobs, Level.DIFFERENTIAL)
    assert ran.outcome.level == "Full"
    assert any("doing a Full instead of a Differential" in text for text in ran.texts())


def test_the_bytes_of_the_last_full_are_what_the_next_one_expects(jobs: Place, desk: Desk) -> None:
    from filed.catalog import Catalog
    from filed.fileset import FileSet, Include, Options
    from filed.job.description import BackupJob, Places
    from filed.job.select.level import choose_base
    from filed.storage import VolumeDirectory

    full = jobs.backup(line("good"), files=[b"/@GOOD"])
    fileset = FileSet(includes=(Include((Options(signature=Signature.MD5),), (b"/@GOOD",)),), name="T")
    job = BackupJob(Places.within(jobs.volumes), "Test", "client", Level.FULL, fileset, jobs.setup())
    with Catalog.read(jobs.volumes) as catalog:
        base = choose_base(catalog, VolumeDirectory.open(jobs.volumes), job, desk.context.messages, 0.0)
    assert base.expected_bytes == full.outcome.totals.read_bytes > 0


def test_another_fileset_is_a_full_and_says_so(jobs: Place) -> None:
    saved(jobs, Level.FULL)
    ran = saved(jobs, Level.INCREMENTAL, signature=Signature.SHA1)
    assert ran.outcome.level == "Full"
    (said,) = [text for text in ran.texts(Severity.INFO) if "instead of" in text]
    assert "FileSet" in said
