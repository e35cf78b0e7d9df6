"""`filed verify`."""

from __future__ import annotations

import os
from pathlib import Path

from filed.catalog import Catalog
from tests.cli.conftest import Filed, Saved


def test_every_good_job_is_read_back(filed: Filed, saved: Saved) -> None:
    said = filed("verify", "-s", saved.volumes)
    assert said.code == 0
    assert "Verified JobId 1, 2: all is well" in said.out


def test_one_job_means_the_chain_it_builds_on(filed: Filed, saved: Saved) -> None:
    assert filed("verify", "-s", saved.volumes, 2, "--json").json["jobids"] == [1, 2]
    assert filed("verify", "-s", saved.volumes, 1, "--json").json["jobids"] == [1]


def test_a_damaged_volume_fails_with_code_2_and_names_the_place(filed: Filed, saved: Saved) -> None:
    volume = saved.volumes / "Vol-0001"
    data = bytearray(volume.read_bytes())
    data[data.index(b"source/a") + 3] ^= 0xFF
    volume.write_bytes(data)
    said = filed("verify", "-s", saved.volumes)
    assert said.code == 2
    assert "Vol-0001" in said.err


def test_a_disk_as_it_was_is_no_difference(filed: Filed, saved: Saved) -> None:
    said = filed("verify", "-s", saved.volumes, "--disk")
    assert said.code == 0, said.err
    assert "no difference" in said.out


def test_what_differs_on_the_disk_is_told_with_code_4(filed: Filed, saved: Saved) -> None:
    source = saved.source
    (source / "new").write_text("new")
    (source / "sub" / "c").unlink()
    before = (source / "a").stat()
    (source / "a").write_text("A is longer now")
    os.utime(source / "a", ns=(before.st_atime_ns, before.st_mtime_ns))
    said = filed("verify", "-s", saved.volumes, "--disk")
    assert said.code == 4
    told = said.err
    assert f"{source}/new is new" in told
    assert f"{source}/sub/c is gone" in told
    assert f"{source}/a its content has changed" in told


def test_json_tells_how_it_went(filed: Filed, saved: Saved) -> None:
    document = filed("verify", "-s", saved.volumes, "--disk", "--json").json
    assert (document["status"], document["errors"]) == ("T", 0)


def test_nothing_is_not_all_well(filed: Filed, tmp_path: Path) -> None:
    Catalog.open(tmp_path, create=True).close()
    said = filed("verify", "-s", tmp_path)
    assert (said.code, said.out) == (1, "")
    assert f"no good backup in {tmp_path}; make one with: filed backup -s DIR PATH..." in said.err


def test_the_json_document_keeps_its_keys(filed: Filed, saved: Saved) -> None:
    assert list(filed("verify", "-s", saved.volumes, "--json").json) == [
        "jobids", "status", "files", "bytes", "errors", "seconds", "text",
    ]  # fmt: skip


def test_a_disk_that_differs_says_so_in_json_too(filed: Filed, saved: Saved) -> None:
    (saved.source / "new").touch()
    said = filed("verify", "-s", saved.volumes, "--disk", "--json")
    assert (said.code, said.json["status"], said.json["jobids"]) == (4, "D", [2])


def test_paths_are_refused_and_not_passed_over(filed: Filed, saved: Saved) -> None:
    for words in (("/etc",), ("2", "/etc"), ("latest", "/etc")):
        said = filed("verify", "-s", saved.volumes, *words)
        assert said.code == 1
        assert "/etc: a verify takes one JobId or `latest`, and no paths" in said.err
