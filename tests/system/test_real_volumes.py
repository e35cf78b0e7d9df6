"""Volumes of real Storage Daemons, brought into a catalog and restored by `filed` as a user would do it."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import stat
from pathlib import Path

import pytest

from filed.cli.main import run
from tests.vector_keys import KEYS

VECTORS = Path(__file__).parents[1] / "vectors"
INDEX = json.loads((VECTORS / "index.json").read_text())
TREES = ("trees/sample.json", "trees/chunks.json", "trees/big.json")
WHOLE = sorted(name for name, about in INDEX.items() if about["source_tree"] in TREES and "volume_key_hex" not in about)

pytestmark = [
    pytest.mark.root,  # owners, devices and trusted attributes are part of the trees
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
]


def place(name: str, directory: Path) -> None:
    """The Volume under its own name, as the Storage Daemon had it."""
    directory.mkdir(exist_ok=True)
    source = VECTORS / INDEX[name]["file"]
    target = directory / INDEX[name]["volume"]
    if source.suffix == ".gz":
        target.write_bytes(gzip.decompress(source.read_bytes()))
    else:
        shutil.copyfile(source, target)


WEAKLY_SIGNED = {"pkienc-aes192-sha1sig", "pkisign-md5"}  # believed, with a warning


def keys_of(name: str) -> list[str]:
    """The last key named opens the data; the client's certificate proves the signatures."""
    keys = INDEX[name].get("keys")
    return ["--keys", f"{KEYS / Path(keys[-1]).name},{KEYS / 'TEST-ONLY-client.crt'}"] if keys else []


def check_entry(root: Path, entry: dict, options: str) -> None:
    path = root / entry["path"].lstrip("/")
    about = path.lstat()
    kinds = {"file": stat.S_IFREG, "dir": stat.S_IFDIR, "symlink": stat.S_IFLNK, "fifo": stat.S_IFIFO}
    kinds |= {"char": stat.S_IFCHR, "block": stat.S_IFBLK}
    assert stat.S_IFMT(about.st_mode) == kinds[entry["type"]], path
    assert (about.st_uid, about.st_gid) == (entry["uid"], entry["gid"]), path
    if entry["type"] == "symlink":
        assert os.readlink(path) == entry["target"]
        return
    assert int(entry["mode"], 8) == stat.S_IMODE(about.st_mode) or "acl" not in options, path
    assert about.st_mtime_ns // 10**9 == entry["mtime"], path
    if entry["type"] == "file":
        assert about.st_size == entry["size"], path
        assert about.st_nlink == entry["nlink"], path
        if entry["size"] < 1 << 30:
            assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"], path
        else:
            assert about.st_blocks * 512 < 1 << 20, "holes came back as zeros"
    if entry["type"] in ("char", "block"):
        assert [os.major(about.st_rdev), os.minor(about.st_rdev)] == entry["rdev"], path
    wanted = entry.get("xattr_hex", {}) if "xattrsupport" in options else {}
    for name, value in wanted.items():
        if not name.startswith("system.") or "aclsupport" in options:
            assert os.getxattr(path, name) == bytes.fromhex(value), (path, name)


@pytest.mark.parametrize("name", WHOLE)
def test_a_tree_saved_by_real_daemons_comes_back_whole(name: str, tmp_path: Path, capfd) -> None:
    volumes, where = tmp_path / "volumes", tmp_path / "where"
    place(name, volumes)
    assert run(["catalog", "rebuild", "-s", str(volumes)]) == 0
    assert run(["jobs", "-s", str(volumes), "--json"]) == 0
    (job,) = json.loads(capfd.readouterr().out.splitlines()[-1])
    code = 3 if name in WEAKLY_SIGNED else 0
    assert run(["verify", "-s", str(volumes), *keys_of(name)]) == code
    assert run(["restore", "-s", str(volumes), *keys_of(name), str(job["jobid"]), "--where", str(where)]) == code
    entries = json.loads((VECTORS / INDEX[name]["source_tree"]).read_text())
    for entry in entries:
        if entry["type"] != "socket":
            check_entry(where, entry, INDEX[name]["fileset_options"])


