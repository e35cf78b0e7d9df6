"""Verify Jobs of every level: the same ones with `filed daemon` and with Debian's File Daemon, and what the Director says of both.

One Director and Storage Daemon for the whole file. The Volumes have no checksums of blocks, so that damage gets as far as the File Daemon.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.live.bacula import Bacula
from tests.live.daemons import BOTH
from tests.live.jobs import status_of
from tests.live.releases import Release
from tests.live.reports import report, run, saved

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not shutil.which("bacula-dir", path="/usr/sbin:/usr/bin"), reason="no Bacula"),
]

LONG_AGO = 1_600_000_000
LEVELS = {"Cat": "Catalog", "Vol": "VolumeToCatalog", "Disk": "DiskToCatalog", "Data": "Data", "Exact": "Data"}
OF_THE_DISK = {"Cat", "Disk"}


@dataclass
class Heard:
    """What came of one File Daemon's Jobs: when -> Verify Job -> (status, lines that tell a difference)."""

    found: dict[str, dict[str, tuple[str, list[str]]]] = field(default_factory=dict)


def plant(tree: Path) -> None:
    shutil.rmtree(tree, ignore_errors=True)
    (tree / "sub").mkdir(parents=True)
    (tree / "a").write_text("a short text\n")
    (tree / "b").write_text("another\n")
    (tree / "empty").touch()
    (tree / "link").symlink_to("a")
    (tree / os.fsdecode(b"sub/n\xffame\n")).write_bytes(bytes(range(256)) * 300)
    (tree / "sub" / "c").write_text("the third\n")
    os.mkfifo(tree / "fifo", 0o640)
    for path in (*tree.rglob("*"), tree):
        os.utime(path, (LONG_AGO, LONG_AGO), follow_symlinks=False)


def differences(bacula: Bacula, job_id: int) -> list[str]:
    """What is said of files, without the place they lie in, and whose words they are."""
    told = [line for line in report(bacula, job_id) if re.search(r"/tree/|differ", line)]
    return sorted(re.sub(rf"{bacula.root.parent}/tree/", "", line.partition(": ")[2].strip()) for line in told)


def verified(bacula: Bacula, *jobs: str) -> dict[str, tuple[str, list[str]]]:
    # One after the other where they read: the Storage Daemon has one device.
    ids = run(bacula, *(job for job in jobs if job in OF_THE_DISK)) if OF_THE_DISK & {*jobs} else []
    ids += [run(bacula, job)[0] for job in jobs if job not in OF_THE_DISK]
    ordered = [job for job in jobs if job in OF_THE_DISK] + [job for job in jobs if job not in OF_THE_DISK]
    return {
        job: (status_of(bacula, job_id), differences(bacula, job_id)) for job, job_id in zip(ordered, ids, strict=True)
    }


def damaged(volumes: Path, *wholes: bytes) -> None:
    """Change the middle byte of the last copy of each."""
    (volume,) = volumes.iterdir()
    data = bytearray(volume.read_bytes())
    for whole in wholes:
        data[data.rindex(whole) + len(whole) // 2] ^= 1
    volume.write_bytes(data)


def scenario(bacula: Bacula, tree: Path) -> Heard:
    heard = Heard()
    plant(tree)
    saved(bacula, "Save", "SaveExact")
    assert [status_of(bacula, job_id) for job_id in run(bacula, "Cat level=InitCatalog")] == ["T"]
    heard.found["as saved"] = verified(bacula, *LEVELS)
    (tree / "a").write_text("A short text\n")
    (tree / "b").unlink()
    (tree / "new").write_text("new")
    (tree / "empty").chmod(0o600)
    heard.found["disk changed"] = verified(bacula, *OF_THE_DISK)
    plant(tree)
    saved(bacula, "Save")
    damaged(bacula.volumes, hashlib.md5(b"the third\n").digest())
    heard.found["digest changed"] = verified(bacula, "Vol", "Data")
    saved(bacula, "Save")
    damaged(bacula.volumes, b"a short text\n")
    heard.found["data changed"] = verified(bacula, "Vol", "Data")
    return heard


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, release: Release) -> tuple[Heard, Heard]:
    """Of `filed`, and of bacula-fd."""
    root = tmp_path_factory.mktemp("verify")
    tree = root / "tree"
    file_set = f'FileSet {{ Name = T; Include {{ Options {{ signature = MD5; verify = pinsugm5 }} File = "{tree}" }} }}'
    jobs = "Job { Name = Save; JobDefs = Common; FileSet = T }\n"
    jobs += "Job { Name = SaveExact; JobDefs = Common; FileSet = T; Accurate = yes }\n"
    jobs += "".join(
        f"Job {{ Name = {name}; JobDefs = Common; Type = Verify; Level = {level}; FileSet = T"
        f"{'; Accurate = yes; Verify Job = SaveExact' if name == 'Exact' else '' if name == 'Cat' else '; Verify Job = Save'} }}\n"
        for name, level in LEVELS.items()
    )
    heard = []
    with Bacula(root, release=release) as bacula:
        bacula.write_confs(file_sets=file_set, jobs=jobs, device="  Block Checksum = no\n")
        bacula.make_catalog()
        bacula.start("sd", "dir")
        for daemon in BOTH:
            with daemon(bacula):
                heard.append(scenario(bacula, tree))
    return heard[0], heard[1]


def test_what_is_as_it_was_saved_is_no_difference(both: tuple[Heard, Heard]) -> None:
    for heard in both:
        assert heard.found["as saved"] == dict.fromkeys(heard.found["as saved"], ("T", []))
        assert heard.found["as saved"].keys() == LEVELS.keys()


def test_a_disk_that_changed_is_told_file_by_file(both: tuple[Heard, Heard]) -> None:
    ours, theirs = (heard.found["disk changed"] for heard in both)
    assert ours == theirs
    for level in OF_THE_DISK:
        letter, told = ours[level]
        assert letter == "D"
        assert {"File: a", "st_mtime differs", "New file: new", "b", "File: empty"} <= set(told)
        assert any(line.startswith("MD5 digest differs") for line in told)


def test_a_digest_that_is_wrong_on_the_volume_is_told(both: tuple[Heard, Heard]) -> None:
    ours, theirs = (heard.found["digest changed"] for heard in both)
    assert ours["Vol"] == theirs["Vol"]
    letter, told = ours["Vol"]
    assert letter == "D"
    assert told[0] == "File: sub/c"
    assert ours["Data"][0] == theirs["Data"][0] == "D"
    (said,) = ours["Data"][1]
    assert said.startswith("sub/c: the content is not what was saved")
    assert any("sub/c" in line for line in theirs["Data"][1])


def test_data_that_is_wrong_on_the_volume_shows_at_level_data_alone(both: tuple[Heard, Heard]) -> None:
    ours, theirs = (heard.found["data changed"] for heard in both)
    assert ours["Vol"] == theirs["Vol"] == ("T", [])
    assert ours["Data"][0] == theirs["Data"][0] == "D"
    (said,) = ours["Data"][1]
    assert said.startswith("a: the content is not what was saved")
