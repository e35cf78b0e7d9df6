"""`filed jobs`, `ls`, `find`, `diff`."""

from __future__ import annotations

import os
from contextlib import redirect_stdout

import pytest

from filed.catalog import Catalog, NewJob
from filed.cli.main import run
from filed.cli.query import _when
from tests.cli.conftest import Filed, Saved
from tests.cli.screen import terminal


def test_jobs_are_listed_the_oldest_first(filed: Filed, saved: Saved) -> None:
    rows = filed("jobs", "-s", saved.volumes).out.splitlines()
    assert rows[0].split() == ["JobId", "Level", "Status", "Started", "Files", "Stored", "Base", "Enc", "Name"]
    assert [row.split()[:3] for row in rows[1:]] == [["1", "Full", "OK"], ["2", "Incr", "OK"]]
    assert rows[2].split()[-2:] == ["1", "Backup"]  # its base, its name


def test_jobs_as_json_have_every_field(filed: Filed, saved: Saved) -> None:
    first, second = filed("jobs", "-s", saved.volumes, "--json").json
    assert (first["jobid"], first["status"], first["level"]) == (1, "T", "F")
    assert (second["base_jobid"], second["deleted"]) == (1, 1)


def test_ls_shows_the_newest_tree_or_that_of_a_job(filed: Filed, saved: Saved) -> None:
    newest = filed("ls", "-s", saved.volumes).out.splitlines()
    assert newest == [
        f"{saved.source}/",
        f"{saved.source}/a",
        f"{saved.source}/link -> a",
        f"{saved.source}/sub/",
        f"{saved.source}/sub/c",
    ]
    assert f"{saved.source}/b" in filed("ls", "-s", saved.volumes, 1).out.splitlines()
    assert filed("ls", "-s", saved.volumes, "latest").out.splitlines() == newest


def test_ls_of_paths_shows_what_lies_at_and_below_them(filed: Filed, saved: Saved) -> None:
    rows = filed("ls", "-s", saved.volumes, saved.source / "sub").out.splitlines()
    assert rows == [f"{saved.source}/sub/", f"{saved.source}/sub/c"]


def test_the_long_form_has_mode_size_and_time(filed: Filed, saved: Saved) -> None:
    (row,) = [row for row in filed("ls", "-s", saved.volumes, "-l").out.splitlines() if row.endswith("/a")]
    mode, _uid, _gid, size = row.split()[:4]
    assert (mode[0], size) == ("-", "15")


def test_names_that_are_no_text_are_one_line_and_json_keeps_their_bytes(filed: Filed, saved: Saved) -> None:
    odd = os.fsencode(saved.source) + b"/new\nline \xff"
    with open(odd, "wb"):
        pass
    filed("backup", "-s", saved.volumes, "--level", "full", saved.source)
    assert f"{saved.source}/new\\nline \\xff" in filed("ls", "-s", saved.volumes).out.splitlines()
    names = {os.fsencode(row["path"]) for row in filed("ls", "-s", saved.volumes, "--json").json}
    assert odd in names


def test_find_shows_every_version_and_the_deletion(filed: Filed, saved: Saved) -> None:
    rows = filed("find", "-s", saved.volumes, "[ab]").out.splitlines()
    assert [(row.split()[0], row.rpartition("/")[2]) for row in rows] == [
        ("1", "a"),
        ("2", "a"),
        ("1", "b"),
        ("2", "b"),
    ] or sorted((row.split()[0], row.rpartition("/")[2]) for row in rows) == [
        ("1", "a"),
        ("1", "b"),
        ("2", "a"),
        ("2", "b"),
    ]
    assert sum("(deleted)" in row for row in rows) == 1
    only = filed("find", "-s", saved.volumes, "--job", 1, "b").out.splitlines()
    assert len(only) == 1


def test_diff_tells_added_removed_and_modified_with_code_4(filed: Filed, saved: Saved) -> None:
    said = filed("diff", "-s", saved.volumes, 1, 2)
    assert said.code == 4
    kinds = {row.split()[1]: row[0] for row in said.out.splitlines()}
    assert kinds[f"{saved.source}/b"] == "-"
    assert kinds[f"{saved.source}/a"] == "M"
    assert filed("diff", "-s", saved.volumes, 2, 1, "--json").json[-1]["change"] in "+M"
    same = filed("diff", "-s", saved.volumes, 2, 2)
    assert (same.code, same.out) == (0, "")


def test_an_empty_array_is_still_json(filed: Filed, saved: Saved) -> None:
    assert filed("find", "-s", saved.volumes, "--json", "nothing-like-it").json == []


def test_a_job_that_is_not_there_is_an_error(filed: Filed, saved: Saved) -> None:
    said = filed("ls", "-s", saved.volumes, 99)
    assert said.code == 1
    assert "99" in said.err