def test_a_job_that_spans_three_volumes_comes_back_whole(tmp_path: Path, capfd) -> None:
    volumes, where = tmp_path / "volumes", tmp_path / "where"
    for number in ("0031", "0032", "0033"):
        place(f"span-{number}", volumes)
    assert run(["catalog", "rebuild", "-s", str(volumes)]) == 0
    assert run(["restore", "-s", str(volumes), "--where", str(where)]) == 0
    for entry in json.loads((VECTORS / "trees/multi.json").read_text()):
        check_entry(where, entry, "")


def test_an_accurate_incremental_of_real_daemons_leaves_out_what_was_deleted(tmp_path: Path, capfd) -> None:
    volumes, before, after = tmp_path / "volumes", tmp_path / "before", tmp_path / "after"
    place("incr", volumes)
    assert run(["catalog", "rebuild", "-s", str(volumes)]) == 0
    assert run(["jobs", "-s", str(volumes), "--json"]) == 0
    full, incremental = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert (full["level"], incremental["level"]) == ("F", "I")
    assert incremental["deleted"] == 1
    for job, where in ((full, before), (incremental, after)):
        assert run(["restore", "-s", str(volumes), str(job["jobid"]), "--where", str(where)]) == 0
    names = {path.name for path in before.rglob("*") if path.is_file()}
    later = {path.name for path in after.rglob("*") if path.is_file()}
    assert "b" in names
    assert names - later == {"b"}
    (changed,) = after.rglob("c")
    assert stat.S_IMODE(changed.stat().st_mode) == 0o600


def test_three_interleaved_jobs_of_a_volume_are_told_apart(tmp_path: Path, capfd) -> None:
    volumes = tmp_path / "volumes"
    place("interleaved", volumes)
    assert run(["catalog", "rebuild", "-s", str(volumes)]) == 0
    assert run(["jobs", "-s", str(volumes), "--json"]) == 0
    jobs = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert len(jobs) == 3
    assert run(["verify", "-s", str(volumes)]) == 0
    for job in jobs:
        where = tmp_path / str(job["jobid"])
        assert run(["restore", "-s", str(volumes), str(job["jobid"]), "--where", str(where)]) == 0
        assert any(path.is_file() for path in where.rglob("*"))


def test_the_entries_of_an_agent_that_is_not_here_are_told_and_the_rest_is_restored(tmp_path: Path, capfd) -> None:
    volumes, where = tmp_path / "volumes", tmp_path / "where"
    place("bpipe", volumes)
    assert run(["catalog", "rebuild", "-s", str(volumes)]) == 0
    assert run(["restore", "-s", str(volumes), "--where", str(where)]) == 2
    assert "bpipe" in capfd.readouterr().err


def test_a_signature_of_nobody_known_is_a_warning_and_the_data_comes_back(tmp_path: Path, capfd) -> None:
    volumes, where = tmp_path / "volumes", tmp_path / "where"
    place("pkienc", volumes)
    master = str(KEYS / "TEST-ONLY-master.pem")
    assert run(["catalog", "rebuild", "-s", str(volumes)]) == 0
    keys = ["--keys", master, "--accept-unsigned"]
    assert run(["verify", "-s", str(volumes), *keys]) == 3
    assert run(["restore", "-s", str(volumes), *keys, "--where", str(where)]) == 3
    assert capfd.readouterr().err.count("signatures could not be checked") == 2


def test_without_a_key_encrypted_data_is_told_file_by_file_and_nothing_looks_whole(tmp_path: Path, capfd) -> None:
    volumes, where = tmp_path / "volumes", tmp_path / "where"
    place("pkienc", volumes)
    assert run(["catalog", "rebuild", "-s", str(volumes)]) == 0
    assert run(["restore", "-s", str(volumes), "--where", str(where)]) == 2
    assert "hello.txt" in capfd.readouterr().err
    assert not list(where.rglob("hello.txt"))
