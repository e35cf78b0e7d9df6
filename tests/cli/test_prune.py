"""`filed prune`."""

from __future__ import annotations

import fcntl
import os

from tests.cli.conftest import Filed, Saved


def ids(filed: Filed, saved: Saved) -> list[int]:
    return [job["jobid"] for job in filed("jobs", "-s", saved.volumes, "--json").json]


def fill_a_volume(filed: Filed, saved: Saved) -> None:
    """JobId 3 makes Vol-0001 long enough to be full, so that JobId 4 is alone in Vol-0002."""
    (saved.source / "noise").write_bytes(os.urandom(200_000))
    filed("backup", "-s", saved.volumes, saved.source)
    (saved.source / "noise").unlink()
    filed("backup", "-s", saved.volumes, "--max-volume-bytes", 1, saved.source)


def test_without_a_rule_nothing_good_goes(filed: Filed, saved: Saved) -> None:
    said = filed("prune", "-s", saved.volumes)
    assert (said.code, said.out) == (0, "0 Jobs removed, 2 kept\n")


def test_the_newest_fulls_and_what_builds_on_them_stay(filed: Filed, saved: Saved) -> None:
    fill_a_volume(filed, saved)
    said = filed("prune", "-s", saved.volumes, "--keep-fulls", 1)
    assert said.code == 0
    assert ids(filed, saved) == [4]
    assert "removed JobId 1, Full" in said.out
    assert "removed Volume Vol-0001" in said.out
    assert not (saved.volumes / "Vol-0001").exists()
    assert filed("verify", "-s", saved.volumes).code == 0


def test_a_dry_run_only_says_so(filed: Filed, saved: Saved) -> None:
    filed("backup", "-s", saved.volumes, saved.source)
    said = filed("prune", "-s", saved.volumes, "--keep-fulls", 1, "--dry-run")
    assert "would remove JobId 2, Incremental" in said.out
    assert ids(filed, saved) == [1, 2, 3]


def test_json_has_what_went_and_what_stayed(filed: Filed, saved: Saved) -> None:
    filed("backup", "-s", saved.volumes, saved.source)
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
    fill_a_volume(filed, saved)
    with (saved.volumes / "Vol-0001").open("rb+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        said = filed("prune", "-s", saved.volumes, "--keep-fulls", 1)
    assert said.code == 3
    assert "Volume Vol-0001 is in use by a running Job" in said.err
