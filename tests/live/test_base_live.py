"""Full Jobs that need not send everything: upon a Base Job, and restarted ones that were stopped."""

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
from tests.live.jobs import rows, shown, status_of
from tests.live.releases import Release
from tests.live.reports import expect_report, files, report, restored, run, saved, summary
from tests.live.trees import age, plant

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not shutil.which("bacula-dir", path="/usr/sbin:/usr/bin"), reason="no Bacula"),
]

LARGE = 64  # files of a megabyte: sent at a megabyte a second, they take longer than anything here is waited for
OLD = {"same": b"same", "changed": b"old", "gone": b"gone", "sub/deep": b"deep"}
JOBS = """
Job { Name = Base; JobDefs = Common; Level = Base; FileSet = T }
Job { Name = Plain; JobDefs = Common; FileSet = T }
Job {
  Name = Upon; JobDefs = Common; FileSet = T; Accurate = yes
  Base = Base
}
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("source") / "tree"


@pytest.fixture(scope="module")
def bacula(tmp_path_factory: pytest.TempPathFactory, tree: Path, release: Release) -> Iterator[Bacula]:
    """With `filed daemon` for a File Daemon."""
    file_set = f'FileSet {{ Name = T; Include {{ Options {{ signature = MD5 }} File = "{tree}" }} }}'
    with Bacula(tmp_path_factory.mktemp("base"), release=release) as made:
        made.write_confs(file_sets=file_set, jobs=JOBS)
        made.make_catalog()
        made.start("sd", "dir")
        with FiledDaemon(made):
            yield made


def names(bacula: Bacula, job_id: int, tree: Path) -> set[str]:
    return {os.path.relpath(name, tree) for name in files(bacula, job_id)}


def test_a_full_upon_a_base_job_sends_what_changed_and_is_whole(bacula: Bacula, tree: Path) -> None:
    plant(tree, OLD)
    (tree / "link").symlink_to("same")
    (tree / "hard").hardlink_to(tree / "same")
    saved(bacula, "Base level=Base")
    (tree / "changed").write_bytes(b"new")
    (tree / "gone").unlink()
    (tree / "new").write_bytes(b"new")
    (upon,) = saved(bacula, "Upon level=Full")
    assert names(bacula, upon, tree) == {"changed", "new", "."}
    assert any("as in the Base Jobs, and were not sent" in line for line in report(bacula, upon))
    assert summary(bacula, upon)["FD Files Written"] == "8"
    assert shown(restored(bacula, str(upon), tree)) == shown(tree)
    (tree / "new").unlink()
    (after,) = saved(bacula, "Upon level=Incremental")
    assert {name for name, (deleted, *_) in files(bacula, after).items() if deleted} == {f"{tree}/new"}
    assert shown(restored(bacula, f"{upon},{after}", tree)) == shown(tree)


def large() -> dict[str, bytes]:
    return {f"large{number}": os.urandom(1_000_000) for number in range(LARGE)}


def stop(bacula: Bacula, job: str) -> int:
    """Run a backup slowly, and stop it when its sixth file is on the way: the first ones are stored by then. Returns its JobId.

    With what is `large` it cannot end before it is stopped, however busy the machine is.
    """
    bacula.console(f"setbandwidth client={bacula.client} limit=1mb/s")
    (found,) = re.findall(r"JobId=(\d+)", bacula.console(f"run job={job} yes"))
    end = time.monotonic() + TIMEOUT_S
    while not re.search(r" Files=([6-9]|\d\d)", said := bacula.console(f"status client={bacula.client}")):
        assert time.monotonic() < end, said
    bacula.console(f"stop jobid={found}", "wait")
    expect_report(bacula, int(found))
    bacula.console(f"setbandwidth client={bacula.client} limit=0")
    assert status_of(bacula, int(found)) == "I"
    assert "Incomplete" in bacula.console(f"status client={bacula.client}")
    return int(found)


def restart(bacula: Bacula, job_id: int) -> None:
    before = bacula.messages().count("Termination:")
    bacula.console(f"restart incomplete jobid={job_id} yes", "wait")
    end = time.monotonic() + TIMEOUT_S
    while bacula.messages().count("Termination:") == before:
        assert time.monotonic() < end, bacula.messages()
        time.sleep(0.05)  # a log file does not wake anybody
    assert status_of(bacula, job_id) == "T", bacula.messages()


def test_a_stopped_full_is_restarted_behind_what_it_sent(bacula: Bacula, tree: Path) -> None:
    plant(tree, OLD | large())
    job_id = stop(bacula, "Plain level=Full")
    before = files(bacula, job_id)
    assert before
    restart(bacula, job_id)
    after = files(bacula, job_id)
    assert before.items() < after.items()
    assert len(after) == len(OLD) + LARGE + 2
    left_out = (
        2 if bacula.release.newer else 0
    )  # FileIndexes: a Director of 15 has the second run begin so much further on
    assert rows(bacula, f"SELECT JobFiles, count(*) FROM Job JOIN File USING (JobId) WHERE JobId = {job_id}") == [
        (len(after) + left_out, len(after))
    ], "nothing is sent twice"
    media = rows(bacula, f"SELECT FirstIndex, LastIndex FROM JobMedia WHERE JobId = {job_id}")
    covered = {index for first, last in media for index in range(int(str(first)), int(str(last)) + 1)}
    assert {
        int(str(index)) for (index,) in rows(bacula, f"SELECT FileIndex FROM File WHERE JobId = {job_id}")
    } <= covered
    assert shown(restored(bacula, str(job_id), tree)) == shown(tree)


def test_a_stopped_incremental_is_restarted_and_finds_what_is_gone(bacula: Bacula, tree: Path) -> None:
    """A Director sends the whole tree for it, so that even a Job that is not accurate tells what is deleted."""
    plant(tree, OLD)
    (full,) = saved(bacula, "Plain level=Full")
    time.sleep(1.1)  # times of seconds: what follows must not lie in the second of the Full
    (tree / "gone").unlink()
    for name, content in large().items():
        (tree / name).write_bytes(content)
    job_id = stop(bacula, "Plain level=Incremental")
    restart(bacula, job_id)
    assert {name for name, (deleted, *_) in files(bacula, job_id).items() if deleted} == {f"{tree}/gone"}
    assert shown(restored(bacula, f"{full},{job_id}", tree)) == shown(tree)


def test_a_stopped_full_upon_a_base_job_is_whole_after_its_restart(bacula: Bacula, tree: Path) -> None:
    """bacula-fd 9.6.7 loses the files of the Base here: see docs/formats/director.md."""
    plant(tree, OLD)
    run(bacula, "Base level=Base")
    for name, content in large().items():
        (tree / name).write_bytes(content)
    age(tree)
    job_id = stop(bacula, "Upon level=Full")
    restart(bacula, job_id)
    assert shown(restored(bacula, str(job_id), tree)) == shown(tree)
