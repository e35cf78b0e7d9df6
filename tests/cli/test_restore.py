"""`filed restore`."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from filed.catalog import Catalog
from tests.cli.conftest import Filed, Saved
from tests.vector_keys import KEYS


def below(where: Path, saved: Saved) -> Path:
    return where / saved.source.relative_to("/")


def test_the_newest_tree_comes_back_below_where(filed: Filed, saved: Saved, tmp_path: Path) -> None:
    where = tmp_path / "r"
    said = filed("restore", "-s", saved.volumes, "--where", where)
    assert said.code == 0, said.err
    root = below(where, saved)
    assert (root / "a").read_text() == "a is longer now"
    assert not (root / "b").exists()
    assert (root / "link").readlink() == Path("a")
    assert f"Restore of JobId 2 to {where}: OK" in said.out


def test_an_older_job_is_the_tree_of_its_time(filed: Filed, saved: Saved, tmp_path: Path) -> None:
    filed("restore", "-s", saved.volumes, 1, "--where", tmp_path / "r")
    root = below(tmp_path / "r", saved)
    assert ((root / "a").read_text(), (root / "b").read_text()) == ("a one", "b")


def test_only_the_paths_given_come_back(filed: Filed, saved: Saved, tmp_path: Path) -> None:
    filed("restore", "-s", saved.volumes, "latest", saved.source / "sub", "--where", tmp_path / "r")
    root = below(tmp_path / "r", saved)
    assert sorted(path.name for path in root.rglob("*")) == ["c", "sub"]


def test_what_nobody_saved_is_an_error_that_says_where_to_look(filed: Filed, saved: Saved, tmp_path: Path) -> None:
    said = filed("restore", "-s", saved.volumes, "/never/saved", "--where", tmp_path / "r")
    assert said.code == 1
    assert "no good backup holds /never/saved; `filed find` looks for names in all of them" in said.err
    said = filed("restore", "-s", saved.volumes, 2, "/never/saved", "--where", tmp_path / "r")
    assert said.code == 2
    assert "nothing to restore: the paths given hold no entry at JobId 2; see `filed ls`" in said.err


@pytest.mark.parametrize(("replace", "content"), [("always", "a is longer now"), ("never", "mine")])
def test_replace_decides_about_what_is_there(
    filed: Filed, saved: Saved, tmp_path: Path, replace: str, content: str
) -> None:
    root = below(tmp_path / "r", saved)
    root.mkdir(parents=True)
    (root / "a").write_text("mine")
    said = filed("restore", "-s", saved.volumes, "--where", tmp_path / "r", "--replace", replace)
    assert said.code == 0
    assert (root / "a").read_text() == content
    assert ("left as they were" in said.out) is (replace == "never")


def test_a_dry_run_lists_and_writes_nothing(filed: Filed, saved: Saved, tmp_path: Path) -> None:
    said = filed("restore", "-s", saved.volumes, "--where", tmp_path / "r", "--dry-run")
    assert f"{saved.source}/a" in said.out.splitlines()
    assert not (tmp_path / "r").exists()
    document = filed("restore", "-s", saved.volumes, "--where", tmp_path / "r", "--dry-run", "--json").json
    assert document["jobid"] == 2
    assert f"{saved.source}/a" in document["paths"]


def test_json_tells_how_it_went(filed: Filed, saved: Saved, tmp_path: Path) -> None:
    document = filed("restore", "-s", saved.volumes, "--where", tmp_path / "r", "--json").json
    assert (document["jobid"], document["status"], document["errors"]) == (2, "T", 0)
    assert document["files"] == 5


def test_where_must_be_given(filed: Filed, saved: Saved) -> None:
    assert filed("restore", "-s", saved.volumes).code == 1


def test_a_job_that_is_no_good_backup_is_refused(filed: Filed, saved: Saved, tmp_path: Path) -> None:
    from filed.catalog import Catalog, NewJob

    with Catalog.open(saved.volumes) as catalog:
        job = catalog.begin_job(NewJob("Backup", "here", "F", "x"), 1_800_000_000)
        catalog.fail_job(job.job_id, 1_800_000_001, "the disk was full")
    said = filed("restore", "-s", saved.volumes, 3, "--where", tmp_path / "r")
    assert said.code == 1
    assert "JobId 3 is no good backup (the disk was full)" in said.err


def test_an_empty_catalog_says_how_to_make_a_backup(filed: Filed, tmp_path: Path) -> None:
    from filed.catalog import Catalog

    Catalog.open(tmp_path, create=True).close()
    said = filed("restore", "-s", tmp_path, "--where", tmp_path / "r")
    assert said.code == 1
    assert "make one with: filed backup -s DIR PATH..." in said.err


def test_the_json_document_keeps_its_keys(filed: Filed, saved: Saved, tmp_path: Path) -> None:
    assert list(filed("restore", "-s", saved.volumes, "--where", tmp_path / "r", "--json").json) == [
        "jobid", "status", "files", "bytes", "skipped", "errors", "warnings", "seconds", "text",
    ]  # fmt: skip


def test_a_where_that_leads_to_itself_is_told_by_the_agent(filed: Filed, saved: Saved, tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to("loop")
    said = filed("restore", "-s", saved.volumes, "--where", loop)
    assert said.code == 2
    assert "Too many levels of symbolic links" in said.err
    assert "internal error" not in said.err


def test_keys_open_what_was_encrypted_and_without_them_nothing_looks_whole(
    filed: Filed, saved: Saved, tmp_path: Path
) -> None:
    pair = tmp_path / "pair.pem"
    pair.write_bytes((KEYS / "TEST-ONLY-client.pem").read_bytes())
    pair.chmod(0o600)
    volumes = tmp_path / "encrypted"
    assert filed("backup", "-s", volumes, "--encrypt", pair, saved.source).code == 0
    closed = filed("restore", "-s", volumes, "--where", tmp_path / "closed")
    assert closed.code == 2
    assert not (below(tmp_path / "closed", saved) / "a").exists()
    assert filed("restore", "-s", volumes, "--where", tmp_path / "open", "--keys", pair).code == 0
    assert (below(tmp_path / "open", saved) / "a").read_text() == "a is longer now"


def backdate(saved: Saved, number: int, text: str) -> None:
    with Catalog.open(saved.volumes) as catalog, catalog.database.transaction() as connection:
        start = int(time.mktime(time.strptime(text, "%Y-%m-%d %H:%M")))
        connection.execute("UPDATE job SET start_time = ? WHERE job_id = ?", (start, number))


@pytest.mark.parametrize(
    ("at", "number"),
    [
        ("2026-01-01", 1),
        ("2026-01-02 12:00", 1),
        ("2026-01-02T12:01", 2),
        ("2026-01-02", 2),
        ("2026-01-03 00:00:00", 2),
    ],
)
def test_a_time_chooses_the_newest_that_had_begun(filed: Filed, saved: Saved, at: str, number: int) -> None:
    backdate(saved, 1, "2026-01-01 23:59")
    backdate(saved, 2, "2026-01-02 12:01")
    said = filed("restore", "-s", saved.volumes, "--at", at, "--where", "/nowhere", "--dry-run", "--json")
    assert said.json["jobid"] == number
    listed = filed("ls", "-s", saved.volumes, "--at", at, saved.source / "b")
    assert (listed.code == 0) is (number == 1)


def test_a_time_that_fits_nothing_says_why(filed: Filed, saved: Saved, tmp_path: Path) -> None:
    for options, why in (
        (("--at", "1999-12-31"), "no good backup had begun by then; the first is JobId 1 of "),
        (("--at", "yesterday"), "'yesterday' is no time; write it as 2026-11-30"),
        (("--at", "2026-11-30", "1"), "JobId 1 and --at: give one of them"),
    ):
        said = filed("restore", "-s", saved.volumes, "--where", tmp_path / "r", *options)
        assert said.code != 0
        assert why in said.err
    assert not (tmp_path / "r").exists()


def test_a_path_chooses_the_newest_job_that_holds_it(filed: Filed, saved: Saved, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert filed("backup", "-s", saved.volumes, "--job", "Other", tmp_path / "other").code == 0
    wanted = ("restore", "-s", saved.volumes, "--where", "/nowhere", "--dry-run", "--json")
    assert filed(*wanted).json["jobid"] == 3
    assert filed(*wanted, saved.source / "a").json["jobid"] == 2
    assert filed(*wanted, "latest", saved.source / "a").json["jobid"] == 2
    said = filed(*wanted, saved.source / "b")
    assert "does not hold" in said.err
    assert "JobId 1 of " in said.err
