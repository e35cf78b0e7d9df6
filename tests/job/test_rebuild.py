"""The catalog made anew from the Volumes alone."""

from __future__ import annotations

from filed.catalog import Catalog, Level
from filed.fileset import FileSet, Include, Options
from filed.job.description import BackupJob, Places
from filed.job.rebuild import rebuild_catalog
from filed.process.outcome import JobStatus
from tests.system_agents.jobs import Place, line


def picture(jobs: Place) -> list[object]:
    with Catalog.read(jobs.volumes) as catalog:
        rows = catalog.jobs()
        trees = [list(catalog.tree(row.job_id)) for row in rows if row.good]
        objects = [list(catalog.restore_objects(row.job_id)) for row in rows if row.good]
        media = [catalog.media(row.job_id) for row in rows if row.good]
        plain = [[row._replace(plugin_id=bool(row.plugin_id)) for row in tree] for tree in trees]
        return [
            [
                (
                    row.job_id,
                    row.job,
                    row.level,
                    row.status,
                    row.base_job_id,
                    row.files,
                    row.bytes,
                    row.read_bytes,
                    row.deleted,
                    row.fileset_digest,
                    row.fileset_text,
                )
                for row in rows
                if row.good
            ],
            plain,
            objects,
            media,
        ]


def test_a_rebuilt_catalog_is_the_lost_one(jobs: Place) -> None:
    jobs.backup(line("good", files="9"), files=[b"/@GOOD"])
    jobs.backup(line("bad", sin="crash-read"), files=[b"/@BAD"], name="Failed")
    jobs.backup(line("good", files="12"), files=[b"/@GOOD"], level=Level.INCREMENTAL)
    jobs.backup(line("good", files="2"), plugins=["good: big = 8"], name="Lines")
    before = picture(jobs)
    for file in jobs.volumes.glob("catalog.sqlite*"):
        file.unlink()
    problems: list[str] = []
    report = rebuild_catalog(jobs.volumes, problems.append)
    assert problems == []
    assert report.jobs >= 3
    assert picture(jobs) == before


def test_what_is_damaged_is_told_and_the_rest_is_there(jobs: Place) -> None:
    jobs.backup(line("good"), files=[b"/@GOOD"])
    jobs.backup(line("good"), files=[b"/@GOOD"])
    volume = jobs.volumes / "Vol-0002"
    data = bytearray(volume.read_bytes())
    data[-30] ^= 0xFF
    volume.write_bytes(data)
    problems: list[str] = []
    rebuild_catalog(jobs.volumes, problems.append)
    assert problems
    assert "Vol-0002" in problems[0]
    with Catalog.read(jobs.volumes) as catalog:
        assert 1 in [row.job_id for row in catalog.jobs() if row.good]


def test_a_volume_that_is_none_is_told(jobs: Place) -> None:
    jobs.backup(line("good"), files=[b"/@GOOD"])
    (jobs.volumes / "Vol-0002").write_bytes(b"x" * 200)
    problems: list[str] = []
    rebuild_catalog(jobs.volumes, problems.append)
    assert any("Vol-0002" in problem for problem in problems)


def test_a_job_whose_first_volume_is_missing_is_left_out_and_the_others_are_there(jobs: Place) -> None:
    fileset = FileSet(includes=(Include(options=(Options(),), files=(b"/@GOOD",)),), name="T")
    setup = jobs.setup(line("good", big="2000000"))
    long = jobs.run(
        BackupJob(Places.within(jobs.volumes), "Long", "client", Level.FULL, fileset, setup, max_volume_bytes=300_000)
    )
    assert long.outcome.status is JobStatus.OK, long.messages
    first, *others = long.outcome.volumes
    assert others
    after = jobs.backup(line("good"), files=[b"/@GOOD"], name="After")
    (jobs.volumes / first).unlink()
    rebuild_catalog(jobs.volumes, lambda _problem: None)
    with Catalog.read(jobs.volumes) as catalog:
        assert [(row.job_id, row.name) for row in catalog.jobs()] == [(after.outcome.jobid, "After")]
    assert all((jobs.volumes / name).exists() for name in others), "a rebuild takes nothing away"
    assert jobs.verify(after.outcome.jobid).outcome.status is JobStatus.OK
