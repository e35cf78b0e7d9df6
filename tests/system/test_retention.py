"""Which backup is the newest, which ones prune lets go, and what that frees."""

from __future__ import annotations

import os
from pathlib import Path

from tests.system.conftest import Store
from tests.system.program import filed, filed_program
from tests.system.wrong_clock import clock_off


def saved_text(store: Store, where: Path, file: Path, job: str = "latest") -> str:
    store("restore", job, "--where", where)
    return (where / file.relative_to("/")).read_text()


def test_a_disk_that_is_not_mounted_for_weeks_pushes_no_backup_out(store: Store, place: Path) -> None:
    disk = place / "disk"
    disk.mkdir()
    (disk / "precious").write_text("precious")
    store("backup", "--level", "full", disk)
    disk.rename(place / "away")
    for level in ("full", "incremental"):
        said = store("backup", "--level", level, disk, code=2)
        assert "none of its paths could be looked at" in said.err
    assert [job["status"] for job in store.jobs()] == ["T", "f", "f"]
    store("prune", "--keep-fulls", "2")
    store("prune", "--keep-fulls", "1")
    assert saved_text(store, place / "r", disk / "precious") == "precious"


def test_one_path_that_can_be_looked_at_makes_a_backup(store: Store, place: Path) -> None:
    (place / "there").mkdir()
    said = store("backup", "--level", "full", place / "there", place / "missing", code=3)
    assert f"{place}/missing: No such file or directory" in said.err


def test_with_a_journal_a_path_in_which_nothing_changed_was_looked_at(store: Store, place: Path) -> None:
    """Its agent lists no unchanged name: but for the path itself that would be a Job that saw nothing."""
    (place / "there").mkdir()
    (place / "there" / "file").touch()
    conf = place / "filed.conf"
    conf.write_text(
        f'plugin filesystem {{\n  journal = auto\n  journal_directory = "{place}/journal"\n}}\n'
        f'Storage {{ Name = s; Archive Device = "{store.path}" }}\n'
        f'FileSet {{ Name = f; Include {{ Options {{ signature = SHA256 }}; File = "{place}/there"; File = "{place}/missing" }} }}\n'
        "Job { Name = j; FileSet = f; Storage = s }\n"
    )
    for level in ("full", "incremental", "incremental"):
        filed("backup", "-c", conf, "--level", level, code=3)
    assert store.jobs()[-1]["files"] == 0


def test_a_job_of_a_clock_that_was_ahead_is_not_the_newest_for_ever(store: Store, place: Path) -> None:
    file = place / "s" / "a"
    file.parent.mkdir()
    file.write_text("one")
    store("backup", "--level", "full", file.parent)
    file.write_text("two")
    filed_program("backup", "-s", store.path, "--level", "incremental", file.parent, env=clock_off(200_000_000))
    file.write_text("three")
    said = store("backup", "--level", "incremental", file.parent)
    assert "the clock was set back, or was ahead before: JobId 2 began at a later time than now" in said.err
    assert [job["base_jobid"] for job in store.jobs()] == [None, 1, 2]
    assert saved_text(store, place / "r", file) == "three"
    store("backup", "--level", "full", file.parent)
    store("prune", "--keep-fulls", "1")
    assert [job["jobid"] for job in store.jobs()] == [4]


def test_what_prune_removes_frees_the_disk(store: Store, place: Path) -> None:
    file = place / "s" / "noise"
    file.parent.mkdir()
    for _ in range(4):
        file.write_bytes(os.urandom(1_000_000))
        store("backup", "--level", "full", "--compress", "none", file.parent)
    assert store("prune", "--keep-fulls", "1", "--dry-run").out.endswith("3 Jobs to go, 1 kept, 3.01 MB to be freed\n")
    said = store("prune", "--keep-fulls", "1").out
    assert said.endswith("3 Jobs removed, 1 kept, 3.01 MB freed\n")
    assert sum(path.stat().st_size for path in store.path.glob("Vol-*")) < 1_100_000


def test_prune_says_what_holds_room_that_no_job_has(store: Store, place: Path) -> None:
    """Jobs of another name lie behind the Full on its Volume."""
    file = place / "s" / "noise"
    file.parent.mkdir()
    file.write_bytes(os.urandom(1_000_000))
    other = place / "other"
    other.mkdir()
    store("backup", "--level", "full", "--job", "Other", other)
    store("backup", "--level", "full", "--compress", "none", file.parent)
    store("backup", "--job", "Other", "--level", "incremental", other)
    store("backup", "--level", "full", "--compress", "none", file.parent)
    document = store("prune", "--keep-fulls", "1", "--json").json
    (held,) = document["held"]
    assert (held["volume"], held["jobids"]) == ("Vol-0002", [3])
    assert 1_000_000 < held["unused_bytes"] < 1_010_000
    again = store("prune", "--keep-fulls", "1").out
    assert "Volume Vol-0002 stays: 1 MB of it belong to no Job any more, the rest is JobId 3. It is freed when" in again
