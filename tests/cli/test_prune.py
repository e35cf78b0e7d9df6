"""`filed prune`."""

from __future__ import annotations

import fcntl
import re
import time
from pathlib import Path

import pytest

from filed.catalog import Catalog
from tests.cli.conftest import Filed, Saved


def ids(filed: Filed, saved: Saved) -> list[int]:
    return [job["jobid"] for job in filed("jobs", "-s", saved.volumes, "--json").json]


def backup_twice(filed: Filed, saved: Saved) -> None:
    """JobIds 3 and 4, each a Full on a Volume of its own."""
    for _ in range(2):
        filed("backup", "-s", saved.volumes, "--level", "full", saved.source)


def test_without_a_rule_nothing_good_goes(filed: Filed, saved: Saved) -> None:
    said = filed("prune", "-s", saved.volumes)
    assert (said.code, said.out) == (0, "0 Jobs removed, 2 kept, 0 B freed\n")


def test_the_newest_fulls_and_what_builds_on_them_stay(filed: Filed, saved: Saved) -> None:
    backup_twice(filed, saved)
    said = filed("prune", "-s", saved.volumes, "--keep-fulls", 1)
    assert said.code == 0
    assert ids(filed, saved) == [4]
    assert "removed JobId 1, Full" in said.out
    assert "removed Volume Vol-0001" in said.out
    assert not (saved.volumes / "Vol-0001").exists()
    assert filed("verify", "-s", saved.volumes).code == 0


def test_a_dry_run_only_says_so(filed: Filed, saved: Saved) -> None:
    filed("backup", "-s", saved.volumes, "--level", "full", saved.source)
    said = filed("prune", "-s", saved.volumes, "--keep-fulls", 1, "--dry-run")
    assert "would remove JobId 2, Incremental" in said.out
    assert ids(filed, saved) == [1, 2, 3]


def test_json_has_what_went_and_what_stayed(filed: Filed, saved: Saved) -> None:
    filed("backup", "-s", saved.volumes, "--level", "full", saved.source)
    document = filed("prune", "-s", saved.volumes, "--keep-fulls", 1, "--json").json
    assert sorted(document["removed"]) == [1, 2]
    assert document["kept"] == 1
    assert document["dry_run"] is False


def test_the_newest_good_backup_stays_whatever_its_age(filed: Filed, saved: Saved) -> None:
    said = filed("prune", "-s", saved.volumes, "--older-than", "0 seconds")
    assert said.code == 0
    assert ids(filed, saved) == [1, 2]


def test_a_time_that_is_none_is_a_wrong_argument(filed: Filed, saved: Saved) -> None:
    said = filed("prune", "-s", saved.volumes, "--older-than", "a fortnight")
    assert said.code == 1
    assert "--older-than a fortnight" in said.err


def test_a_volume_in_use_stays_and_is_told(filed: Filed, saved: Saved) -> None:
    backup_twice(filed, saved)
    with (saved.volumes / "Vol-0001").open("rb+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        said = filed("prune", "-s", saved.volumes, "--keep-fulls", 1)
    assert said.code == 3
    assert "Volume Vol-0001 is in use by a running Job" in said.err


def test_an_incremental_that_stays_keeps_the_full_it_builds_on(filed: Filed, saved: Saved) -> None:
    """By its age the Full would go: the rules are about Jobs, the tree of the kept one counts more."""
    filed("backup", "-s", saved.volumes, "--level", "incremental", saved.source)
    with Catalog.open(saved.volumes) as catalog, catalog.database.transaction() as connection:
        connection.execute("UPDATE job SET start_time = start_time - 864000 WHERE job_id = 1")
    assert filed("prune", "-s", saved.volumes, "--older-than", "5 days").out == "0 Jobs removed, 3 kept, 0 B freed\n"
    assert ids(filed, saved) == [1, 2, 3]
    assert filed("verify", "-s", saved.volumes).code == 0


def test_what_is_old_goes_with_its_volume_and_failed_jobs_go_without_a_rule(filed: Filed, saved: Saved) -> None:
    backup_twice(filed, saved)
    with Catalog.open(saved.volumes) as catalog, catalog.database.transaction() as connection:
        connection.execute("UPDATE job SET start_time = start_time - 864000 WHERE job_id <= 3")
    said = filed("prune", "-s", saved.volumes, "--older-than", "1 week", "--json").json
    assert (sorted(said["removed"]), said["volumes"], said["kept"]) == ([1, 2, 3], ["Vol-0001", "Vol-0002"], 1)
    assert list(said) == ["removed", "volumes", "kept", "reasons", "problems", "freed_bytes", "held", "dry_run"]
    assert not (saved.volumes / "Vol-0001").exists()


@pytest.mark.parametrize("count", ["0", "-1", "all"])
def test_a_count_is_one_at_least(filed: Filed, saved: Saved, count: str) -> None:
    said = filed("prune", "-s", saved.volumes, "--keep-fulls", count)
    assert said.code == 1
    assert "--keep-fulls" in said.err


def test_a_directory_that_holds_no_volumes_is_left_as_it_is(filed: Filed, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert filed("prune", "-s", tmp_path).code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_dry_run_says_why_each_job_stays(filed: Filed, saved: Saved) -> None:
    backup_twice(filed, saved)
    said = filed("prune", "-s", saved.volumes, "--keep-last", 1, "--keep-daily", 1, "--dry-run").out
    day = time.strftime("%Y-%m-%d")
    assert re.search(rf"^would keep JobId 4, \S+: newest, last, daily {day}$", said, re.MULTILINE)
    assert ids(filed, saved) == [1, 2, 3, 4]
    document = filed("prune", "-s", saved.volumes, "--keep-within", "1 day", "--json").json
    assert document["removed"] == []
    assert document["reasons"]["4"] == ["newest", "within the time of the newest"]


def test_a_wrong_time_names_its_option(filed: Filed, saved: Saved) -> None:
    said = filed("prune", "-s", saved.volumes, "--keep-within", "soon")
    assert (said.code, "--keep-within soon" in said.err) == (1, True)


def test_delete_removes_what_is_named_and_its_volumes(filed: Filed, saved: Saved) -> None:
    backup_twice(filed, saved)
    assert "would remove JobId 2" in filed("delete", "-s", saved.volumes, 1, 2, "--dry-run").out
    said = filed("delete", "-s", saved.volumes, 1, 2)
    assert (said.code, ids(filed, saved)) == (0, [3, 4])
    assert "removed Volume Vol-0001" in said.out
    assert not (saved.volumes / "Vol-0001").exists()
    assert filed("verify", "-s", saved.volumes).code == 0


def test_delete_refuses_what_another_job_builds_on(filed: Filed, saved: Saved) -> None:
    said = filed("delete", "-s", saved.volumes, 1)
    assert said.code != 0
    assert "JobId 2 builds on JobId 1: name both, or neither; nothing was removed" in said.err
    assert ids(filed, saved) == [1, 2]
