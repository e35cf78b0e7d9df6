"""Are the Volumes whole?"""

from __future__ import annotations

import os
from pathlib import Path

from filed.catalog import Catalog, Level
from filed.fileset import FileSet, Include, Options, Signature
from filed.job.description import BackupJob, KeyFiles, Places, VerifyJob
from filed.process.outcome import JobStatus, Severity
from tests.job.ends.test_volumes_verify import save
from tests.system_agents.jobs import Place, line
from tests.vector_keys import KEYS


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


def save_with(jobs: Place, root: Path, keys: KeyFiles) -> int:
    include = Include(options=(Options(signature=Signature.MD5),), files=(os.fsencode(root),))
    fileset = FileSet(includes=(include,), name="T")
    setup = jobs.setup(line("filesystem"))
    return jobs.run(
        BackupJob(Places.within(jobs.volumes), "Test", "client", Level.FULL, fileset, setup, keys)
    ).outcome.jobid


def test_signatures_that_nobody_can_check_are_one_warning_for_all_files(jobs: Place, tree: Path) -> None:
    keys = KeyFiles(KEYS / "TEST-ONLY-client.pem", encrypt=False)
    jobid = save_with(jobs, tree, keys)
    ran = jobs.verify(jobid)
    assert ran.outcome.status is JobStatus.WARNINGS
    (said,) = ran.texts(Severity.WARNING)
    assert said.startswith("signatures could not be checked: ")
    assert (
        jobs.run(VerifyJob(Places.within(jobs.volumes), (jobid,), jobs.setup(), keys=keys)).outcome.status
        is JobStatus.OK
    )


def test_without_the_key_each_encrypted_file_is_an_error(jobs: Place, tree: Path) -> None:
    jobid = save_with(jobs, tree, KeyFiles(KEYS / "TEST-ONLY-client.pem"))
    ran = jobs.verify(jobid)
    assert ran.outcome.status is JobStatus.ERROR
    names = [text.partition(":")[0] for text in ran.texts(Severity.ERROR)]
    assert len(names) == len(set(names)) == 2, "a further name has no data"
    assert f"{tree}/sub/other" in names