def test_a_time_that_no_calendar_has_is_shown_as_a_number() -> None:
    assert _when(10**18) == f"@{10**18}"
    assert _when(0).startswith("19")


def test_find_in_a_job_that_is_not_there_is_an_error(filed: Filed, saved: Saved) -> None:
    said = filed("find", "-s", saved.volumes, "--job", 99, "*")
    assert said.code == 1
    assert "JobId 99 is not in the catalog" in said.err


def test_a_path_with_two_slashes_at_the_front_is_found(filed: Filed, saved: Saved) -> None:
    assert f"{saved.source}/a" in filed("ls", "-s", saved.volumes, f"/{saved.source}").out.splitlines()


def test_documents_keep_their_keys(filed: Filed, saved: Saved) -> None:
    """Programs read them."""
    assert list(filed("ls", "-s", saved.volumes, "--json").json[0]) == [
        "path", "jobid", "fileindex", "type", "link", "mode", "uid", "gid", "size", "mtime", "digest",
    ]  # fmt: skip
    assert filed("find", "-s", saved.volumes, "--json", "link").json[0]["link"] == "a"
    assert list(filed("diff", "-s", saved.volumes, "--json", 1, 2).json[0]) == ["change", "path", "what"]
    assert {"jobid", "job", "name", "client", "level", "status", "start_time", "end_time", "base_jobid"} <= set(
        filed("jobs", "-s", saved.volumes, "--json").json[0]
    )


def test_diff_of_paths_tells_of_those_alone(filed: Filed, saved: Saved) -> None:
    rows = filed("diff", "-s", saved.volumes, 1, 2, saved.source / "b").out.splitlines()
    assert rows == [f"- {saved.source}/b"]
    assert filed("diff", "-s", saved.volumes, 1, 2, saved.source / "sub").code == 0


HUGE = 10**25


@pytest.mark.parametrize("words", [("ls", HUGE), ("diff", HUGE, 1), ("diff", 1, HUGE), ("find", "--job", HUGE, "a")])
def test_a_number_that_no_catalog_holds_is_a_job_that_is_not_there(
    filed: Filed, saved: Saved, words: tuple[object, ...]
) -> None:
    said = filed(words[0], "-s", saved.volumes, *words[1:])
    assert said.code == 1
    assert f"JobId {HUGE} is not in the catalog" in said.err


def test_a_job_that_holds_no_tree_is_not_compared(filed: Filed, saved: Saved) -> None:
    """All of the other tree would seem deleted."""
    with Catalog.open(saved.volumes) as catalog:
        failed = catalog.begin_job(NewJob("Backup", "here", "F", "x"), 1_800_000_000)
        catalog.fail_job(failed.job_id, 1_800_000_001, "the disk was full")
        catalog.begin_job(NewJob("Backup", "here", "F", "x"), 1_800_000_002)
    for numbers, why in (((1, 3), "the disk was full"), ((3, 1), "the disk was full"), ((1, 4), "it is still running")):
        said = filed("diff", "-s", saved.volumes, *numbers)
        assert (said.code, said.out) == (1, "")
        assert f"is no good backup ({why})" in said.err
    rows = filed("jobs", "-s", saved.volumes).out.splitlines()
    assert [row.split()[2] for row in rows[3:]] == ["failed", "running"]


def test_names_forge_no_line_of_find_or_diff_either(filed: Filed, saved: Saved) -> None:
    odd = os.fsencode(saved.source) + b"/two\nlines\x1b[2J \xff"
    with open(odd, "wb"):
        pass
    filed("backup", "-s", saved.volumes, "--level", "incremental", saved.source)
    shown = f"{saved.source}/two\\nlines\\x1b[2J \\xff"
    (row,) = filed("find", "-s", saved.volumes, "two*").out.splitlines()
    assert row.endswith(shown)
    assert f"+ {shown}" in filed("diff", "-s", saved.volumes, 2, 3).out.splitlines()
    (change,) = [c for c in filed("diff", "-s", saved.volumes, 2, 3, "--json").json if c["change"] == "+"]
    assert os.fsencode(change["path"]) == odd
    assert filed("find", "-s", saved.volumes, os.fsdecode(odd)).out.splitlines() == [row]
    assert filed("ls", "-s", saved.volumes, os.fsdecode(odd)).out.splitlines() == [shown]


def test_jobs_on_a_terminal_are_a_table_with_a_line(
    filed: Filed, saved: Saved, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with terminal() as screen, redirect_stdout(screen.file):
        assert run(["jobs", "-s", str(saved.volumes)]) == 0
        shown = screen.shown()
    assert "───" in shown
    assert "Incr" in shown
