"""`filed backup`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.conftest import Filed, Saved


def test_a_backup_says_what_it_saved_and_where(filed: Filed, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").write_text("x" * 5000)
    said = filed("backup", "-s", tmp_path / "v", tmp_path / "source")
    assert said.code == 0
    assert said.err == ""
    assert "JobId 1, Full: OK" in said.out
    assert "2 files, 5 kB read" in said.out
    assert "on Vol-0001" in said.out


def test_json_is_one_document_of_numbers(filed: Filed, saved: Saved) -> None:
    said = filed("backup", "-s", saved.volumes, "--json", "--level", "incremental", saved.source)
    document = said.json
    assert (document["jobid"], document["level"], document["status"]) == (3, "Incremental", "T")
    assert document["errors"] == 0
    assert document["volumes"] == ["Vol-0001"]


def test_a_first_incremental_is_a_full_and_says_why(filed: Filed, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    said = filed("backup", "-s", tmp_path / "v", "--level", "incremental", tmp_path / "source")
    assert "doing a Full instead of an Incremental" in said.err
    assert "Full: OK" in said.out


def test_deletions_are_counted(filed: Filed, saved: Saved) -> None:
    (saved.source / "sub" / "c").unlink()
    said = filed("backup", "-s", saved.volumes, "--level", "incremental", saved.source)
    assert "1 deleted since the last backup" in said.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("-s", "/tmp/nowhere"), "what is to be saved?"),
        (("/etc",), "which directory of Volumes?"),
        (("-s", "/tmp/nowhere", "--compress", "zip", "/etc"), "--compress zip: give gzip1"),
        (("-s", "/tmp/nowhere", "--digest", "crc", "/etc"), "--digest crc: give md5"),
        (("-s", "/tmp/nowhere", "--level", "daily", "/etc"), "daily"),
        (
            (
                "-c",
                "/nonexistent/filed.conf",
            ),
            "/nonexistent/filed.conf",
        ),
        (("-c", "/nonexistent/filed.conf", "/etc"), "not both"),
    ],
)
def test_a_wrong_command_line_does_nothing_and_says_what_to_give(
    filed: Filed, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], says: str
) -> None:
    monkeypatch.delenv("FILED_STORAGE", raising=False)
    said = filed("backup", *arguments)
    assert said.code == 1
    assert says in said.err
    assert not Path("/tmp/nowhere").exists()


def test_a_path_that_is_not_there_is_counted_and_the_rest_is_saved(filed: Filed, tmp_path: Path) -> None:
    (tmp_path / "here").write_text("x")
    said = filed("backup", "-s", tmp_path / "v", tmp_path / "here", tmp_path / "gone")
    assert said.code == 3
    assert "OK, with warnings" in said.out
    assert f"{tmp_path / 'gone'}" in said.err


def test_a_job_that_fails_says_so_on_stderr_with_code_2(filed: Filed, tmp_path: Path) -> None:
    said = filed("backup", "-s", tmp_path / "v", tmp_path / "missing")
    assert said.code == 2
    assert "filed: the Job failed" in said.err
    assert said.out == ""


def test_exclude_leaves_out_what_matches(filed: Filed, saved: Saved, tmp_path: Path) -> None:
    filed("backup", "-s", tmp_path / "v", "--exclude", "*/sub", saved.source)
    names = filed("ls", "-s", tmp_path / "v").out
    assert "/a\n" in names
    assert "/sub" not in names


def test_the_storage_may_come_from_the_environment(
    filed: Filed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FILED_STORAGE", os.fspath(tmp_path / "v"))
    (tmp_path / "file").write_text("x")
    assert filed("backup", tmp_path / "file").code == 0
    assert (tmp_path / "v" / "Vol-0001").exists()


def test_a_file_that_gets_larger_is_not_called_saved(filed: Filed, tmp_path: Path) -> None:
    (tmp_path / "tiny").write_text("x")
    out = filed("backup", "-s", tmp_path / "v", tmp_path / "tiny").out
    assert "% larger: many tiny files" in out
    assert "-" not in out.splitlines()[1]


@pytest.mark.parametrize("size", ["-1", "many"])
def test_a_volume_has_a_size_or_none(filed: Filed, tmp_path: Path, size: str) -> None:
    said = filed("backup", "-s", tmp_path / "v", "--max-volume-bytes", size, "/etc")
    assert said.code == 1
    assert "--max-volume-bytes" in said.err
    assert not (tmp_path / "v").exists()


@pytest.mark.parametrize(
    "words", [("--compress", "none"), ("--digest", "md5"), ("--exclude", "*.x"), ("--encrypt", "/k.pem"),
              ("--max-volume-bytes", "9")]
)  # fmt: skip
def test_what_a_conf_says_is_not_said_twice(filed: Filed, tmp_path: Path, words: tuple[str, ...]) -> None:
    said = filed("backup", "-c", tmp_path / "filed.conf", *words)
    assert said.code == 1
    assert "with a conf, its FileSet, Storage and FileDaemon say how; --level and -s may differ" in said.err


def test_the_json_document_keeps_its_keys(filed: Filed, saved: Saved) -> None:
    assert list(filed("backup", "-s", saved.volumes, "--json", saved.source).json) == [
        "jobid", "level", "status", "files", "bytes", "read_bytes", "stored_bytes", "deleted", "errors", "warnings",
        "volumes", "created", "seconds", "text",
    ]  # fmt: skip


def test_a_job_of_a_conf_is_saved_where_the_conf_says(filed: Filed, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").write_text("x")
    conf = tmp_path / "filed.conf"
    conf.write_text(
        "Job { Name = Nightly; Level = Incremental; FileSet = F; Storage = S }\n"
        f'FileSet {{ Name = F; Include {{ Options {{ Signature = MD5 }} File = "{tmp_path}/source" }} }}\n'
        f'Storage {{ Name = S; Archive Device = "{tmp_path}/v" }}\n'
    )
    assert "doing a Full instead of an Incremental" in filed("backup", "-c", conf).err
    assert filed("backup", "-c", conf, "--job", "Nightly", "--json").json["level"] == "Incremental"
    assert filed("backup", "-c", conf, "--level", "full", "-s", tmp_path / "other", "--json").json["jobid"] == 1
    assert [job["name"] for job in filed("jobs", "-c", conf, "--json").json] == ["Nightly", "Nightly"]
    assert filed("verify", "-c", conf, "--disk").code == 0
    assert filed("backup", "-c", conf, "--job", "Weekly").code == 1
