"""Debian's Director, Storage Daemon and console drive `filed daemon`, and its own File Daemon the same Jobs."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.bacula import TIMEOUT_S, Bacula
from tests.live.filed_daemon import FiledDaemon
from tests.live.jobs import files_of, restored, saved, shown, status_of
from tests.live.releases import Release

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not shutil.which("bacula-dir", path="/usr/sbin:/usr/bin"), reason="no Bacula"),
]

OPTIONS = {
    "Plain": "signature = MD5",
    "Packed": "signature = SHA1; compression = GZIP6; sparse = yes; aclsupport = yes; xattrsupport = yes",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    made = tmp_path / "tree"
    (made / "sub").mkdir(parents=True)
    (made / "text").write_text("some text\n" * 20_000)
    (made / "hole").write_bytes(bytes(300_000) + b"end")
    (made / "empty").touch()
    (made / os.fsdecode(b"sub/n\xffame")).write_bytes(os.urandom(70_000))
    (made / "sub" / "link").symlink_to("../text")
    (made / "hard").hardlink_to(made / "text")
    os.mkfifo(made / "fifo", 0o640)
    long_ago = 1_600_000_000
    for path in (*made.rglob("*"), made):
        os.utime(path, (long_ago, long_ago), follow_symlinks=False)
    return made


@pytest.fixture
def bacula(tmp_path: Path, tree: Path, release: Release) -> Iterator[Bacula]:
    with Bacula(tmp_path, release=release) as made:
        sets = "".join(
            f'FileSet {{ Name = {name}; Include {{ Options {{ {options} }} File = "{tree}" }} }}\n'
            for name, options in OPTIONS.items()
        )
        jobs = "".join(f"Job {{ Name = {name}; JobDefs = Common; FileSet = {name} }}\n" for name in OPTIONS)
        jobs += "Job { Name = Exact; JobDefs = Common; FileSet = Plain; Accurate = yes }\n"
        made.write_confs(file_sets=sets, jobs=jobs)
        made.make_catalog()
        made.start("sd", "dir")
        yield made


@pytest.mark.parametrize("job", OPTIONS)
def test_what_is_saved_is_restored(bacula: Bacula, tree: Path, job: str) -> None:
    before = shown(tree)
    with FiledDaemon(bacula):
        job_id = saved(bacula, job)
        assert shown(restored(bacula, str(job_id), tree)) == before
    assert "Fatal" not in bacula.messages()


@pytest.mark.parametrize("job", OPTIONS)
def test_each_restores_what_the_other_saved(bacula: Bacula, tree: Path, job: str) -> None:
    before = shown(tree)
    with FiledDaemon(bacula):
        ours = saved(bacula, job)
    bacula.start("fd")
    theirs = saved(bacula, job)
    assert shown(restored(bacula, str(ours), tree)) == before
    bacula.stop("fd")
    with FiledDaemon(bacula):
        assert shown(restored(bacula, str(theirs), tree)) == before
    assert files_of(bacula, ours) == files_of(bacula, theirs)


def test_an_incremental_has_what_changed_and_an_accurate_one_what_is_gone(bacula: Bacula, tree: Path) -> None:
    with FiledDaemon(bacula):
        saved(bacula, "Plain")
        exact = saved(bacula, "Exact")
        time.sleep(1.1)  # times of seconds: what follows must not lie in the second of the Full
        (tree / "empty").unlink()
        (tree / "new").write_text("new")
        changed = files_of(bacula, saved(bacula, "Plain", "Incremental"))
        assert {name for name, _, _ in changed} == {f"{tree}/new", f"{tree}/"}
        accurate = saved(bacula, "Exact", "Incremental")
        gone = {name for name, deleted, _ in files_of(bacula, accurate) if deleted}
        assert gone == {f"{tree}/empty"}
        assert shown(restored(bacula, f"{exact},{accurate}", tree)) == shown(tree)


def test_a_job_is_seen_and_canceled(bacula: Bacula, tree: Path) -> None:
    with (tree / "large").open("wb") as large:
        large.truncate(400_000_000)
    with FiledDaemon(bacula) as daemon:
        bacula.console(f"setbandwidth client={bacula.client} limit=1mb/s")
        bacula.console("run job=Plain level=Full yes")
        end = time.monotonic() + TIMEOUT_S
        while "Processing file:" not in (said := bacula.console(f"status client={bacula.client}")):
            assert time.monotonic() < end, said
        assert "Full Backup Job started" in said
        begun = time.monotonic()
        bacula.console("cancel jobid=1", "wait jobid=1")
        assert time.monotonic() - begun < TIMEOUT_S
        assert status_of(bacula, 1) == "A"
        while "No Jobs running." not in (said := bacula.console(f"status client={bacula.client}")):
            assert time.monotonic() < begun + TIMEOUT_S, said
        bacula.console(f"setbandwidth client={bacula.client} limit=0")
        (tree / "large").unlink()
        saved(bacula, "Plain")
        assert "internal error" not in daemon.log()


def test_an_estimate_lists_what_bacula_fd_lists(bacula: Bacula) -> None:
    def lines() -> list[list[str]]:
        said = bacula.console("estimate job=Plain listing"), bacula.console("estimate job=Plain")
        return [sorted(re.findall(r"^(?:[-dlf]r|2000 OK estimate).*", text, re.MULTILINE)) for text in said]

    with FiledDaemon(bacula):
        ours = lines()
    bacula.start("fd")
    assert ours == lines()
    listed, counted = ours
    assert counted == [line for line in listed if line.startswith("2000")]
