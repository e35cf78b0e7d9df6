"""Volumes of Storage Daemons of both releases: encrypted ones of 15 read by `filed` alone, and a chain that began with 9.6."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from filed.cli.main import run as filed
from tests.live.bacula import Bacula
from tests.live.daemons import debians
from tests.live.filed_daemon import FiledDaemon
from tests.live.jobs import restored, rows, shown
from tests.live.releases import BACULA_15
from tests.live.reports import saved
from tests.live.trees import LONG_AGO, age, plant

pytestmark = [pytest.mark.live, pytest.mark.root]

JOB = "Job { Name = Save; JobDefs = Common; FileSet = T; Accurate = yes }\n"
CONTENTS = {"a": b"content of a\n" * 1000, "sub/b": b"b" * 200_000, "gone": b"g", "empty": b""}


def file_set(tree: Path) -> str:
    return (
        "FileSet {\nName = T\nIgnore FileSet Changes = yes\nInclude {\nOptions {\nsignature = MD5\ncompression = GZIP1\n}\n"
        f'File = "{tree}"\n}}\n}}\n'
    )


def change(tree: Path) -> None:
    (tree / "gone").unlink()
    (tree / "new").write_bytes(b"new")
    (tree / "sub/b").write_bytes(b"changed")
    age(tree, LONG_AGO + 10)


def test_encrypted_volumes_are_read_with_the_keys_that_the_key_program_keeps(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tree, keys = tmp_path / "tree", tmp_path / "keys"
    keys.mkdir(mode=0o700)
    plant(tree, CONTENTS)
    full = shown(tree)
    program = BACULA_15.root / "etc/bacula/scripts/key-manager.py"
    with Bacula(tmp_path, release=BACULA_15) as bacula:
        bacula.write_confs(
            file_sets=file_set(tree), jobs=JOB, device="Volume Encryption = yes", pool="Maximum Volume Jobs = 1"
        )
        conf = bacula.conf("sd")
        script = tmp_path / "k"  # a line of a conf has room for 126 bytes
        script.write_text(f"#!/bin/sh\nexec {sys.executable} {program} getkey --cipher AES_256_XTS --key-dir {keys}\n")
        script.chmod(0o700)
        conf.write_text(conf.read_text().replace("Storage {\n", f'Storage {{\n  Encryption Command = "{script}"\n', 1))
        bacula.make_catalog()
        bacula.start("sd", "dir")
        with FiledDaemon(bacula):
            saved(bacula, "Save level=Full")
        change(tree)
        with debians(bacula):
            saved(bacula, "Save level=Incremental")
        bacula.stop("dir", "sd")
        volumes = str(bacula.volumes)
    assert len([*keys.iterdir()]) == 2
    assert b"content of a" not in b"".join(path.read_bytes() for path in bacula.volumes.iterdir())
    assert filed(["catalog", "rebuild", "-s", volumes]) == 3
    assert "no Volume key was given (--volume-key)" in capfd.readouterr().err
    assert filed(["catalog", "rebuild", "-s", volumes, "--volume-key", str(keys)]) == 0
    assert filed(["verify", "-s", volumes, "--volume-key", str(keys)]) == 0
    for job, wanted in (("1", full), ("2", shown(tree))):
        where = tmp_path / f"back{job}"
        assert filed(["restore", "-s", volumes, job, "--volume-key", str(keys), "--where", str(where)]) == 0
        assert shown(where / tree.relative_to("/")) == wanted
    first, second = sorted(keys.iterdir())
    text = first.read_text()
    first.write_text(re.sub("(?<=cipher_key: ).*", re.findall("cipher_key: (.*)", second.read_text())[0], text))
    assert filed(["verify", "-s", volumes, "1", "--volume-key", str(keys)]) != 0
    assert "encrypted with another key than the one given" in capfd.readouterr().err


def test_a_chain_of_both_releases_is_restored_by_each_of_four_clients(tmp_path: Path) -> None:
    """The Full with 9.6.7, its Volume scanned into the catalog of 15, the Incremental there."""
    tree = tmp_path / "tree"
    plant(tree, CONTENTS)
    with Bacula(tmp_path / "old") as older, Bacula(tmp_path / "new", release=BACULA_15) as newer:
        older.write_confs(file_sets=file_set(tree), jobs=JOB)
        older.make_catalog()
        older.start("sd", "dir")
        with FiledDaemon(older):
            saved(older, "Save level=Full")
        older.stop("dir", "sd")
        (volume,) = older.volumes.iterdir()
        shutil.copy(volume, newer.volumes)
        newer.write_confs(file_sets=file_set(tree), jobs=JOB)
        newer.make_catalog()
        newer.bscan(volume.name, "-s", "-m")
        change(tree)
        newer.start("sd", "dir")
        with FiledDaemon(newer):
            (incremental,) = saved(newer, "Save level=Incremental")
        assert rows(newer, f"SELECT Level FROM Job WHERE JobId = {incremental}") == [("I",)]
        older.password, older.ports["fd"] = newer.password, newer.ports["fd"]
        for protocol in ("auto", "9.6"):
            newer.write_fd("" if protocol == "auto" else "Protocol Version = 9.6")
            with FiledDaemon(newer):
                assert shown(restored(newer, f"1,{incremental}", tree)) == shown(tree), protocol
        newer.write_fd()
        older.write_fd()
        for client in (newer, older):
            with debians(client):
                assert shown(restored(newer, f"1,{incremental}", tree)) == shown(tree), client.release
