"""`accurate = mcso5`: bacula-fd 15 stores new attributes alone where the content is as before. Its own Jobs, restored and verified by both."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.live.bacula import Bacula
from tests.live.daemons import BOTH, debians
from tests.live.filed_daemon import FiledDaemon
from tests.live.jobs import restored, shown, status_of
from tests.live.releases import BACULA_15
from tests.live.reports import run, saved

pytestmark = [pytest.mark.live, pytest.mark.root]

OPTIONS = "signature = MD5; accurate = mcso5"
VERIFY = "Job {{ Name = {name}; JobDefs = Common; Type = Verify; Level = {level}; FileSet = T; Verify Job = Save }}\n"


def test_a_chain_of_bacula_fd_comes_back_with_its_last_attributes(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "d").mkdir(parents=True)
    for name in "abc":
        (tree / name).write_text(f"content of {name}\n" * 10)
    (tree / "hard").hardlink_to(tree / "b")
    (tree / "link").symlink_to("a")
    with Bacula(tmp_path, release=BACULA_15) as bacula:
        bacula.write_confs(
            file_sets=f'FileSet {{ Name = T; Include {{ Options {{ {OPTIONS} }} File = "{tree}" }} }}\n',
            jobs="Job { Name = Save; JobDefs = Common; FileSet = T; Accurate = yes }\n"
            + VERIFY.format(name="Vol", level="VolumeToCatalog")
            + VERIFY.format(name="Data", level="Data"),
        )
        bacula.make_catalog()
        bacula.start("sd", "dir")
        with debians(bacula):
            (full,) = saved(bacula, "Save level=Full")
            time.sleep(1.1)  # times of seconds
            (tree / "a").chmod(0o600)
            os.chown(tree / "c", 1234, 4321)
            (tree / "b").chmod(0o640)
            (tree / "d").chmod(0o700)
            (incremental,) = saved(bacula, "Save level=Incremental")
        for daemon in BOTH:
            with daemon(bacula):
                back = shown(restored(bacula, f"{full},{incremental}", tree))
                assert {name: entry[:4] for name, entry in back.items()} == {
                    name: entry[:4] for name, entry in shown(tree).items()
                }
                assert {name: entry.content for name, entry in back.items()} == {
                    name: entry.content for name, entry in shown(tree).items()
                }
        with FiledDaemon(bacula):
            assert [status_of(bacula, job) for job in run(bacula, "Vol", "Data")] == ["T", "T"]
