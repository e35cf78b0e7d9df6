"""Options that Bacula 15 has and 9.6 has not: the same digests as bacula-fd, and what each saved comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.bacula import Bacula
from tests.live.daemons import BOTH
from tests.live.filed_daemon import FiledDaemon
from tests.live.jobs import files_of, restored, rows, shown, status_of
from tests.live.releases import BACULA_15
from tests.live.reports import report, run

pytestmark = pytest.mark.live

OPTIONS = {
    "Xxh64": "signature = XXHASH64",
    "Xxh3": "signature = XXH3_128; accurate = mcs5",
    "Zstd": "signature = MD5; compression = ZSTD",
    "Zstd10": "signature = MD5; compression = ZSTD10",
    "Dedup": "signature = MD5; dedup = storage",
}


def test_digests_are_those_of_bacula_fd_and_each_is_restored(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "text").write_text("a line that comes again\n" * 20_000)
    (tree / "short").write_text("b")
    sets = "".join(
        f"FileSet {{\n Name = {name}\n Include {{\n Options {{\n{options.replace('; ', chr(10))}\n}}\n"
        f'File = "{tree}"\n}}\n}}\n'
        for name, options in OPTIONS.items()
    )
    jobs = "".join(f"Job {{ Name = {name}; JobDefs = Common; FileSet = {name}; Accurate = yes }}\n" for name in OPTIONS)
    saved: list[list[int]] = []
    with Bacula(tmp_path, release=BACULA_15) as bacula:
        bacula.write_confs(file_sets=sets, jobs=jobs)
        bacula.make_catalog()
        bacula.start("sd", "dir")
        for daemon in BOTH:
            with daemon(bacula):
                saved.append([job for name in OPTIONS for job in run(bacula, f"{name} level=Full")])
        ours, theirs = (dict(zip(OPTIONS, jobs_of, strict=True)) for jobs_of in saved)
        for name in OPTIONS:
            assert (status_of(bacula, ours[name]), status_of(bacula, theirs[name])) == ("T", "T")
            assert files_of(bacula, ours[name]) == files_of(bacula, theirs[name]), name
        ((size,),) = rows(bacula, f"SELECT JobBytes FROM Job WHERE JobId = {ours['Zstd']}")
        assert int(str(size)) < 10_000, "bacula-fd of Debian stores it as it is, and says nothing"
        assert sum("by ZSTD" in line for line in report(bacula, ours["Zstd"])) == 1
        with FiledDaemon(bacula):
            for job in (*ours.values(), theirs["Xxh3"], theirs["Zstd"]):
                assert shown(restored(bacula, str(job), tree)) == shown(tree)
