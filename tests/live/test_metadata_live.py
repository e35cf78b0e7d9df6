"""`accurate = mcso5`: new attributes are stored alone where the content is as before. Jobs of both daemons, restored and verified by both."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.live.bacula import Bacula
from tests.live.daemons import BOTH, debians
from tests.live.filed_daemon import FiledDaemon
from tests.live.jobs import restored, rows, shown, status_of
from tests.live.releases import BACULA_15
from tests.live.reports import run, saved

pytestmark = [pytest.mark.live, pytest.mark.root]

VERIFY = "Job {{ Name = {name}; JobDefs = Common; Type = Verify; Level = {level}; FileSet = T; Verify Job = Save }}\n"


def file_set(name: str, tree: Path, more: str = "") -> str:
    options = f"signature = MD5; accurate = mcso5{more}"
    return f'FileSet {{ Name = {name}; Include {{ Options {{ {options} }} File = "{tree}" }} }}\n'


def job(name: str, file_set_: str) -> str:
    return f"Job {{ Name = {name}; JobDefs = Common; FileSet = {file_set_}; Accurate = yes }}\n"


def plant(tree: Path) -> None:
    (tree / "d").mkdir(parents=True)
    for name in "abcef":
        (tree / name).write_text(f"content of {name}\n" * 10)
    (tree / "hard").hardlink_to(tree / "b")
    (tree / "link").symlink_to("a")


@pytest.mark.parametrize("writer", BOTH, ids=("filed", "bacula-fd"))
def test_a_chain_comes_back_with_its_last_attributes(
    tmp_path: Path, writer: Callable[[Bacula], AbstractContextManager[object]]
) -> None:
    tree = tmp_path / "tree"
    plant(tree)
    with Bacula(tmp_path, release=BACULA_15) as bacula:
        bacula.write_confs(
            file_sets=file_set("T", tree),
            jobs=job("Save", "T")
            + VERIFY.format(name="Vol", level="VolumeToCatalog")
            + VERIFY.format(name="Data", level="Data"),
        )
        bacula.make_catalog()
        bacula.start("sd", "dir")
        with writer(bacula):
            (full,) = saved(bacula, "Save level=Full")
            time.sleep(1.1)  # times of seconds
            (tree / "a").chmod(0o600)
            os.chown(tree / "c", 1234, 4321)
            (tree / "b").chmod(0o640)
            (tree / "d").chmod(0o700)
            os.utime(tree / "e", (1_600_000_000, 1_600_000_000))
            (second,) = saved(bacula, "Save level=Incremental")
            time.sleep(1.1)
            (tree / "a").chmod(0o644)
            before = (tree / "f").stat()
            (tree / "f").write_text("content of F\n" * 10)
            os.utime(tree / "f", (before.st_atime, before.st_mtime))
            (tree / "new").write_text("new since the Full\n")
            (third,) = saved(bacula, "Save level=Incremental")
        updated = rows(
            bacula,
            f"{bacula.release.select_files('File.JobId')} WHERE DeltaSeq = 1 AND File.Filename IN ('a', 'c', 'e')",
        )
        names = sorted((Path(str(name)).name, number) for name, number in updated)
        assert names == [("a", second), ("a", third), ("c", second), ("e", second)]
        for daemon in BOTH:
            with daemon(bacula):
                back = shown(restored(bacula, f"{full},{second},{third}", tree))
                there = shown(tree)
                mtimes = {name: entry.mtime for name, entry in back.items()}
                assert {name: entry._replace(mtime=mtimes.get(name, 0)) for name, entry in there.items()} == back
                assert mtimes[b"e"] == 1_600_000_000
        with FiledDaemon(bacula):
            assert [status_of(bacula, number) for number in run(bacula, "Vol", "Data")] == ["T", "T"]


def test_an_acl_and_an_extended_attribute_behind_new_attributes_come_back(tmp_path: Path) -> None:
    """bacula-fd 15.0.3 saves both, and restores the ACL alone."""
    tree = tmp_path / "tree"
    plant(tree)
    os.setxattr(tree / "a", "user.x", b"1")
    os.setxattr(tree / "e", "user.gone", b"1")
    with Bacula(tmp_path, release=BACULA_15) as bacula:
        bacula.write_confs(
            file_sets=file_set("X", tree, "; aclsupport = yes; xattrsupport = yes"), jobs=job("Save", "X")
        )
        bacula.make_catalog()
        bacula.start("sd", "dir")
        for daemon in BOTH:
            with daemon(bacula):
                (full,) = saved(bacula, "Save level=Full")
                time.sleep(1.1)
                os.setxattr(tree / "a", "user.x", os.urandom(4))
                os.removexattr(tree / "e", "user.gone")
                subprocess.run(["setfacl", "-m", f"u:{full + 1000}:rw", tree / "c"], check=True)
                (second,) = saved(bacula, "Save level=Incremental")
                os.setxattr(tree / "e", "user.gone", b"1")
            os.removexattr(tree / "e", "user.gone")
            alone = rows(bacula, f"SELECT count(*) FROM File WHERE JobId = {second} AND DeltaSeq = 1")
            assert (alone == [(0,)]) == (daemon is FiledDaemon), "it saves such files whole"
            with FiledDaemon(bacula):
                back = shown(restored(bacula, f"{full},{second}", tree))
            assert {name: entry.xattrs for name, entry in back.items()} == {
                name: entry.xattrs for name, entry in shown(tree).items()
            }, daemon
            if daemon is debians:
                with debians(bacula):
                    theirs = shown(restored(bacula, f"{full},{second}", tree))
                assert theirs[b"c"].xattrs == back[b"c"].xattrs
                assert theirs[b"a"].xattrs != back[b"a"].xattrs
            os.setxattr(tree / "e", "user.gone", b"1")
