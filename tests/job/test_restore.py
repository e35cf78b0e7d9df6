"""A restore, told in order."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

from filed.catalog import Catalog, Level
from filed.process.outcome import JobStatus, Severity
from tests.system_agents.jobs import Place, line


@pytest.fixture
def saved(jobs: Place) -> int:
    return jobs.backup(line("good", files="3", big="0"), files=[b"/@GOOD"]).outcome.jobid


def test_the_tree_comes_back_and_the_numbers_agree(jobs: Place, saved: int, tmp_path: Path) -> None:
    ran = jobs.restore(saved, tmp_path / "r", line("good", restore="disk"))
    assert ran.outcome.status is JobStatus.OK
    assert ran.outcome.totals.files == len(jobs.tree(saved)) == 7
    assert ran.outcome.totals.read_bytes == 30


def test_a_chain_is_read_oldest_first(jobs: Place, saved: int, tmp_path: Path) -> None:
    later = jobs.backup(line("good", files="5", big="0"), files=[b"/@GOOD"], level=Level.INCREMENTAL).outcome.jobid
    ran = jobs.restore(later, tmp_path / "r", line("good", restore="disk"))
    assert ran.outcome.status is JobStatus.OK
    names = sorted(path.name for path in (tmp_path / "r" / "@GOOD" / "small").iterdir())
    assert names == ["0001", "0002", "0003", "0004", "0005"]


def test_a_job_that_is_not_there_is_named(jobs: Place, saved: int, tmp_path: Path) -> None:
    ran = jobs.restore(99, tmp_path / "r", line("good"))
    assert ran.outcome.status is JobStatus.FATAL
    assert "99" in ran.outcome.text


def test_paths_that_nobody_saved_are_an_error_that_says_where_to_look(jobs: Place, saved: int, tmp_path: Path) -> None:
    ran = jobs.restore(saved, tmp_path / "r", line("good"), paths=[b"/elsewhere"])
    assert ran.outcome.status is JobStatus.FATAL
    assert ran.outcome.text == f"nothing to restore: the paths given hold no entry at JobId {saved}; see `filed ls`"


def test_what_a_damaged_volume_took_with_it_is_told_and_the_rest_restored(jobs: Place, tmp_path: Path) -> None:
    saved = jobs.backup(line("good", files="3", big="1000000"), files=[b"/@GOOD"]).outcome.jobid
    volume = jobs.volumes / "Vol-0001"
    data = bytearray(volume.read_bytes())
    data[len(data) // 2] ^= 0xFF
    volume.write_bytes(data)
    ran = jobs.restore(saved, tmp_path / "r", line("good", restore="disk"))
    assert ran.outcome.status is JobStatus.ERROR
    assert any("Vol-0001" in text for text in ran.texts())
    assert (tmp_path / "r" / "@GOOD" / "small" / "0003").read_text() == "0003\n" * 3


def test_a_volume_that_is_gone_is_told(jobs: Place, saved: int, tmp_path: Path) -> None:
    (jobs.volumes / "Vol-0001").rename(tmp_path / "elsewhere")
    ran = jobs.restore(saved, tmp_path / "r", line("good"))
    assert ran.outcome.status in (JobStatus.ERROR, JobStatus.FATAL)
    assert any("Vol-0001" in text for text in (*ran.texts(), ran.outcome.text))


def test_a_catalog_that_cannot_be_written_restores_all_the_same(jobs: Place, saved: int, tmp_path: Path) -> None:
    """States cannot be marked then; the person is told what that means."""
    with Catalog.open(jobs.volumes) as catalog:
        catalog.database.connection.execute(
            "CREATE TRIGGER full BEFORE UPDATE ON agent_state BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        )
    ran = jobs.restore(saved, tmp_path / "r", line("good", restore="disk"))
    assert ran.outcome.status is JobStatus.WARNINGS
    (text,) = ran.texts(Severity.WARNING)
    assert "the disk is full" in text
    assert text.endswith("run a Full next: an Incremental of agent good would build on what is no more")


def test_what_the_volumes_do_not_give_is_named_and_many_are_counted(jobs: Place, tmp_path: Path) -> None:
    saved = jobs.backup(line("good", files="30", big="0"), files=[b"/@GOOD"]).outcome.jobid
    with Catalog.open(jobs.volumes) as catalog, catalog.database.transaction() as connection:
        connection.execute(
            "UPDATE file SET file_index = file_index + 1000 WHERE CAST(path AS TEXT) LIKE '/@GOOD/small/00__'"
        )
    ran = jobs.restore(saved, tmp_path / "r", line("good", restore="disk"))
    assert ran.outcome.status is JobStatus.ERROR
    told = [text for text in ran.texts(Severity.ERROR) if "not on the Volumes" in text]
    assert told[0] == f"/@GOOD/small/0001: it is not on the Volumes of JobId {saved}"
    assert len(told) == 21
    assert told[-1] == f"10 further entries are not on the Volumes of JobId {saved}"
    assert not (tmp_path / "r" / "@GOOD" / "small" / "0001").exists()
    assert (tmp_path / "r" / "@GOOD" / "link").is_symlink(), "the rest came back"


def test_directories_above_a_chosen_path_get_what_they_had_where_they_had_to_be_made(
    jobs: Place, tmp_path: Path
) -> None:
    source, where = tmp_path / "source", tmp_path / "where"
    (source / "open" / "closed").mkdir(parents=True)
    for name, mode in (("open", 0o751), ("open/closed", 0o710)):
        (source / name / "file").write_bytes(b"x")
        (source / name).chmod(mode)
    full = jobs.backup(line("filesystem"), files=[bytes(source)])
    (source / "open").chmod(0o755)
    now = jobs.backup(line("filesystem"), files=[bytes(source)], level=Level.INCREMENTAL)
    there = where / source.relative_to("/")
    for ran, modes in ((full, [0o751, 0o710]), (now, [0o755, 0o710])):
        chosen = [bytes(source / "open" / "closed" / "file")]
        back = jobs.restore(ran.outcome.jobid, where, line("filesystem"), paths=chosen)
        assert (back.outcome.status, back.outcome.totals.files) == (JobStatus.OK, 1)
        assert [stat.S_IMODE((there / name).stat().st_mode) for name in ("open", "open/closed")] == modes
        assert stat.S_IMODE(there.parent.stat().st_mode) == 0o700, "nobody knows what that one had"
        (there / "open").chmod(0o701)
        jobs.restore(ran.outcome.jobid, where, line("filesystem"), paths=chosen)
        assert stat.S_IMODE((there / "open").stat().st_mode) == 0o701, "what is there stays as it is"
        shutil.rmtree(where)
